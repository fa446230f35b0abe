"""Where resources are made, and what they name: provider, account, region, type, texts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from infra.rules.allowed_types import ALLOWED, PROVIDER, is_component
from infra.rules.documents import DOCUMENTS
from infra.rules.iam import Unreadable, seen, statements
from infra.rules.model import UNKNOWN, Graph, Invoke, Resource, Scope, Value
from infra.rules.names import foreign, without_neighbours
from infra.rules.options import PLUGIN_VERSION
from infra.rules.values import decoded_json, entries, holds, maps, opened, strings

_ACCOUNT = re.compile(r"arn:aws[a-z-]*:[a-z0-9-]*:[a-z0-9-]*:([0-9]{12}):")
_PROFILE = re.compile(
    r"inference-profile/|(?:^|[/:\"'\s])(?:us|us-gov|eu|apac|jp|au|ca|global)\."
    r"(?:ai21|amazon|anthropic|cohere|deepseek|meta|mistral|openai|qwen|stability|twelvelabs|writer)\."
)
"""Ids and ARNs by which Amazon Bedrock answers from any region of a group.

Source: "Supported Regions and models for inference profiles", Amazon Bedrock user guide,
2026-11-21.
"""
_NUMBER = re.compile(r"(?<![0-9])[0-9]{12}(?![0-9])")
_ACCOUNT_FIELD = re.compile(r"arn:[^:\s]*:[^:\s]*:[^:\s]*:([^:\s]*):")
_OF_A_PROVIDER: Final = frozenset(
    {
        "allowedAccountIds",
        "assumeRole",
        "assumeRoles",
        "defaultTags",
        "maxRetries",
        "region",
        "retryMode",
        "skipRegionValidation",
        "version",
    }
)
"""What a provider may be told. Addresses, proxies, certificates, files of credentials and checks
that are skipped are not here."""


def explicit_provider(resource: Resource, graph: Graph, scope: Scope) -> Iterator[str]:
    """A default provider takes its region from whoever runs the command."""
    if resource.type.startswith("pulumi:") or not resource.custom:
        return
    provider = graph.provider_of(resource)
    if provider is None or provider.name.startswith("default"):
        yield "is made by the default provider, whose region is not the stack's to say"


def account_pin(resource: Resource, graph: Graph, scope: Scope) -> Iterator[str]:
    """Credentials of another account must not do."""
    if resource.type != PROVIDER:
        return
    accounts = [str(account) for account in entries(_of(resource, "allowedAccountIds"))]
    if accounts != [scope.account_id]:
        yield f"allowedAccountIds is {accounts or 'not set'}, not {scope.account_id} alone"
    for role in maps(_of(resource, "assumeRoles")) + maps(_of(resource, "assumeRole")):
        if f"::{scope.account_id}:" not in str(role.get("roleArn")):
            yield "assumeRoles takes a role of another account"


def provider_region(resource: Resource, graph: Graph, scope: Scope) -> Iterator[str]:
    """The provider's own region, straight to its endpoints, by the plugin that was judged."""
    if resource.type != PROVIDER:
        return
    region = _of(resource, "region")
    if region not in scope.regions:
        yield f"region is {region or 'not set'}, outside {_regions(scope)}"
    version = _of(resource, "version")
    if holds(version) and version != PLUGIN_VERSION:
        yield f"version is {version}, not {PLUGIN_VERSION}"
    for name in sorted(set(resource.properties) - _OF_A_PROVIDER):
        if holds(_of(resource, name)) and _of(resource, name) not in ("regional", "false"):
            yield f"{name} is set: requests could go elsewhere, or unchecked"


def effective_region(resource: Resource, graph: Graph, scope: Scope) -> Iterator[str]:
    """Since pulumi-aws 7 a resource's own ``region`` beats its provider's."""
    if not resource.type.startswith("aws:"):
        return
    provider = graph.provider_of(resource)
    inherited = None if provider is None else _of(provider, "region")
    own = resource.properties.get("region")
    region = inherited if own is None else own
    if region not in scope.regions:
        yield f"is made in {region or 'no region that is known'}, outside {_regions(scope)}"


