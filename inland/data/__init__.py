"""What an operator does with the data of sessions: erase it, hand it out."""
