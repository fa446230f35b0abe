"""Keys: single-region, rotating, the account's own, and on every store of data of the stack."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from infra.rules import allowed_types as types
from infra.rules.iam import Unreadable, seen, statements
from infra.rules.identity import is_
from infra.rules.model import UNKNOWN, Graph, Resource, Scope, Value
from infra.rules.outsiders import outsiders
from infra.rules.values import block, holds, maps, true

SHORTEST_WINDOW: Final = 14
"""Days in which the deletion of a key can be taken back; KMS takes 7 to 30."""
_ENCRYPTION = (
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
)


def key_single_region(resource: Resource, graph: Graph, scope: Scope) -> Iterator[str]:
    """A multi-Region key can be copied to where the law does not reach."""
    if resource.type == types.KEY and resource.properties.get("multiRegion") is not False:
        yield "multiRegion is not set to false"


def key_rotation(resource: Resource, graph: Graph, scope: Scope) -> Iterator[str]:
    """Keys change each year without anybody's help, and are in use."""
    if resource.type != types.KEY:
        return
    if resource.properties.get("enableKeyRotation") is not True:
        yield "enableKeyRotation is not set"
    if resource.properties.get("isEnabled") is False:
        yield "isEnabled is false"


def key_deletion_window(resource: Resource, graph: Graph, scope: Scope) -> Iterator[str]:
    """A deleted key deletes all that it sealed."""
    if resource.type != types.KEY:
        return
    days = resource.properties.get("deletionWindowInDays")
    if not isinstance(days, int | float) or days < SHORTEST_WINDOW:
        yield f"deletionWindowInDays is {days}, less than {SHORTEST_WINDOW}"


def key_policy(resource: Resource, graph: Graph, scope: Scope) -> Iterator[str]:
    """Nobody of another account may use the key, in any way."""
    if resource.type not in (types.KEY, "aws:kms/keyPolicy:KeyPolicy"):
        return
    document = resource.properties.get("policy")
    if document is None:
        yield "policy is not set"
        return
    if not seen(document):
        return
    try:
        found = statements(document)
    except Unreadable as error:
        yield f"policy {error}"
        return
    for who in outsiders(found, scope):
        yield f"policy lets {who} use the key"


@dataclass(frozen=True, slots=True)
class _Store:
    """Where a type keeps the key that seals it: a property, and the values found in it."""

    property: str
    keys: Callable[[Mapping[str, Any]], list[Value]]


def _plain(name: str) -> _Store:
    return _Store(name, lambda properties: [properties.get(name)])


def _volumes(properties: Mapping[str, Any]) -> list[Value]:
    devices = maps(properties.get("blockDeviceMappings"))
    return [block(device.get("ebs")).get("kmsKeyId") for device in devices if device.get("ebs")]


def _bucket_rules(properties: Mapping[str, Any]) -> list[Value]:
    return [
        block(rule.get("applyServerSideEncryptionByDefault")).get("kmsMasterKeyId")
        for rule in maps(properties.get("rules"))
    ] or [None]


STORES: Final[Mapping[str, _Store]] = {
    types.CACHE: _plain("kmsKeyId"),
    types.LOG_GROUP: _plain("kmsKeyId"),
    types.QUEUE: _plain("kmsMasterKeyId"),
    types.SECRET: _plain("kmsKeyId"),
    types.TOPIC: _plain("kmsMasterKeyId"),
    types.VOLUME: _plain("kmsKeyId"),
    types.LAUNCH_TEMPLATE: _Store("blockDeviceMappings", _volumes),
    _ENCRYPTION: _Store("rules", _bucket_rules),
}
_DISABLED: Final = re.compile(r"off( (resetkeys|resetchannels|-@all))*")
_TENANT: Final = re.compile(r"on ~inland:([a-z0-9-]+):\* resetchannels -@all((?: \S+)+)")
_GIVEN = (
    "eval evalsha script|load ping expireat hdel hget hgetall hincrby hmget hset hsetnx llen lpop "
    "lrange rpush zadd zrange zrem zremrangebyscore"
)
_COMMANDS: Final = frozenset(f"+{name}" for name in _GIVEN.split())
"""Commands that touch the keys they are given and no others. No category is here: each has some
(``SCAN``, ``FLUSHALL``, ``RANDOMKEY``) that no key pattern holds back."""
_KEY_ARN = re.compile(r"arn:aws[a-z-]*:kms:([a-z0-9-]+):([0-9]{12}):(?:key|alias)/.+")


