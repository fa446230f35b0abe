"""Switches off each layer of enforcement in turn, in a copy, and asks the tests who noticed."""
