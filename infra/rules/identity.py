"""Whom a property names: a resource of the stack, by what it is called once it is made.

Dependencies alone prove nothing: a program may wait for one resource and name another. So a value
that is known is compared with ids, ARNs and names; only one that is not known yet is believed by
its dependencies, and the gate sees it again as it would be up.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from infra.rules import allowed_types as types
from infra.rules.model import UNKNOWN, Graph, Resource, Value

_ELSE: Final = ("id", "arn", "name")
_CALLED: Final[Mapping[str, tuple[str, ...]]] = {
    types.ALIAS: ("id", "arn", "name"),
    types.BUCKET: ("id", "arn", "bucket"),
    types.CACHE: ("id", "arn", "replicationGroupId"),
    types.KEY: ("id", "arn", "keyId"),
    types.LISTENER: ("id", "arn"),
    types.LOAD_BALANCER: ("id", "arn"),
    types.SECRET: ("id", "arn"),
    types.SECURITY_GROUP: ("id",),
    types.TARGET_GROUP: ("id", "arn"),
    types.TOPIC: ("id", "arn"),
    types.USER: ("id", "arn", "userId"),
    types.USER_GROUP: ("id", "arn", "userGroupId"),
    types.VALIDATION: ("certificateArn",),
}
"""Properties by which others name a resource of the type."""

_IAM: Final = {
    "instance-profile": types.INSTANCE_PROFILE,
    "policy": types.MANAGED_POLICY,
    "role": types.ROLE,
}
_IAM_ARN: Final = re.compile(rf"arn:aws[a-z-]*:iam::[0-9]{{12}}:({'|'.join(_IAM)})/([^/]+)")


def called(resource: Resource, *names: str) -> Iterator[str]:
    """Everything that the resource is called by, as far as that is known."""
    for name in names or _CALLED.get(resource.type, _ELSE):
        for found in (resource.made.get(name), resource.properties.get(name)):
            if isinstance(found, str) and found:
                yield found


def is_(resource: Resource, name: str, value: Value, target: Resource, *called_by: str) -> bool:
    """Whether ``value``, of the property ``name`` of ``resource``, names ``target``."""
    waits = target.urn in (resource.dependencies or {}).get(name.partition(".")[0], ())
    if value is UNKNOWN:
        return waits
    if isinstance(value, str) and any(
        name in called(target, *called_by) for name in _written(value, target)
    ):
        return True
    # An engine may keep the id of what it made from a policy pack.
    hidden = resource.words == "outputs" and not any(called(target, *(called_by or ("id",))))
    return hidden and waits


def _written(value: str, target: Resource) -> Iterator[str]:
    """A text, and the name in an ARN of IAM, which follows from the name (of whose account it is,
    ``foreign-account`` asks)."""
    yield value
    match = _IAM_ARN.fullmatch(value)
    if match is not None and target.type == _IAM[match[1]]:
        yield match[2]


def named(
    graph: Graph, resource: Resource, name: str, value: Value, *wanted: str
) -> Resource | None:
    """The resource of the stack, of a type in ``wanted``, that a value names; None for none."""
    for target in graph.of(*wanted):
        if is_(resource, name, value, target):
            return target
    return None


def at(value: Value, path: str) -> Iterator[Value]:
    """Every value at a dotted path, through lists; what is not known on the way is ``UNKNOWN``."""
    if value is UNKNOWN:
        yield UNKNOWN
    elif isinstance(value, list | tuple):
        for item in value:
            yield from at(item, path)
    elif not path:
        if value not in (None, ""):
            yield value
    elif isinstance(value, Mapping):
        first, _, rest = path.partition(".")
        yield from at(value.get(first), rest)
