"""What an operator types."""

__version__ = "0.1.0"
