"""Frames, pacing, playout and codecs. Imports nothing above it."""
