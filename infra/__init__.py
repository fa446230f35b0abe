"""Where Inland runs: typed stack files, Pulumi programs, the rules that guard them."""
