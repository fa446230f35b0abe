"""Benches: what a call costs, and how long an answer takes."""
