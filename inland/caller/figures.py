"""What a caller measured on its side of the network, as people read it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol


class Measured(Protocol):
    """The end of a call, with its figures; milliseconds, None where nothing was measured."""

    @property
    def wire_p50_ms(self) -> float | None: ...
    @property
    def wire_p95_ms(self) -> float | None: ...
    @property
    def wire_ms(self) -> tuple[float, ...]: ...
    @property
    def packets(self) -> int: ...
    @property
    def lost(self) -> int: ...
    @property
    def gap_p99_ms(self) -> float | None: ...
    @property
    def gap_max_ms(self) -> float | None: ...


def figures(end: Measured) -> Iterator[str]:
    """A line for the answers, if any was measured, and one for the packets."""
    if end.wire_p50_ms is not None and end.wire_p95_ms is not None:
        yield (
            f"answers on the wire: p50 {end.wire_p50_ms:.0f} ms, "
            f"p95 {end.wire_p95_ms:.0f} ms ({len(end.wire_ms)} measured)"
        )
    gaps = ""
    if end.gap_p99_ms is not None and end.gap_max_ms is not None:
        gaps = f", gap p99 {end.gap_p99_ms:.0f} ms, longest {end.gap_max_ms:.0f} ms"
    yield f"{end.packets:,} packets received, {end.lost:,} lost{gaps}"
