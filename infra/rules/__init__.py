"""Rules that a stack must keep so that no data leaves its region: pure functions over a graph.

The gate (`inland regions plan`) and the Pulumi policy pack apply the same ones.
"""
