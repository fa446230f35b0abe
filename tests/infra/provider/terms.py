"""From Pulumi's terms to Terraform's: names of types and properties, and the shapes of values.

Pulumi's bridge turns ``snake_case`` into ``camelCase``, gives lists a plural, and takes a list of
at most one item for the item. What the schema has no place for is an error, so that nothing that a
program says is passed over.
"""

from __future__ import annotations

import json
import re
from collections.abc import Container, Mapping
from typing import Any, Final, TypeAlias

from infra.rules.model import UNKNOWN, Value
from tests.infra.provider.protocol import SEVERAL

Properties: TypeAlias = Mapping[str, Value]

RENAMED_TYPES: Final = {"aws:lb/loadBalancer:LoadBalancer": "aws_lb"}
RENAMED: Final = {
    "aws_cloudwatch_metric_alarm.alarm_name": "name",
    "aws_sns_topic_subscription.topic_arn": "topic",
}
"""What the bridge calls otherwise than its rules would."""
NEWER: Final = frozenset({"aws_acm_certificate.options.export"})
"""What version 6 of the provider has and version 5 has not."""


class NotInSchema(Exception):
    """A type or a property that the provider does not know."""


def type_of(token: str, known: Container[str]) -> str:
    """``aws:ec2/vpcEndpoint:VpcEndpoint`` is ``aws_vpc_endpoint``. Raises NotInSchema."""
    module, name = re.fullmatch(r"aws:(\w+)/(\w+):\w+", token).groups()  # type: ignore[union-attr]
    plain, whole = f"aws_{_snake(name)}", f"aws_{module}_{_snake(name)}"
    order = (plain, whole) if module == "ec2" else (whole, plain)
    for candidate in (RENAMED_TYPES.get(token), *order):
        if candidate is not None and candidate in known:
            return candidate
    raise NotInSchema(token)


def block(schema: Any, properties: Properties, at: str) -> dict[str, Value]:
    """The value of a block of the schema, whole: what is not given is null, or an empty list.

    ``at`` is the type, then a dot and the names of the blocks. Raises NotInSchema.
    """
    rest = dict(properties)
    made: dict[str, Value] = {}
    for attribute in schema.attributes:
        kind = json.loads(attribute.type)
        here = f"{at}.{attribute.name}"
        made[attribute.name] = _typed(_taken(rest, here), kind, here)
    for nested in schema.nested:
        here = f"{at}.{nested.name}"
        given = _taken(rest, here)
        if nested.nesting in SEVERAL:
            made[nested.name] = [block(nested.block, one, here) for one in _listed(given)]
        else:
            made[nested.name] = None if given is None else block(nested.block, given, here)
    _nothing_left(rest, at)
    return made


def _typed(value: Value, kind: Any, at: str) -> Value:
    """A value as a type of the schema wants it: ``"string"``, ``["set", TYPE]``, ..."""
    if value is None or value is UNKNOWN:
        return value
    match kind:
        case "string":
            return value if isinstance(value, str) else json.dumps(value)
        case "number" | "bool":
            return json.loads(value) if isinstance(value, str) else value
        case ["list" | "set", inner]:
            return [_typed(one, inner, at) for one in _listed(value)]
        case ["map", inner]:
            return {key: _typed(item, inner, at) for key, item in value.items()}
        case ["object", fields]:
            rest = dict(value)
            made = {
                name: _typed(_taken(rest, f"{at}.{name}"), inner, f"{at}.{name}")
                for name, inner in fields.items()
            }
            _nothing_left(rest, at)
            return made
        case _:
            raise NotInSchema(f"{at}: a value of type {kind}")


def _listed(value: Value) -> list[Value]:
    """The items of a list, of which the bridge may have made its only item."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _taken(rest: dict[str, Value], at: str) -> Value:
    """Take the property out of ``rest`` under the name that the bridge gave it, if it is there."""
    name = _camel(at.rpartition(".")[2])
    for candidate in (RENAMED.get(at, name), _plural(name)):
        if candidate in rest:
            return rest.pop(candidate)
    return None


def _nothing_left(rest: Properties, at: str) -> None:
    left = [f"{at}.{_snake(key)}" for key, value in rest.items() if value is not None]
    unknown = sorted(set(left) - NEWER)
    if unknown:
        raise NotInSchema(", ".join(unknown))


def _snake(name: str) -> str:
    return re.sub(r"[A-Z]", lambda letter: f"_{letter[0].lower()}", name)


def _camel(name: str) -> str:
    return re.sub(r"_(\w)", lambda letter: letter[1].upper(), name)


def _plural(name: str) -> str:
    if re.search(r"[^aeiou]y$", name):
        return f"{name[:-1]}ies"
    return f"{name}es" if re.search(r"(s|x|ch|sh)$", name) else f"{name}s"
