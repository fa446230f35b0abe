"""Agents: what they ask, understand, do and say."""
