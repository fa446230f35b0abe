"""Whole calls from every country at once, and what is on the uplinks meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from edge.media.frames import Samples
from tests.system.wire.audio import at_rate
from tests.system.wire.calls import Call, calling, recorded
from tests.system.wire.capture import Capture, Captured, capture
from tests.system.wire.network import Network, run
from tests.system.wire.search import Search
from tests.system.wire.site import CALL, HOMES, SAID


@dataclass(frozen=True, slots=True)
class Evidence:
    """Calls from every country at once, and what was on the uplinks meanwhile."""

    uplinks: dict[str, Captured]
    calls: dict[str, Call]
    said: dict[str, str]
    caller: Samples
    agent: Samples
    rate: int
    media: dict[str, int]
    """Packets from each region to its caller, over the caller's own link."""

    @property
    def search(self) -> Search:
        sounds = {"caller": self.caller, "agent": self.agent}
        return Search(self.said, {who: at_rate(it, self.rate) for who, it in sounds.items()})


@contextmanager
def captures(network: Network, folder: Path) -> Iterator[dict[str, Capture]]:
    """On the uplink of every region."""
    with ExitStack() as stack:
        yield {
            region: stack.enter_context(
                capture(network.router(region), "up0", folder / f"{region}.pcap")
            )
            for region in HOMES.values()
        }


def to_caller(network: Network, region: str) -> int:
    """Packets so far from a region to its caller, by the kernel's own count."""
    path = "/sys/class/net/access/statistics/tx_packets"
    return int(run(*network.router(region).command("cat", path)))


def observed(network: Network, folder: Path) -> Evidence:
    """A whole call from every country, side by side."""
    before = {region: to_caller(network, region) for region in HOMES.values()}
    with captures(network, folder) as taken, ExitStack() as stack:
        calls = {
            country: stack.enter_context(
                calling(network, caller, *CALL, "--record", str(folder / f"{country}.wav"))
            )
            for country, caller in network.callers.items()
        }
        for country, call in calls.items():
            assert call.finished() == 0, (country, call.records[-3:])
        uplinks = {region: one.so_far() for region, one in taken.items()}
    said = dict(SAID)
    for country, call in calls.items():
        said[f"session of {country}"] = str(call.of_kind("connected")[0]["session_id"])
        said[f"address of {country}"] = str(network.callers[country].address)
    caller, agent, rate = recorded(folder / "DE.wav")
    after = {region: to_caller(network, region) for region in HOMES.values()}
    media = {region: after[region] - before[region] for region in after}
    return Evidence(uplinks, calls, said, caller, agent, rate, media)
