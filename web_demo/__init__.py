"""The browser client and the demo page. Static files; nothing here runs in Python."""
