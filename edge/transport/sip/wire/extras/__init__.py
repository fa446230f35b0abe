"""Header values and bodies of the extensions, one per file."""
