"""RTP, RTCP and the audio between a leg's packets and its frames; shared by WebRTC and SIP legs."""
