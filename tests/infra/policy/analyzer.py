"""Runs the real policy pack as the Pulumi CLI does, and asks it what the engine would ask.

`python -m pulumi.policy ENGINE PACK` prints a port; behind it is an Analyzer. The engine sends each
resource that the program registers, then the outputs of all; nothing that is read, no invoke
(``infra.policy.not_shown``).
"""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import empty_pb2, struct_pb2
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc
from pulumi_policy.deserialize import SPECIAL_SECRET_SIG, SPECIAL_SIG_KEY
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE

import infra.policy
from infra.rules.allowed_types import PROVIDER, STACK
from infra.rules.model import UNKNOWN, Graph, Resource, Scope

FOLDER = Path(infra.policy.__file__).parent
POLICIES = ("residency-resource", "residency-stack")
START_SECONDS = 60
DEFAULT_PROVIDER = "default_7_51_1"
"""How the engine calls the provider that it makes for a resource without one."""


def wire(value: Any) -> Any:
    """A value as the engine marshals it: unknowns are a marked text."""
    if value is UNKNOWN:
        return UNKNOWN_STRING_VALUE
    if isinstance(value, Mapping):
        return {key: wire(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [wire(item) for item in value]
    return value


def struct(properties: Mapping[str, Any], secrets: frozenset[str]) -> struct_pb2.Struct:
    """Properties, with secrets in the engine's wrapping."""
    found = struct_pb2.Struct()
    found.update(
        {
            key: {SPECIAL_SIG_KEY: SPECIAL_SECRET_SIG, "value": wire(value)}
            if key in secrets
            else wire(value)
            for key, value in properties.items()
        }
    )
    return found


class Pack:
    """The pack's process, told what one stack may be."""

    def __init__(self, stub: analyzer_pb2_grpc.AnalyzerStub) -> None:
        self._stub = stub

    def info(self) -> analyzer_pb2.AnalyzerInfo:
        found: analyzer_pb2.AnalyzerInfo = self._stub.GetAnalyzerInfo(empty_pb2.Empty())
        return found

    def configure(self, scope: Scope | None) -> None:
        """Tell each policy the scope; with None it must find out by the stack's own settings."""
        properties = struct_pb2.Struct()
        if scope is not None:
            properties.update(
                {
                    "kind": scope.kind,
                    "regions": sorted(scope.regions),
                    "accountId": scope.account_id,
                }
            )
        config = analyzer_pb2.PolicyConfig(
            enforcementLevel=analyzer_pb2.MANDATORY, properties=properties
        )
        self._stub.Configure(
            analyzer_pb2.ConfigureAnalyzerRequest(policyConfig=dict.fromkeys(POLICIES, config))
        )

    def resource_rules(self, graph: Graph) -> set[tuple[str, str]]:
        """(rule, URN) of what is said while resources are registered, one by one."""
        found = set()
        for resource in graph.resources.values():
            if resource.read:
                continue
            answer = self._stub.Analyze(
                analyzer_pb2.AnalyzeRequest(
                    type=resource.type,
                    properties=struct(resource.properties, resource.secrets),
                    urn=resource.urn,
                    name=resource.name,
                    options=_options(resource),
                    provider=_provider(graph, resource),
                )
            )
            found |= {(_rule(said), resource.urn) for said in answer.diagnostics}
        return found

    def stack_rules(self, graph: Graph) -> set[tuple[str, str]]:
        """(rule, URN) of what is said of the whole, after the last step."""
        resources = [
            analyzer_pb2.AnalyzerResource(
                type=resource.type,
                properties=struct(_outputs(resource), resource.secrets),
                urn=resource.urn,
                name=resource.name,
                options=_options(resource),
                provider=_provider(graph, resource),
                parent=resource.parent,
                dependencies=resource.depends_on,
                propertyDependencies={
                    name: analyzer_pb2.AnalyzerPropertyDependencies(urns=urns)
                    for name, urns in (resource.dependencies or {}).items()
                    if urns
                },
            )
            for resource in graph.resources.values()
            if not resource.read
        ]
        name = f"{graph.project}-{graph.stack}"
        resources.append(
            analyzer_pb2.AnalyzerResource(
                type=STACK,
                properties=struct(graph.outputs, graph.secret_outputs),
                urn=f"urn:pulumi:{graph.stack}::{graph.project}::{STACK}::{name}",
                name=name,
                options=analyzer_pb2.AnalyzerResourceOptions(),
            )
        )
        answer = self._stub.AnalyzeStack(analyzer_pb2.AnalyzeStackRequest(resources=resources))
        return {(_rule(said), said.urn) for said in answer.diagnostics}

    def judge(self, graph: Graph) -> set[str]:
        """The rules that either policy names."""
        return {rule for rule, _ in self.resource_rules(graph) | self.stack_rules(graph)}


def _rule(said: analyzer_pb2.AnalyzeDiagnostic) -> str:
    """A message is the policy's description, and below it the rule's id, a colon, and the words."""
    assert said.enforcementLevel == analyzer_pb2.MANDATORY, said.message
    return said.message.split("\n", 1)[1].split(":", 1)[0]


def _outputs(resource: Resource) -> Mapping[str, Any]:
    """What a provider answers: the inputs, and what the resource is called from now on. Of a
    provider itself the engine knows the inputs alone."""
    if resource.type == PROVIDER:
        return resource.properties
    names = ("id", "arn", "keyId", "dnsName", "zoneId")
    return {
        **resource.properties,
        **{name: resource.made[name] for name in names if name in resource.made},
    }


def _options(resource: Resource) -> analyzer_pb2.AnalyzerResourceOptions:
    return analyzer_pb2.AnalyzerResourceOptions(
        protect=resource.protect,
        parent=resource.parent,
        ignoreChanges=resource.ignore_changes,
    )


def _provider(graph: Graph, resource: Resource) -> analyzer_pb2.AnalyzerProviderResource | None:
    if not resource.custom or resource.type.startswith("pulumi:"):
        return None
    provider = graph.provider_of(resource)
    if provider is None:
        urn = f"urn:pulumi:{graph.stack}::{graph.project}::{PROVIDER}::{DEFAULT_PROVIDER}"
        return analyzer_pb2.AnalyzerProviderResource(
            type=PROVIDER, properties=struct_pb2.Struct(), urn=urn, name=DEFAULT_PROVIDER
        )
    return analyzer_pb2.AnalyzerProviderResource(
        type=provider.type,
        properties=struct(provider.properties, frozenset()),
        urn=provider.urn,
        name=provider.name,
    )


@contextmanager
def running_pack(
    project: str = "inland-region",
    stack: str = "eu-central-1",
    config: Mapping[str, str] | None = None,
) -> Iterator[Pack]:
    """The pack's process for one stack, ended when the block ends."""
    environment = os.environ | {
        "PULUMI_PROJECT": project,
        "PULUMI_STACK": stack,
        "PULUMI_DRY_RUN": "true",
        "PULUMI_CONFIG": json.dumps(dict(config or {})),
    }
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "pulumi.policy", "127.0.0.1:1", "."],
        cwd=FOLDER,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        with grpc.insecure_channel(f"127.0.0.1:{_port(process)}") as channel:
            yield Pack(analyzer_pb2_grpc.AnalyzerStub(channel))
    finally:
        process.kill()
        process.communicate()


def _port(process: subprocess.Popen[str]) -> int:
    assert process.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        if not selector.select(START_SECONDS):
            raise TimeoutError("the policy pack did not start")
    return int(process.stdout.readline())
