"""How a leg arrives: PCM frames in, PCM frames out."""
