"""What the dispatcher and the workers of one node say to each other over their unix sockets."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from control_plane.contract import Identifier, SessionId, Wire

E164 = Annotated[str, StringConstraints(pattern=r"^\+[1-9][0-9]{4,14}$")]
SOCKET_FORMAT = "worker-{index}.sock"


class Admitted(Wire):
    """A caller whose token was verified: what the worker needs to know of it.

    ``regions`` maps a data class to the ordered regions that may have it; those of ``recording``
    may be none, and then the call is not recorded. ``policy`` names the law by which that was
    decided.
    """

    session_id: SessionId
    tenant: Identifier
    agent: Identifier
    jurisdictions: tuple[Identifier, ...]
    policy: str
    regions: dict[str, tuple[Identifier, ...]]
    resumed: bool
    dedicated: bool = False
    """Whether the tenant has nodes of its own, and may be on no other."""
    number: E164 | None = Field(default=None, repr=False)
    """Who is on the line of a phone call. It goes no further than to the worker, which marks the
    session with a keyed hash of it (:mod:`edge.session.subjects`)."""


class OpenCall(Wire):
    """``POST /calls`` of a worker."""

    caller: Admitted
    offer: str
    replica: str | None = None
    """The conversation that the caller brings from another region, sealed for this one."""
    until: float
    """When the dispatcher gives up and asks another worker, by the machine's monotonic clock."""


class CallOpened(Wire):
    """Its answer."""

    call_id: str
    answer: str
    session_id: SessionId | None = None
    """The session, when it is another than the caller's token says: one that was carried here."""
    carried_from: Identifier | None = None
    """The region that it comes from."""


class SessionReceipts(Wire):
    """A worker's answer to ``GET /sessions/{id}/receipts/{tenant}``, oldest first."""

    receipts: tuple[str, ...]


class WorkerFailed(Wire):
    """The line of a worker that cannot work: what is wrong, in words for an operator."""

    failed: str


class WorkerStatus(Wire):
    """One line of a worker's standard output: it is ready, and how busy it is. One comes at each
    change and each second."""

    pid: int
    media_port: int
    active: int = Field(ge=0)
    capacity: int = Field(ge=0)
    calls: tuple[str, ...] = ()
    serial: int = Field(default=0, ge=0)
    """Of the policy bundle that its calls are held to; 0 is the catalogue of the settings."""
    store: bool = True
    """Whether the session store answered it lately."""
