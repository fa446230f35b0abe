"""Sockets and name resolution under the user agent, and the tasks that serve it."""
