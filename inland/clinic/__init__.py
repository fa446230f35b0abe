"""The demo's booking service: real, small, and behind an agent's HTTP tool."""
