"""What is kept says so, is kept on purpose, and ends: tags, protection, retention of logs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from infra.rules import allowed_types as types
from infra.rules.buckets import HOLDS, held
from infra.rules.identity import named
from infra.rules.model import UNKNOWN, Graph, Resource, Scope
from infra.rules.values import holds

_HOLDINGS: Final = {
    types.BUCKET: {"recordings", "software"},
    types.CACHE: {"sessions"},
    types.KEY: {"keys"},
    types.LOG_GROUP: {"audit", "logs"},
    types.QUEUE: {"alarms", "sessions"},
    types.SECRET: {"secrets"},
    types.TOPIC: {"alarms"},
}
"""What each type may keep; anything else is a mistake or a plan that nobody has agreed to."""
LONGEST_LOGS: Final = 365
"""Days."""


def holds_tag(resource: Resource, graph: Graph, scope: Scope) -> Iterator[str]:
    """Whatever keeps data is tagged with what it keeps."""
    allowed = _HOLDINGS.get(resource.type)
    if allowed is not None and held(resource) not in allowed:
        yield f"tag {HOLDS} is {held(resource) or 'not set'}, not {' or '.join(sorted(allowed))}"
    if resource.type == types.BUCKET:
        name = str(resource.properties.get("bucket"))
        if not name.startswith(f"inland-{held(resource)}-{scope.account_id}-"):
            yield f"tag {HOLDS} says {held(resource)}, and its name {name} does not"


def protected(resource: Resource, graph: Graph, scope: Scope) -> Iterator[str]:
    """Keys, recordings and audit logs are not deleted by a change of the program."""
    kept = resource.type == types.KEY or (
        resource.type == types.BUCKET and held(resource) != "software"
    )
    kept = kept or (resource.type == types.LOG_GROUP and held(resource) == "audit")
    if kept and not resource.protect:
        yield "protect is off"
    if kept and resource.properties.get("forceDestroy") is True:
        yield "forceDestroy is on"


def log_retention(resource: Resource, graph: Graph, scope: Scope) -> Iterator[str]:
    """Logs end."""
    if resource.type != types.LOG_GROUP:
        return
    days = resource.properties.get("retentionInDays")
    if not isinstance(days, int | float) or not 0 < days <= LONGEST_LOGS:
        yield f"retentionInDays is {days}, not 1 to {LONGEST_LOGS}"
    if resource.properties.get("skipDestroy") is True:
        yield "skipDestroy keeps it when the stack is gone"


def log_home(resource: Resource, graph: Graph, scope: Scope) -> Iterator[str]:
    """Flow logs go to a log group of this stack, and to no bucket or stream of somebody else."""
    if resource.type != "aws:ec2/flowLog:FlowLog":
        return
    kind = resource.properties.get("logDestinationType")
    if holds(kind) and kind != "cloud-watch-logs" and kind is not UNKNOWN:
        yield f"logDestinationType is {kind}"
    if holds(resource.properties.get("deliverCrossAccountRole")):
        yield "deliverCrossAccountRole gives them to another account"
    value = resource.properties.get("logDestination")
    if resource.dependencies is not None and (
        named(graph, resource, "logDestination", value, types.LOG_GROUP) is None
    ):
        yield "logDestination is not a log group of this stack"
