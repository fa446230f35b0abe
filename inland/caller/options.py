"""What a caller is told before it calls, and where the defaults come from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

Codec: TypeAlias = Literal["opus", "pcmu"]

CONTROL_PLANE = "http://127.0.0.1:7000"
"""Where ``make demo`` runs its control plane."""
DEMO_KEY = "sk_demo_clinic_local_only"
"""The demo clinic's secret key: it opens nothing outside the demo."""
AGENT = "clinic-reception"
TIMEOUT_SECONDS = 180.0

_COUNTRY = re.compile(r"[A-Z]{2}")
_URL = re.compile(r"https?://[^\s/]+(/\S*)?")
_IDENTIFIER = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


@dataclass(frozen=True, slots=True)
class Drill:
    """A fault while the agent speaks its ``answer``-th answer; the greeting is the first.

    ``cut-edge``: the caller drops its leg without a word, as if the edge were out of reach, and
    goes on elsewhere. ``kill-worker``: the edge is asked to kill the process that serves the call,
    which it does where drills are switched on.
    """

    kind: Literal["cut-edge", "kill-worker"]
    answer: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CallOptions:
    """One call.

    ``edge`` and ``token`` together skip the control plane. ``timeout`` is the longest the whole
    call may last, seconds.

    Raises ``ValueError``, whose message names the option, for anything that cannot be right.
    """

    control_plane: str = CONTROL_PLANE
    key: str = DEMO_KEY
    country: str | None = None
    agent: str = AGENT
    codec: Codec = "opus"
    edge: str | None = None
    token: str | None = None
    timeout: float = TIMEOUT_SECONDS
    reconnect: bool = True
    drill: Drill | None = None
    record: Path | None = None

    def __post_init__(self) -> None:
        if self.country is not None and not _COUNTRY.fullmatch(self.country):
            raise ValueError(f"--from: {self.country!r} is not a country of two letters, like IN")
        if not _IDENTIFIER.fullmatch(self.agent):
            raise ValueError(f"--agent: {self.agent!r} is not an agent's name")
        if (self.edge is None) != (self.token is None):
            raise ValueError("--edge and --token go together")
        for name, url in (("--control-plane", self.control_plane), ("--edge", self.edge)):
            if url is not None and not _URL.fullmatch(url):
                raise ValueError(f"{name}: {url!r} is not an http address")
        if not 1 <= self.timeout <= 3600:
            raise ValueError("--timeout: between 1 and 3600 seconds")
        if self.drill is not None and not self.reconnect:
            raise ValueError("--drill and --no-reconnect contradict each other")


def default_control_plane(environment: Mapping[str, str]) -> str:
    """The control plane to ask when no option names one."""
    return environment.get("INLAND_CONTROL_PLANE") or CONTROL_PLANE


def default_key(environment: Mapping[str, str]) -> str:
    """The tenant key to present when no option names one."""
    return environment.get("INLAND_KEY") or DEMO_KEY


def parse_drill(text: str) -> Drill:
    """``cut-edge@N`` or ``kill-worker@N``. Raises ``ValueError`` for anything else."""
    match = re.fullmatch(r"(cut-edge|kill-worker)@([1-9][0-9]{0,2})", text)
    if match is None:
        raise ValueError(
            f"--drill: {text!r} is none; there are cut-edge@N and kill-worker@N with N from 1"
        )
    return Drill("cut-edge" if match[1] == "cut-edge" else "kill-worker", int(match[2]))
