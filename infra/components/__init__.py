"""Pulumi components: one concept each, with typed arguments."""
