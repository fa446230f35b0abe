"""A telephone in software: the product's own SIP stack at the far end of a line."""
