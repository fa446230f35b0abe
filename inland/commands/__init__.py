"""One module per command: ``HELP``, ``configure(parser)`` and ``run(arguments) -> exit status``."""
