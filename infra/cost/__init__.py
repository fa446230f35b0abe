"""What a stack costs a month, and a minute of a call: from a dated price table."""
