"""From what CrossGuard hands to a policy to what the rules see.

Properties come as proxies: mappings and sequences that are no ``dict`` and no ``list``, and that
raise when a value is not known yet. Rules want plain values and ``UNKNOWN``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pulumi_policy import (
    PolicyProviderResource,
    PolicyResource,
    PolicyResourceOptions,
    ResourceValidationArgs,
)
from pulumi_policy.proxy import UnknownValueError

from infra.policy.marks import MARK
from infra.rules.allowed_types import PROVIDER, STACK, is_component
from infra.rules.model import UNKNOWN, Graph, Resource, Value
from infra.rules.values import type_of


def plain(value: Any) -> Value:
    """Lists and dicts for proxies, ``UNKNOWN`` for what raises, other values as they are."""
    if isinstance(value, Mapping):
        return {str(key): _at(value, key) for key in value if key != MARK}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_at(value, index) for index in range(len(value))]
    return value


def _at(value: Any, key: Any) -> Value:
    try:
        return plain(value[key])
    except UnknownValueError:
        return UNKNOWN


def alone(args: ResourceValidationArgs) -> tuple[Resource, Graph]:
    """One resource before it is made: its inputs and its provider, and nothing else is known."""
    resource = _resource(
        args.urn, args.resource_type, args.name, args.props, args.opts, args.provider, None
    )
    return resource, _graph([resource, *_provider(args.provider)])


def whole(resources: Iterable[PolicyResource]) -> Graph:
    """The stack as it would be: outputs, and who depends on whom."""
    found: list[Resource] = []
    providers: list[Resource] = []
    outputs: Resource | None = None
    for one in resources:
        dependencies = {
            name: tuple(other.urn for other in others)
            for name, others in one.property_dependencies.items()
        }
        resource = _resource(
            one.urn, one.resource_type, one.name, one.props, one.opts, one.provider, dependencies
        )
        if one.resource_type == STACK:
            outputs = resource
        else:
            found.append(resource)
            providers += _provider(one.provider)
    return _graph([*providers, *found], outputs)  # a provider that was registered is known better


def _resource(
    urn: str,
    type_: str,
    name: str,
    properties: Mapping[str, Any],
    options: PolicyResourceOptions,
    provider: PolicyProviderResource | None,
    dependencies: Mapping[str, tuple[str, ...]] | None,
) -> Resource:
    return Resource(
        urn=urn,
        type=type_,
        name=name,
        properties=plain(properties),
        custom=provider is not None or not is_component(type_),
        parent=options.parent or "",
        provider=None if provider is None else provider.urn,
        protect=options.protect,
        dependencies=dependencies,
        ignore_changes=tuple(options.ignore_changes),
        secrets=frozenset(properties.get(MARK, ())),
        words="inputs" if dependencies is None else "outputs",
    )


def _provider(provider: PolicyProviderResource | None) -> list[Resource]:
    if provider is None:
        return []
    properties = plain(provider.props)
    return [
        Resource(
            provider.urn, PROVIDER, provider.name, properties, dependencies=None, words="inputs"
        )
    ]


def _graph(resources: Sequence[Resource], outputs: Resource | None = None) -> Graph:
    by_urn = {resource.urn: resource for resource in resources}
    stack, project = _names(resources[0].urn if resources else "")
    return Graph(
        project=project,
        stack=stack,
        resources=dict(sorted(by_urn.items())),
        outputs={} if outputs is None else outputs.properties,
        secret_outputs=frozenset() if outputs is None else outputs.secrets,
    )


def _names(urn: str) -> tuple[str, str]:
    parts = urn.removeprefix("urn:pulumi:").split("::")
    return (parts[0], parts[1]) if type_of(urn) else ("", "")
