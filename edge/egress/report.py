"""What becomes of a connection that nothing explains: each is counted, the first is logged."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterable, Mapping

from edge.clock import Clock
from edge.dialog.agent import AgentSpec
from edge.egress.tripwire import Kind, Tripwire
from edge.egress.ways import services_of
from edge.logs import pseudonym
from edge.settings import NodeSettings
from edge.transport.sip.net.lookup import SystemLookup
from regions.strict_yaml import ConfigError

MAX_LOGGED = 64
"""Hosts that one process writes down; all of them are counted."""

log = logging.getLogger(__name__)


class Trips:
    """Counts by ``count``, and logs each host once: never its name or address."""

    def __init__(self, count: Callable[[Kind], None]) -> None:
        self._count = count
        self._logged: set[tuple[Kind, str]] = set()

    def __call__(self, kind: Kind, host: str) -> None:
        self._count(kind)
        if (kind, host) not in self._logged and len(self._logged) < MAX_LOGGED:
            self._logged.add((kind, host))
            log.warning(
                "a connection that the settings do not explain",
                extra={"reason": kind, "peer": pseudonym(host)},
            )


def worker_tripwire(
    settings: NodeSettings,
    agents: Iterable[AgentSpec],
    environ: Mapping[str, str],
    clock: Clock,
    count: Callable[[Kind], None],
) -> Tripwire:
    """A worker's tripwire, not armed yet. An agent that is not complete explains nothing."""
    services = dict.fromkeys(services_of(settings, (), environ))
    for spec in agents:
        with contextlib.suppress(ConfigError):
            services |= dict.fromkeys(services_of(settings, (spec,), environ))
    return Tripwire(services, Trips(count), lookup=SystemLookup(), clock=clock)
