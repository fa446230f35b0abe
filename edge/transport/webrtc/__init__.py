"""WebRTC: a leg over ICE, DTLS-SRTP and SCTP, one UDP port per worker.

aiortc and aioice do the protocols; the way of an audio packet, from the datagram to the frame and
back, is ours. Nothing in aiortc is replaced at run time: its transports are put together here, with
our sender and receiver at their ends.
"""
