"""Tests are claims about behaviour."""
