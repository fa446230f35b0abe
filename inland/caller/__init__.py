"""A caller without a face: places a call over WebRTC, speaks a script, measures what it hears."""
