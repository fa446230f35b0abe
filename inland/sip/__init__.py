"""Looking at a node's trunks and registrations from outside of the node."""
