"""What a program writes: no misspelt key, no document that cannot be read, no secret given away."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from infra.rules import allowed_types as types
from infra.rules.documents import DOCUMENTS
from infra.rules.iam import Unreadable, seen, statements
from infra.rules.model import Graph, Resource, Scope, Value
from infra.rules.values import decoded_json, keys, maps

_COMPUTED: Final = frozenset({types.BUCKET, types.ENDPOINT, types.QUEUE, types.SECRET, types.TOPIC})
"""Types to which AWS gives a policy when the program gives none: not known before it is made."""
_SNAKE: Final = re.compile(r"[a-z0-9]+(_[a-z0-9]+)+")
_FREE: Final = re.compile(
    r"(?:^|\.)(?:tags|tagsAll|dimensions|policy|assumeRolePolicy|defaultTags|metadata|parameters?)"
    r"(?:[.\[]|$)"
)
"""Maps whose keys are the program's own words."""


def known_keys(resource: Resource, graph: Graph, scope: Scope) -> Iterator[str]:
    """A key that Pulumi did not turn into its own spelling is a key that it does not know."""
    if not resource.type.startswith(("aws:", "pulumi:providers:")):
        return
    for path, key in keys(resource.properties):
        if _SNAKE.fullmatch(key) and not _FREE.search(path):
            yield f"{path + '.' if path else ''}{key} is no property: it would be ignored"


def document_seen(resource: Resource, graph: Graph, scope: Scope) -> Iterator[str]:
    """Whoever cannot see a policy cannot vouch for it: such a plan is refused."""
    for name in DOCUMENTS.get(resource.type, ()):
        value = resource.properties.get(name)
        given = resource.type not in _COMPUTED or _from_program(resource, name)
        if given and not seen(value):
            yield f"{name} is not known yet, so nobody can tell what it allows"
        elif wrong := _unreadable(value):
            yield f"{name} {wrong}"
    if resource.type == types.ROLE:
        for inline in maps(resource.properties.get("inlinePolicies")):
            if _from_program(resource, "inlinePolicies") and not seen(inline.get("policy")):
                yield "inlinePolicies is not known yet, so nobody can tell what it allows"
            elif wrong := _unreadable(inline.get("policy")):
                yield f"inlinePolicies {wrong}"


def _unreadable(document: Value) -> str:
    """Why nobody can tell what a document says, empty when it can be read."""
    try:
        statements(document)
    except Unreadable as error:
        return str(error)
    return ""


def _from_program(resource: Resource, name: str) -> bool:
    """Whether the program gave the property: then something of the stack went into it."""
    return resource.dependencies is None or bool(resource.dependencies.get(name))


def no_secret_export(graph: Graph, scope: Scope) -> Iterator[tuple[str, str]]:
    """A stack's outputs are read by people and other programs: none is a secret."""
    for name in sorted(graph.secret_outputs):
        yield "", f"output {name} is a secret"


def no_secret_value(resource: Resource, graph: Graph, scope: Scope) -> Iterator[str]:
    """No secret is in a stack's state: stacks make the place, `inland regions supply` fills it."""
    if resource.type == "aws:secretsmanager/secretVersion:SecretVersion":
        yield "its value would be in the state of the stack"
    if resource.type == "aws:ssm/parameter:Parameter":
        yield "its value would be in the state of the stack"
    if resource.type.startswith("pulumi:providers:"):
        return
    for name in sorted(resource.secrets):
        yield f"{name} is a secret, and would be in the state of the stack"


def no_stack_reference(resource: Resource, graph: Graph, scope: Scope) -> Iterator[str]:
    """Stacks do not read one another: what a region knows stays in it."""
    if resource.type == types.STACK_REFERENCE:
        yield f"reads stack {resource.properties.get('name', resource.name)}"


def no_lookup(resource: Resource, graph: Graph, scope: Scope) -> Iterator[str]:
    """Nothing is taken over that the stack did not make: nobody judged it."""
    if resource.read and resource.type != types.STACK_REFERENCE:
        yield "is looked up, not made: its properties are not the program's to say"


def default_tags(resource: Resource, graph: Graph, scope: Scope) -> Iterator[str]:
    """Every resource says whose it is and under which law, by its provider's default tags."""
    if resource.type != types.PROVIDER:
        return
    given: Value = decoded_json(resource.properties.get("defaultTags"))
    tags = given.get("tags") if isinstance(given, dict) else None
    for name in ("inland:stack", "inland:jurisdiction"):
        if not (isinstance(tags, dict) and tags.get(name)):
            yield f"defaultTags has no {name}"
