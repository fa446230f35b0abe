"""A node's user agent, its trunk's and others on a simulated network, for tasks of a test."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from edge.phone.access import TrunkAccess
from edge.transport.sip.core.settings import AgentSettings
from edge.transport.sip.wire.digest import Credentials
from tests.edge.phone.parts import phone, trunk
from tests.edge.transport.sip.core.duo import Agent
from tests.fakes.sip_net import SipNet

HANG_STEPS = 2_000


class Wires:
    """``node`` calls out through ``carrier``."""

    def __init__(self) -> None:
        self.net = SipNet()
        self.node = Agent(self.net, ("192.0.2.1", 5060))
        self.carrier = Agent(self.net, ("192.0.2.2", 5060), AgentSettings(allow_replaces=True))

    def access(self, credentials: Credentials | None = None, **changes: Any) -> TrunkAccess:
        """The carrier as the node's calls use it."""
        values = {"address": "sip:192.0.2.2:5060", "transfer": ("+49*", "sip:desk@*"), **changes}
        return TrunkAccess(trunk(**values), phone(), credentials, lambda: self.node.core)

    async def until(self, true: Callable[[], bool]) -> None:
        """Let messages travel and tasks run, 10 ms of the network's time at a step."""
        for _ in range(HANG_STEPS):
            for _ in range(5):
                await asyncio.sleep(0)
            if true():
                return
            self.net.run(0.01)
        raise AssertionError("it did not happen")

    def finish(self) -> None:
        """Let everything come to rest, and see that nothing is left."""
        self.net.run()
        assert self.node.is_clean
        assert self.carrier.is_clean
