"""A caller who brings a conversation along from another region: may it go on here? Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from edge.dialog.agent import HERE, AgentSpec, HttpTool
from edge.dialog.tools import UNKNOWN
from edge.events import ToolRecord
from edge.internal import Admitted
from edge.problem import EdgeRefusal
from edge.retention import Ends
from edge.session.contents import Contents, ToolCall
from edge.session.errors import ReplicaRefused
from edge.session.history import PendingTool
from edge.session.keyring import SEALED
from edge.session.receipt import CarriedFrom
from edge.session.replica import OpenedReplica, ReplicaHead, ReplicaKey
from edge.session.replica_regions import replica_regions
from regions.law import Law
from regions.policy import day_of


@dataclass(frozen=True, slots=True)
class Carried:
    """A conversation that may go on here. ``caller`` is of its session."""

    caller: Admitted
    replica: OpenedReplica

    @property
    def origin(self) -> CarriedFrom:
        """For the receipt."""
        head = self.replica.head
        return CarriedFrom(region=head.source, turn=head.turn, sealed=float(head.at))

    def ends(self, here: Ends) -> Ends:
        """When its data expires: as ``here`` says, and never later than where it was before."""
        before = self.replica.head.ends
        classes = {name: min(end, before.get(name, end)) for name, end in here.classes.items()}
        needed = [classes[name] for name in SEALED]
        return Ends(max(classes.values()), min(needed), classes)


def open_carried(
    text: str, caller: Admitted, spec: AgentSpec, *, key: ReplicaKey, law: Law, now: float
) -> Carried:
    """The conversation of a replica, for a caller whose route token allows a call here and now.

    Nothing is opened before it is known that a region of the law sealed it for this one, that it is
    of the caller's tenant, agent and law, and that this region may have it. Raises ``EdgeRefusal``
    (``body_too_large``, ``bad_replica``, ``not_ready``, ``wrong_region``, ``replica_expired``,
    ``replica_mismatch``).
    """
    try:
        verified = key.verify(text, law.replica_keys, now=now)
        _require_same(verified.head, caller)
        _require_allowed(verified.head, key.region, law, now)
        opened = key.open(verified)
    except ReplicaRefused as refused:
        raise EdgeRefusal(refused.code, refused.detail) from refused
    session_id = verified.head.tag.session
    contents = settle_local(opened.contents, spec)
    return Carried(
        caller.model_copy(update={"session_id": session_id}), replace(opened, contents=contents)
    )


def settle_local(contents: Contents, spec: AgentSpec) -> Contents:
    """The conversation, in which nobody knows what became of pending calls of regional services.

    A service of the agent's own region is another one here: it has not heard of the call, so the
    idempotency key holds nothing back, and the call would be made twice.
    """
    elsewhere = {
        tool.name for tool in spec.tools if isinstance(tool, HttpTool) and tool.region != HERE
    }
    local = {tool.name for tool in spec.tools} - elsewhere
    return replace(contents, tools=tuple(_settled(tool, local) for tool in contents.tools))


def _settled(tool: ToolCall, local: Collection[str]) -> ToolCall:
    if not isinstance(tool, PendingTool) or tool.name not in local:
        return tool
    return ToolRecord(tool.call_id, tool.name, tool.arguments, False, {"error": UNKNOWN})


def _require_same(head: ReplicaHead, caller: Admitted) -> None:
    facts = {
        "tenant": (head.tag.tenant, caller.tenant),
        "agent": (head.agent, caller.agent),
        "law": (head.tag.jurisdictions, tuple(sorted(caller.jurisdictions))),
    }
    for name, (theirs, ours) in facts.items():
        if theirs != ours:
            raise EdgeRefusal(
                "replica_mismatch",
                f"the replica is of another {name} than the route token: call without it",
            )


def _require_allowed(head: ReplicaHead, here: str, law: Law, now: float) -> None:
    if here not in replica_regions(law, head.tag, head.source, day_of(now)):
        raise EdgeRefusal(
            "wrong_region", f"region {here} may not have a replica of this conversation: call anew"
        )
