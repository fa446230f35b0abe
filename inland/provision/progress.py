"""How far `up` and `down` are, per component: a pure model fed with what the engine reports."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

Doing = Literal["create", "update", "replace", "delete", "read", "same"]
_OPERATIONS: dict[str, Doing] = {
    "create": "create",
    "create-replacement": "replace",
    "replace": "replace",
    "delete-replaced": "replace",
    "discard-replaced": "replace",
    "update": "update",
    "delete": "delete",
    "discard": "delete",
    "read": "read",
    "read-replacement": "read",
    "refresh": "read",
    "import": "create",
    "import-replacement": "create",
    "same": "same",
}
_DOING = {
    "create": "creating",
    "update": "updating",
    "replace": "replacing",
    "delete": "deleting",
    "read": "reading",
    "same": "checking",
}
_DONE = {
    "create": "created",
    "update": "updated",
    "replace": "replaced",
    "delete": "deleted",
    "read": "read",
    "same": "unchanged",
}
SLOW_TYPES: Mapping[str, str] = {
    "ReplicationGroup": "10 to 20 minutes are normal",
    "CertificateValidation": "waits for DNS, a few minutes",
    "LoadBalancer": "about 3 minutes are normal",
    "Group": "waits for its first nodes",
}
"""Short type names of resources that take so long that a person would wonder."""
_BAR = 24


@dataclass(frozen=True, slots=True)
class Step:
    """One thing the engine said: a resource began, ended or failed."""

    phase: Literal["began", "ended", "failed"]
    operation: str
    urn: str


@dataclass(slots=True)
class _Group:
    """A component and its resources."""

    total: int
    done: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    running: dict[str, float] = field(default_factory=dict)


def component_of(urn: str) -> str:
    """The component that a resource is part of: the innermost of ours in its type chain."""
    kinds = urn.split("::")[2].split("$") if urn.count("::") >= 3 else []
    ours = [kind.rsplit(":", 1)[-1] for kind in kinds if kind.startswith("inland:")]
    return ours[-1] if ours else "Stack"


def short_type(urn: str) -> str:
    """``VpcEndpoint`` of a URN whose type is ``aws:ec2/vpcEndpoint:VpcEndpoint``."""
    return urn.split("::")[2].split("$")[-1].rsplit(":", 1)[-1]


def name_of(urn: str) -> str:
    """A resource's own name."""
    return urn.rsplit("::", 1)[-1]


class Progress:
    """What is done, what runs, what failed.

    ``expected`` are the URNs that the gate's graph has; the engine may report more (what is being
    deleted) and the totals follow. Times are seconds of any one monotonic clock.
    """

    def __init__(self, expected: Iterable[str]) -> None:
        self._groups: dict[str, _Group] = {}
        self._operations: dict[str, int] = {}
        self._known: set[str] = set()
        self._seen: set[str] = set()
        for urn in expected:
            self._known.add(urn)
            self._group(urn).total += 1

    def feed(self, step: Step, now: float) -> str | None:
        """Take one step in; returns a line for a log where something changed, else None."""
        doing = _OPERATIONS.get(step.operation, "same")
        if doing != "delete":
            self._seen.add(step.urn)
        group = self._group(step.urn)
        if step.urn not in self._known:
            self._known.add(step.urn)
            group.total += 1
        what = f"{short_type(step.urn)} {name_of(step.urn)}"
        if step.phase == "began":
            group.running[step.urn] = now
            return None if doing in ("same", "read") else f"{_DOING[doing]} {what}"
        began = group.running.pop(step.urn, now)
        if step.phase == "failed":
            group.failed.add(step.urn)
            return f"failed {what}"
        if step.urn not in group.done:
            group.done.add(step.urn)
            self._operations[doing] = self._operations.get(doing, 0) + 1
        if doing in ("same", "read"):
            return None
        return f"{_DONE[doing]} {what} ({now - began:.0f} s)"

    @property
    def finished(self) -> int:
        return sum(len(group.done) for group in self._groups.values())

    @property
    def total(self) -> int:
        return sum(group.total for group in self._groups.values())

    @property
    def seen(self) -> frozenset[str]:
        """What the engine spoke of, but for what it deletes."""
        return frozenset(self._seen)

    def summary(self) -> str:
        """``12 created, 3 updated``, in the order of the operations' weight."""
        parts = [
            f"{self._operations[name]} {_DONE[name]}" for name in _DONE if name in self._operations
        ]
        return ", ".join(parts) or "nothing to do"

    def render(self, title: str, started: float, now: float, width: int) -> Sequence[str]:
        """Lines for a terminal of ``width`` columns, the same number for the same groups."""
        share = self.finished / self.total if self.total else 1.0
        filled = int(_BAR * share)
        bar = "#" * filled + "." * (_BAR - filled)
        head = f"{title}  [{bar}] {self.finished} of {self.total}  {clock(now - started)}"
        longest = max((len(name) for name in self._groups), default=0)
        rows = [
            f"  {name:<{longest}}  {len(group.done):>3}/{group.total:<3}  {_state(group, now)}"
            for name, group in self._groups.items()
        ]
        return [line[:width] for line in (head, *rows)]

    def _group(self, urn: str) -> _Group:
        return self._groups.setdefault(component_of(urn), _Group(0))


def _state(group: _Group, now: float) -> str:
    if group.failed:
        return "FAILED " + ", ".join(sorted(name_of(urn) for urn in group.failed))
    if group.running:
        urn, began = min(group.running.items(), key=lambda item: (item[1], item[0]))
        kind = short_type(urn)
        slow = f"; {SLOW_TYPES[kind]}" if kind in SLOW_TYPES else ""
        more = f" and {len(group.running) - 1} more" if len(group.running) > 1 else ""
        return f"{kind} {name_of(urn)}{more} ({now - began:.0f} s{slow})"
    return "done" if len(group.done) >= group.total else ""


def clock(seconds: float) -> str:
    """``4m07s``."""
    whole = int(seconds)
    return f"{whole // 60}m{whole % 60:02d}s"


_CONTROL = re.compile(r"\x1b\[[0-9;]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]")


def plain(text: str) -> str:
    """``text`` without terminal sequences: what a provider says goes to an operator's terminal."""
    return _CONTROL.sub("", text).rstrip()
