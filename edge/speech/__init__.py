"""Voice activity, end of turn, recognition and voices."""
