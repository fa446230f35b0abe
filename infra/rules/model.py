"""What the rules see of a stack, whoever captured it: plain data, nothing of Pulumi."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias


class _Unknown:
    """A value that is only known once the stack is up."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = _Unknown()

Value: TypeAlias = Any
"""None, bool, int, float, str, ``UNKNOWN``, or a list or dict of values. Keys are camelCase."""
Words: TypeAlias = Literal["program", "inputs", "outputs"]
"""Whose words a resource's properties are: the program's alone, or with the defaults that the
provider fills in, or with what AWS answers as well (both only in a policy pack)."""


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource as the program registered it.

    ``provider`` is the URN of its provider, None when it has none of its own; ``dependencies``
    gives, per property, the URNs that it was computed from, and is None where the caller does not
    know them (a policy pack while a single resource is analysed). ``custom`` is False for
    components, ``read`` True for what is looked up and not made. ``made`` gives the id and what
    else AWS computes, as far as that is known: in a preview no more than names.
    """

    urn: str
    type: str
    name: str
    properties: Mapping[str, Value]
    custom: bool = True
    read: bool = False
    parent: str = ""
    provider: str | None = None
    protect: bool = False
    dependencies: Mapping[str, tuple[str, ...]] | None = field(default_factory=dict)
    depends_on: tuple[str, ...] = ()
    ignore_changes: tuple[str, ...] = ()
    secrets: frozenset[str] = frozenset()
    """Properties that hold a secret."""
    made: Mapping[str, Value] = field(default_factory=dict)
    version: str = ""
    """Of the provider's plugin; empty when the program leaves it to the engine."""
    options: frozenset[str] = frozenset()
    """Names of the other options that were given, as Pulumi's ``RegisterResourceRequest`` has
    them: ``importId``, ``retainOnDelete``, ..."""
    words: Words = "program"


@dataclass(frozen=True, slots=True)
class Invoke:
    """A question that the program put to a provider."""

    token: str
    arguments: Mapping[str, Value]
    provider: str | None


@dataclass(frozen=True, slots=True)
class Graph:
    """Everything that a program registered, in the order of its URNs."""

    project: str
    stack: str
    resources: Mapping[str, Resource]
    invokes: tuple[Invoke, ...] = ()
    outputs: Mapping[str, Value] = field(default_factory=dict)
    secret_outputs: frozenset[str] = frozenset()

    def of(self, *types: str) -> list[Resource]:
        """The resources of these types, in the order of their URNs."""
        return [found for found in self.resources.values() if found.type in types]

    def provider_of(self, resource: Resource) -> Resource | None:
        """The provider that makes ``resource``, None when none was given."""
        return None if resource.provider is None else self.resources.get(resource.provider)


@dataclass(frozen=True, slots=True)
class Scope:
    """What a stack may be. ``regions`` has one entry, or for a control plane several."""

    kind: Literal["region", "control-plane"]
    regions: frozenset[str]
    account_id: str


@dataclass(frozen=True, slots=True, order=True)
class Violation:
    """A rule that a resource breaks. ``urn`` is empty when the whole stack is meant."""

    rule: str
    urn: str
    message: str


ResourceRule: TypeAlias = Callable[[Resource, Graph, Scope], Iterable[str]]
"""Yields what is wrong with one resource, in words that name the property."""
StackRule: TypeAlias = Callable[[Graph, Scope], Iterable[tuple[str, str]]]
"""Yields (urn, what is wrong) for what only the whole stack shows."""