def own_key(resource: Resource, graph: Graph, scope: Scope) -> Iterator[str]:
    """A key of this stack seals it. AWS's own keys (``aws/...``) and foreign ones do not do.

    Where the rest of the stack is not known (one resource at a time) an ARN must at least be of the
    stack's account and region, and the whole stack is judged later.
    """
    store = STORES.get(resource.type)
    if store is None:
        return
    for value in store.keys(resource.properties):
        if not holds(value):
            yield f"{store.property} has no key: AWS would seal it with its own"
        elif resource.dependencies is None:
            yield from _at_least_ours(store.property, value, scope)
        elif not _of_stack(resource, store.property, value, graph, scope):
            yield f"{store.property} is not a key of this stack"


def _at_least_ours(name: str, value: Value, scope: Scope) -> Iterator[str]:
    if value is UNKNOWN:
        return
    match = _KEY_ARN.fullmatch(str(value))
    if match is not None and (match[1] not in scope.regions or match[2] != scope.account_id):
        yield f"{name} is a key of another place: {value}"
    if match is None and "aws/" in str(value):
        yield f"{name} is a key that AWS keeps: {value}"


def _of_stack(resource: Resource, name: str, value: Value, graph: Graph, scope: Scope) -> bool:
    """Whether a value is the ARN or the id of a key of the graph, or an alias of one."""
    text, alias = str(value), str(value).partition(":alias/")[2]
    if alias and _KEY_ARN.fullmatch(text) and not [*_at_least_ours(name, value, scope)]:
        text = f"alias/{alias}"
    return any(
        text == target.properties.get("name") or is_(resource, name, value, target)
        for target in graph.of(types.KEY, types.ALIAS)
    )


def encrypted_volume(resource: Resource, graph: Graph, scope: Scope) -> Iterator[str]:
    """Every disk is sealed: what a node swaps or logs is a caller's too."""
    if resource.type == types.VOLUME and not true(resource.properties.get("encrypted")):
        yield "encrypted is not set"
    if resource.type != types.LAUNCH_TEMPLATE:
        return
    devices = maps(resource.properties.get("blockDeviceMappings"))
    if not devices:
        yield "blockDeviceMappings is not set: the image's own disk would be used as it is"
    for index, device in enumerate(devices):
        ebs = block(device.get("ebs"))
        if ebs and not true(ebs.get("encrypted")):
            yield f"blockDeviceMappings[{index}].ebs.encrypted is not set"


def cache_sealed(resource: Resource, graph: Graph, scope: Scope) -> Iterator[str]:
    """The session store takes TLS only, and is sealed at rest."""
    if resource.type != types.CACHE:
        return
    for name in ("transitEncryptionEnabled", "atRestEncryptionEnabled"):
        if not true(resource.properties.get(name)):
            yield f"{name} is not set"
    if resource.properties.get("transitEncryptionMode") == "preferred":
        yield "transitEncryptionMode lets clients in without TLS"


def cache_login(resource: Resource, graph: Graph, scope: Scope) -> Iterator[str]:
    """Whoever reaches the session store says who it is."""
    if resource.type == types.CACHE and not (
        holds(resource.properties.get("userGroupIds"))
        or holds(resource.properties.get("authToken"))
    ):
        yield "neither userGroupIds nor authToken is set"
    if resource.type != types.USER:
        return
    if true(resource.properties.get("noPasswordRequired")):
        yield "noPasswordRequired is set"
    for kind in maps(resource.properties.get("authenticationMode")):
        if kind.get("type") != "iam":
            yield f"authenticationMode is {kind.get('type')}, not iam"
    access = str(resource.properties.get("accessString"))
    if _DISABLED.fullmatch(access):
        return
    match = _TENANT.fullmatch(access)
    if match is None:
        yield "accessString is not that of one tenant's keys, by commands that are named"
        return
    for command in sorted(set(match[2].split()) - _COMMANDS):
        yield f"accessString gives {command}"
    if resource.properties.get("userId") != f"inland-{match[1]}":
        yield f"accessString reaches the keys of {match[1]}, who is another user"
