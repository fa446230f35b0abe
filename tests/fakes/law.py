"""A law in force, for tests of what asks it."""

from __future__ import annotations

from edge.clock import Clock
from edge.law import LawInForce
from regions.law import Law
from regions.models import Catalogue
from tests.fakes.clock import FakeClock


def in_force(law: Catalogue | Law, clock: Clock | None = None) -> LawInForce:
    """``law``, or the law that a catalogue alone is."""
    return LawInForce(law if isinstance(law, Law) else Law(law), clock or FakeClock())
