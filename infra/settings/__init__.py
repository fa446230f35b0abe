"""Stack files: what an operator writes, checked before anything runs."""
