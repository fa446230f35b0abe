"""Who may serve a caller, and who should. Holds no personal data."""
