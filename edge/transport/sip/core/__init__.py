"""The user agent without its sockets: transactions, dialogs, sessions. Messages and time go in,
messages and events come out."""
