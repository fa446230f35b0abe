"""Whether the services that agents name are those of the provider catalogue."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from edge.dialog.agent import AgentSpec
from edge.dialog.endpoints import Use, uses_of
from edge.outbound import HERE
from regions.models import Catalogue
from regions.providers import Providers, address_fault, unknown_regions


def provider_problems(
    agents: Iterable[AgentSpec],
    providers: Providers,
    catalogue: Catalogue,
    here: str,
    environ: Mapping[str, str],
) -> tuple[str, ...]:
    """A sentence for each service that a node in the region ``here`` may not start with.

    Keys are looked for in ``environ``, and nothing of them is repeated. Raises ``ConfigError`` for
    a tool or a model that is not complete.
    """
    problems = list(unknown_regions(providers, catalogue))
    for spec in agents:
        for use in uses_of(spec, environ):
            wrong = _wrong(use, providers, here, environ)
            problems += [f"agent {spec.id!r}: {use.what}: {each}" for each in wrong]
    return tuple(problems)


def _wrong(use: Use, providers: Providers, here: str, environ: Mapping[str, str]) -> Iterator[str]:
    endpoint = use.endpoint
    fault = address_fault(endpoint.url)
    if fault is not None:
        yield fault
        return
    region = here if endpoint.region == HERE else endpoint.region
    for data_class in sorted(endpoint.data_classes):
        fault = providers.fault(
            endpoint.url, region=region, here=here, purpose=endpoint.purpose, data_class=data_class
        )
        if fault is not None:
            yield f"{fault}: mend the agent, or the file that 'providers' names"
    provider = providers.of(endpoint.url)
    keyless = endpoint.purpose == "model" and use.key_env is None
    if keyless and provider is not None and provider.needs_key:
        yield f"{provider.id} answers only those who show a key: name the variable it is in"
    if use.key_env is not None and not environ.get(use.key_env):
        yield f"{use.key_env} is not set: it should hold the key"
