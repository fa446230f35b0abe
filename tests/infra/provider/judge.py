"""``Judge``: a provider of Terraform as a process, and what it says of a graph."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import grpc

from infra.rules.model import Graph, Resource, Value
from tests.infra.provider import terms
from tests.infra.provider.protocol import ERROR, MESSAGES, dynamic

COOKIE: Final = "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2"
"""By which a plugin of Terraform knows that it was not started by hand. No secret: the same for
all of them."""
LOGGERS: Final = ("PROVIDER", "SDK", "SDK_PROTO", "SDK_MUX", "SDK_HELPER_SCHEMA", "SDK_FRAMEWORK")
SECONDS: Final = 120
"""For one answer. A provider that asks AWS never gets one, and is found out by this."""
NO_CREDENTIALS: Final = {
    "accessKey": "AKIAIOSFODNN7EXAMPLE",
    "secretKey": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "maxRetries": 1,
    "skipCredentialsValidation": True,
    "skipMetadataApiCheck": True,
    "skipRegionValidation": True,
    "skipRequestingAccountId": True,
}
"""AWS's documentation keys, and to believe that they are somebody's."""


@dataclass(frozen=True, slots=True, order=True)
class Opinion:
    """What the provider has to say of a resource. ``at`` is the property in Terraform's words."""

    urn: str
    at: str
    words: str
    refused: bool
    """Else a warning."""


class Judge:
    """One provider process; it judges one graph at a time."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._channel = channel
        schemas = self._ask("GetSchema", MESSAGES["Empty"](), "Schemas")
        self._provider = schemas.provider.block
        self._types = {found.key: found.value.block for found in schemas.resources}

    def opinions(self, graph: Graph) -> list[Opinion]:
        """All errors and warnings, in the order of the URNs."""
        found: list[Opinion] = []
        for provider in graph.of("pulumi:providers:aws"):
            found += self._provided(provider)
            own = [one for one in graph.resources.values() if one.provider == provider.urn]
            with ThreadPoolExecutor(2) as threads:
                found += [said for each in threads.map(self._resource, own) for said in each]
        return sorted(found)

    def _provided(self, provider: Resource) -> list[Opinion]:
        """Of the provider as the program has it; then it is set up so, as far as nobody is asked.

        Whether the credentials are those of an allowed account, only AWS can tell.
        """
        asked = {key: _value(text) for key, text in provider.properties.items()}
        whole = terms.block(self._provider, asked, "aws")
        prepared = self._ask(
            "PrepareProviderConfig", MESSAGES["Prepare"](config=dynamic(whole)), "Prepared"
        )
        ours = {key: asked[key] for key in asked if key != "allowedAccountIds"} | NO_CREDENTIALS
        request = MESSAGES["Configure"](
            terraform_version="1.9.0", config=dynamic(terms.block(self._provider, ours, "aws"))
        )
        configured = self._ask("Configure", request, "Judged")
        return list(_said(provider, [*prepared.diagnostics, *configured.diagnostics]))

    def _resource(self, resource: Resource) -> list[Opinion]:
        """Of the resource as it is written, and of making it where nothing is."""
        try:
            name = terms.type_of(resource.type, self._types)
            config = dynamic(terms.block(self._types[name], resource.properties, name))
        except terms.NotInSchema as error:
            return [Opinion(resource.urn, "", f"not in the schema: {error}", True)]
        validate = MESSAGES["Validate"](type_name=name, config=config)
        written = self._ask("ValidateResourceTypeConfig", validate, "Judged").diagnostics
        plan = MESSAGES["Plan"](
            type_name=name,
            prior_state=dynamic(None),
            proposed_state=config,
            config=config,
            provider_meta=dynamic(None),
        )
        planned = self._ask("PlanResourceChange", plan, "Planned").diagnostics
        return list(_said(resource, [*written, *planned]))

    def _ask(self, method: str, request: Any, answer: str) -> Any:
        call = self._channel.unary_unary(
            f"/tfplugin5.Provider/{method}",
            request_serializer=type(request).SerializeToString,
            response_deserializer=MESSAGES[answer].FromString,
        )
        return call(request, timeout=SECONDS)


def _said(resource: Resource, diagnostics: Iterable[Any]) -> Iterator[Opinion]:
    for one in diagnostics:
        at = ".".join(str(step.attribute or step.key or step.index) for step in one.path.steps)
        words = f"{one.summary}: {one.detail}" if one.detail else one.summary
        yield Opinion(resource.urn, at, words, one.severity == ERROR)


def _value(text: str) -> Value:
    """A property of a provider, which Pulumi sends as JSON unless it is a text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


@contextmanager
def judge(binary: Path, folder: Path, endpoint: str) -> Iterator[Judge]:
    """Start the provider with ``folder`` as its home; all that it asks AWS goes to ``endpoint``."""
    process = subprocess.Popen(
        [binary],
        env=_environment(folder, endpoint),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with process:
        try:
            assert process.stdout is not None
            greeting = process.stdout.readline().strip().split("|")
            assert greeting[1:3] == ["5", "unix"], f"no provider of protocol 5: {greeting}"
            unlimited = [("grpc.max_receive_message_length", -1)]
            with grpc.insecure_channel(f"unix:{greeting[3]}", options=unlimited) as channel:
                yield Judge(channel)
        finally:
            process.terminate()


def _environment(folder: Path, endpoint: str) -> Mapping[str, str]:
    """Nothing of ours; no way out but ``endpoint``; no log."""
    return {
        "TF_PLUGIN_MAGIC_COOKIE": COOKIE,
        "PLUGIN_PROTOCOL_VERSIONS": "5",
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": endpoint,
        "HTTP_PROXY": endpoint,
        "HTTPS_PROXY": endpoint,
        **{f"TF_LOG_{logger}": "OFF" for logger in LOGGERS},
    }
