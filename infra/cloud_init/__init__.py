"""What a machine of a region does when it boots: installs Inland and starts it under systemd."""
