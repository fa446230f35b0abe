"""Isolated regions on one Linux host: network namespaces, nftables barriers, a Redis each."""
