"""Messages and the values in their headers (RFC 3261 sections 7, 20, 25). Pure text."""