def invoke_region(graph: Graph, scope: Scope) -> Iterator[tuple[str, str]]:
    """A question is put to a region too, and its answer comes from there."""
    for invoke in graph.invokes:
        provider = graph.resources.get(invoke.provider or "")
        yield from (("", f"{invoke.token} {wrong}") for wrong in _invoke(invoke, provider, scope))


def _invoke(invoke: Invoke, provider: Resource | None, scope: Scope) -> Iterator[str]:
    if provider is None or provider.name.startswith("default"):
        yield "is asked of the default provider"
    elif _of(provider, "region") not in scope.regions:
        yield f"is asked of {_of(provider, 'region')}, outside {_regions(scope)}"
    region = invoke.arguments.get("region")
    if region is not None and region not in scope.regions:
        yield f"is asked of region {region}, outside {_regions(scope)}"


def type_allowed(resource: Resource, graph: Graph, scope: Scope) -> Iterator[str]:
    """Only types that somebody has thought about."""
    if resource.type == "pulumi:pulumi:StackReference":
        return  # it has a rule of its own
    if is_component(resource.type):
        if resource.custom:
            yield f"{resource.type} is the name of a component, and this is none"
    elif resource.type not in ALLOWED[scope.kind] or not resource.custom:
        yield f"{resource.type} is not on the list of a {scope.kind} stack"


def foreign_region_name(resource: Resource, graph: Graph, scope: Scope) -> Iterator[str]:
    """No text says another region, also inside policy documents, ARNs and user data."""
    for path, text in strings(resource.properties):
        in_user_data = path.rpartition(".")[2].startswith("userData")
        found: set[str] = set()
        for layer in opened(text):
            found.update(
                foreign(without_neighbours(layer) if in_user_data else layer, scope.regions)
            )
        for name in sorted(found):
            yield f"{path} names {name}"


def foreign_account(resource: Resource, graph: Graph, scope: Scope) -> Iterator[str]:
    """No ARN of another account, and in a policy not even its number, nor any account at all."""
    for path, text in strings(resource.properties):
        found = {account for layer in opened(text) for account in _ACCOUNT.findall(layer)}
        for account in sorted(found - {scope.account_id}):
            yield f"{path} names account {account}"
    for name in DOCUMENTS.get(resource.type, ()):
        for account in sorted(_accounts(resource.properties.get(name)) - {scope.account_id}):
            yield f"{name} names account {account}"


def _accounts(document: Value) -> set[str]:
    """The numbers of accounts in a policy, and what else stands where ARNs name an account."""
    found: set[str] = set()
    try:
        said = statements(document) if seen(document) else []
    except Unreadable:
        return found
    for _, text in strings(said):
        found.update(_NUMBER.findall(text), _ACCOUNT_FIELD.findall(text))
    return found - {"", "aws"}


def cross_region_inference(resource: Resource, graph: Graph, scope: Scope) -> Iterator[str]:
    """A model behind an inference profile answers from any region of its group."""
    for path, text in strings(resource.properties):
        if any(_PROFILE.search(layer) for layer in opened(text)):
            yield f"{path} names an inference profile, which may answer from another region"


def foreign_output(graph: Graph, scope: Scope) -> Iterator[tuple[str, str]]:
    """What the stack tells others names its own regions only.

    But for a policy that only denies, such as that of the account, which lists every region that
    the account is for: it takes rights away and gives none.
    """
    for path, text in strings(graph.outputs):
        for name in [] if _only_denies(text) else foreign(text, scope.regions):
            yield "", f"output {path} names {name}"


def _only_denies(text: str) -> bool:
    if not text.startswith("{"):
        return False
    try:
        return all(statement.get("Effect") == "Deny" for statement in statements(text))
    except Unreadable:
        return False


def _of(provider: Resource, name: str) -> object:
    value = decoded_json(provider.properties.get(name))
    return None if value is UNKNOWN else value


def _regions(scope: Scope) -> str:
    return ", ".join(sorted(scope.regions))
