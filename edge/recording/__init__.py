"""Recordings of calls: tapped, sealed and kept in the node's own region, or not made at all."""
