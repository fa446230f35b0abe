"""What the double has to know of a type of resource."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from tests.infra.rehearsal.cloud import Aws

Values: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Made:
    """What AWS answered: the id, and outputs besides the inputs."""

    id: str
    outputs: Values = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Kept:
    """A resource as the last update left it."""

    id: str
    inputs: Values
    outputs: Values


Create: TypeAlias = Callable[[Aws, Values], Made]
Update: TypeAlias = Callable[[Aws, Kept, Values], Values]
"""Returns the outputs that are new."""
Delete: TypeAlias = Callable[[Aws, Kept], object]


@dataclass(frozen=True, slots=True)
class Kind:
    """``replaces``: properties that AWS cannot change, so that the provider makes anew.

    Without ``update`` the double refuses any other change. ``absent`` says why moto is not asked.
    """

    create: Create
    delete: Delete
    update: Update | None = None
    replaces: frozenset[str] = frozenset()
    tagged: bool = False
    absent: str = ""


def put(
    call: Callable[[Aws, Values], object],
    delete: Delete,
    id_of: Callable[[Values], str],
    replaces: frozenset[str] = frozenset(),
    *,
    tagged: bool = False,
) -> Kind:
    """A type that one and the same call makes and changes."""

    def create(aws: Aws, inputs: Values) -> Made:
        call(aws, inputs)
        return Made(id_of(inputs))

    def update(aws: Aws, kept: Kept, inputs: Values) -> Values:
        call(aws, inputs)
        return {}

    return Kind(create, delete, update, replaces, tagged)


def remembered(why: str, id_of: str, arn: str = "", *, tagged: bool = False) -> Kind:
    """A type that only the double's state knows. ``arn`` is a template of region, account, id."""

    def create(aws: Aws, inputs: Values) -> Made:
        id_ = str(inputs[id_of])
        words = {"region": aws.region, "account": aws.account, "id": id_}
        return Made(id_, {"arn": arn.format(**words)} if arn else {})

    def update(aws: Aws, kept: Kept, inputs: Values) -> Values:
        return {}

    def delete(aws: Aws, kept: Kept) -> None:
        return None

    return Kind(create, delete, update, frozenset({id_of}), tagged, why)


def pascal(value: Any) -> Any:
    """Keys as boto3 spells them: ``kmsKeyId`` is ``KmsKeyId``, at any depth; nothing for None."""
    if isinstance(value, Mapping):
        return {k[0].upper() + k[1:]: pascal(v) for k, v in value.items() if v is not None}
    return [pascal(item) for item in value] if isinstance(value, list) else value


def chosen(inputs: Values, **names: str) -> dict[str, Any]:
    """The inputs that are given, under boto3's names: ``chosen(inputs, Policy="policy")``."""
    return {theirs: inputs[ours] for theirs, ours in names.items() if inputs.get(ours) is not None}


def tag_list(inputs: Values, key: str = "Key", value: str = "Value") -> list[dict[str, str]]:
    """Tags as most services take them."""
    return [{key: k, value: v} for k, v in sorted((inputs.get("tags") or {}).items())]


def yes(text: Any) -> bool:
    """Launch templates and target groups spell booleans as texts."""
    return text is True or text == "true"
