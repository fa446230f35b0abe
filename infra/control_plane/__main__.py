from infra.programs.control_plane import main

main()
