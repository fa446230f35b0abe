"""SIP: phone calls, from the datagram to the leg.

``wire`` reads and writes messages, ``core`` is the user agent as a pure state machine, ``net`` the
sockets under it, ``media`` the leg: SDP, RTP, SRTP, DTMF.
"""
