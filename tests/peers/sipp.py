"""sipp with a scenario of ours, and what it counted."""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from tests.peers.program import HOST, PATIENCE, Program, free_ports, installed
from tests.peers.scenarios import Scenario

_MEDIA_PORTS = 8


@dataclass(frozen=True, slots=True)
class Counts:
    """sipp's own numbers."""

    calls: int
    successes: int
    failures: int
    retransmissions: int
    unexpected: int


class Sipp(Program):
    """``target`` is ``host:port`` of who is called; without one it waits for ``calls`` calls."""

    def __init__(
        self,
        folder: Path,
        scenario: Scenario,
        target: str | None = None,
        *,
        service: str = "agent",
        calls: int = 1,
        rate: float = 1.0,
        at_once: int | None = None,
        transport: Literal["udp", "tcp"] = "udp",
        echoes: bool = False,
        within: float = PATIENCE,
        host: str = HOST,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_ports(_MEDIA_PORTS, host)
        self.host = f"[{host}]" if ":" in host else host
        self.service = service
        self._messages, self._errors = folder / "messages.txt", folder / "errors.txt"
        self._statistics = folder / "statistics.csv"
        if "play_pcap_audio" in scenario.xml() and os.geteuid() != 0:
            pytest.skip("sipp plays captures through a raw socket, which takes root")
        path = folder / "scenario.xml"
        path.write_text(scenario.xml())
        options: list[str | Path] = [installed("sipp", "sip-tester")]
        options += [target] if target else []
        options += ["-sf", path, "-i", host, "-p", str(self.port), "-mi", host]
        options += ["-mp", str(self.port + 2), "-cp", str(self.port + 1), "-nostdin"]
        options += ["-m", str(calls), "-r", str(rate), "-s", service]
        options += ["-l", str(at_once)] if at_once else []
        options += ["-t", "u1" if transport == "udp" else "t1", "-timeout", f"{round(within)}s"]
        options += ["-timeout_error", "-trace_err", "-error_file", self._errors]
        options += ["-trace_msg", "-message_file", self._messages]
        options += ["-trace_stat", "-stf", self._statistics, "-fd", "1"]
        options += ["-rtp_echo"] if echoes else []
        super().__init__(options, folder, "sipp")
        self._within, self._waits = within, target is None

    async def _ready(self) -> None:
        # A caller may be over before anyone could look.
        if self._waits:
            await self._bound(self.port)

    @property
    def uri(self) -> str:
        """Where it can be called."""
        return f"sip:{self.service}@{self.host}:{self.port}"

    @property
    def messages(self) -> str:
        """Every message it sent and received."""
        return self._messages.read_text(errors="replace") if self._messages.is_file() else ""

    async def finished(self) -> Counts:
        """Wait for all calls to be over; fails with what sipp complained of when one failed."""
        status = await self.ended(self._within + 10)
        counts = self.counts()
        complaints = self._errors.read_text(errors="replace") if self._errors.is_file() else ""
        assert status == 0, f"sipp ended with {status}, {counts}: {complaints[:4000]}"
        return counts

    def counts(self) -> Counts:
        """The last line of its statistics."""
        lines = self._statistics.read_text().splitlines()
        last = list(csv.DictReader(lines, delimiter=";"))[-1]
        return Counts(
            calls=int(last["TotalCallCreated"]),
            successes=int(last["SuccessfulCall(C)"]),
            failures=int(last["FailedCall(C)"]),
            retransmissions=int(last["Retransmissions(C)"]),
            unexpected=int(last["FailedUnexpectedMessage(C)"]),
        )
