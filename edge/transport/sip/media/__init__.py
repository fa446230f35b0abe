"""What a SIP leg hears and says: session descriptions, RTP ports, SRTP keys, DTMF."""
