"""The properties that a resource may have: those that somebody has thought about.

The list is of paths, without the indexes of lists. Where a path ends in a map of the program's own
words (tags, dimensions, a policy document) its keys are not looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from infra.rules import allowed_types as types
from infra.rules.known_properties import KNOWN, OWN_WORDS
from infra.rules.model import UNKNOWN, Graph, Resource, Scope, Value
from infra.rules.values import holds

_SIDE_DOORS: Final[Mapping[str, Mapping[str, str]]] = {
    types.BUCKET: {
        "grants": "gives it to others",
        "loggings": "lists who reads it in another bucket",
        "policy": "is a second policy, beside that of BucketPolicy",
    },
    types.CACHE: {"logDeliveryConfigurations": "sends its log elsewhere"},
    types.GROUP: {
        "launchConfiguration": "makes machines that nobody judged",
        "mixedInstancesPolicy": "makes machines that nobody judged",
    },
    types.KEY: {
        "customKeyStoreId": "keeps the key in a store of somebody's own",
        "xksKeyId": "keeps the key outside AWS",
    },
    types.LAUNCH_TEMPLATE: {
        "instanceMarketOptions": "lets machines end in the middle of a call",
        "kernelId": "starts machines with something else",
        "keyName": "lets somebody log in",
        "ramDiskId": "starts machines with something else",
    },
}
"""Properties that lead round another rule, and how."""


def no_side_door(resource: Resource, graph: Graph, scope: Scope) -> Iterator[str]:
    """Nothing is set that leads round another rule."""
    if resource.words == "outputs":
        return  # AWS tells such properties of everything; what was asked for was judged before
    for name, why in _SIDE_DOORS.get(resource.type, {}).items():
        if holds(resource.properties.get(name)):
            yield f"{name} {why}"


def known_properties(resource: Resource, graph: Graph, scope: Scope) -> Iterator[str]:
    """A resource has no property that is not on the list of its type."""
    if resource.words != "program" or resource.type not in KNOWN:
        return
    for path in sorted(set(_paths(resource.properties)) - KNOWN[resource.type]):
        yield f"{path} is not on the list of {resource.type}"


def _paths(value: Any, path: str = "") -> Iterator[str]:
    if isinstance(value, Mapping) and path.rpartition(".")[2] not in OWN_WORDS:
        for key, item in value.items():
            yield from _paths(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _paths(item, path)
    elif _said(value):
        yield path


def _said(value: Value) -> bool:
    return value is UNKNOWN or value not in (None, "", False)
