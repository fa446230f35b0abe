"""The barrier around the services of a node that takes calls: what their user may begin to reach.

It is made from what the machine was told, its metadata and its site, which root owns, and from
nothing that the services' user could write: whoever takes a service over does not widen it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Protocol
from urllib.parse import urlsplit

from pydantic import ValidationError

from edge.dialog.agent import load_agents
from edge.egress.nft import ruleset
from edge.egress.resolve import Found, Unresolved, resolved
from edge.egress.ways import METADATA, NetworkWay, NoFixedPort, TcpWay, Ways, ways_of
from edge.settings import NodeSettings
from edge.transport.sip.net.lookup import Lookup
from infra.cloud_init.document import EdgeRole, NodeDocument
from inland.fleet import edge_files
from inland.fleet.aws import insist
from inland.fleet.clock import WaitingClock, backoff
from inland.fleet.errors import Unusable
from inland.fleet.metadata import Machine, Metadata, read_machine
from inland.fleet.places import Places
from regions.errors import ConfigError

USER = "inland"
HTTPS_PORT = 443

log = logging.getLogger(__name__)


class Loader(Protocol):
    """Puts rules in force."""

    async def load(self, rules: str) -> None:
        """All of them or none. Raises :class:`Unusable`."""
        ...


class Nft:
    """A :class:`Loader` of this machine's kernel (nft(8))."""

    def __init__(self, program: str = "/usr/sbin/nft") -> None:
        self._program = program

    async def load(self, rules: str) -> None:
        process = await asyncio.create_subprocess_exec(
            *(self._program, "--file", "-"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        _, said = await process.communicate(rules.encode())
        if process.returncode != 0:
            reason = said.decode(errors="replace").strip().splitlines()
            raise Unusable(f"the barrier cannot be loaded: {' '.join(reason[:1])}")


@dataclass(frozen=True, slots=True)
class Barrier:
    """What making a barrier takes."""

    document: NodeDocument
    places: Places
    metadata: Metadata
    loader: Loader
    clock: WaitingClock
    cpus: int
    lookup: Lookup | None = None

    async def run(self) -> None:
        """Load it; waits until every name has an address. Raises :class:`Unusable`."""
        role = self.document.role
        if not isinstance(role, EdgeRole):
            raise Unusable(f"a machine of the role {role.role} has no barrier")
        machine = await insist(
            self.clock, lambda: read_machine(self.metadata, self.document.region, self.cpus)
        )
        ways = self.ways(role, machine)
        found = await self._resolved(ways)
        at = datetime.fromtimestamp(self.clock.wall(), UTC)
        await self.loader.load(ruleset(found, user=USER, at=at))
        log.info("barrier loaded", extra={"count": len(found.names)})

    def ways(self, role: EdgeRole, machine: Machine) -> Ways:
        """Those of the node, and those of the programs beside it. Raises :class:`Unusable`."""
        phone = edge_files.read_phone(self.places) if role.phone_secret is not None else None
        plain = edge_files.edge_settings(self.document, role, machine, self.places, phone)
        try:
            settings = NodeSettings.model_validate(plain)
            ways = ways_of(settings, load_agents(settings.agents).values(), {})
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            raise Unusable(".".join(map(str, first["loc"])) + f": {first['msg']}") from error
        except (ConfigError, NoFixedPort) as error:
            raise Unusable(str(error)) from error
        inside = tuple(
            # Networks and not addresses: a store that fails over is another address of them.
            NetworkWay("store and endpoints", network, (HTTPS_PORT, role.store.port))
            for network in role.data_networks
        )
        return replace(
            ways,
            tcp=tuple(dict.fromkeys((*ways.tcp, *self._cloud()))),
            networks=(*ways.networks, *inside),
        )

    def _cloud(self) -> Iterator[TcpWay]:
        """What has no endpoint in the network: the metadata, certificates, the address record."""
        endpoint = self.document.endpoint
        if endpoint is not None:
            url = urlsplit(endpoint)
            yield TcpWay("rehearsal", url.hostname or "", url.port or 80)
            return
        yield TcpWay("this machine's metadata", *METADATA)
        yield TcpWay("certificates", f"acm.{self.document.region}.amazonaws.com", HTTPS_PORT)
        yield TcpWay("address record", "route53.amazonaws.com", HTTPS_PORT)

    async def _resolved(self, ways: Ways) -> Found:
        failures = 0
        while True:
            try:
                return await resolved(ways, self.lookup)
            except Unresolved as error:
                failures += 1
                log.warning("the barrier waits for a name", extra={"reason": str(error)})
            await self.clock.sleep(backoff(failures))
