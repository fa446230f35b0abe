"""What leaves a node: the barrier around it, the probe for it, the tripwire inside it."""
