from infra.programs.region import main

main()
