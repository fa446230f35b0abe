"""One call, end to end: transport, media, speech, dialog and session state of a region's node."""
