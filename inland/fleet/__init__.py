"""What runs on a machine of a stack: makes its settings at start, tells the cloud of its life."""
