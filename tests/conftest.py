"""What holds for every test."""

from __future__ import annotations

import signal

from hypothesis import HealthCheck, settings

# How long an example takes is up to the machine, which may be busy: only a hang is a failure, and
# that is pytest's own timeout to find.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")

# Where a shell starts the tests in the background they ignore this signal, and so would every
# program that they start and interrupt (POSIX, Shell Command Language, 2.12).
signal.signal(signal.SIGINT, signal.default_int_handler)
