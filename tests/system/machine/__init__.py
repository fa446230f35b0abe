"""Machines of a region, booted in containers, with a rehearsal of AWS around them."""
