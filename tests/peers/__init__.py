"""Real peers: sipp, baresip and Kamailio, each as a process of its own on loopback."""
