"""What survives: the sealed journal of a conversation."""
