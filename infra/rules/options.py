"""What a program asks of the engine beside a resource's properties."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from infra.rules.model import Graph, Resource, Scope

PLUGIN_VERSION: Final = "7.51.1"
"""Of pulumi-aws: the plugin that these rules were written for."""
_HARMLESS: Final = frozenset(
    {
        "additionalSecretOutputs",
        "aliasURNs",
        "aliases",
        "customTimeouts",
        "deleteBeforeReplace",
        "deleteBeforeReplaceDefined",
        "providers",
        "replaceOnChanges",
    }
)
"""Options that change neither what is made, nor by whom, nor what becomes of it."""


def plain_options(resource: Resource, graph: Graph, scope: Scope) -> Iterator[str]:
    """Nothing is taken over unjudged, left behind, or made by another plugin or process."""
    for name in sorted(resource.options - _HARMLESS):
        yield f"option {name} is set"
    if resource.version not in ("", PLUGIN_VERSION):
        yield f"option version is {resource.version}, not {PLUGIN_VERSION}"


def ignored_changes(resource: Resource, graph: Graph, scope: Scope) -> Iterator[str]:
    """What is judged is what is made: no property stays as somebody else has set it."""
    for name in sorted(resource.ignore_changes):
        yield f"ignoreChanges keeps {name} as it is, whatever the program says"
