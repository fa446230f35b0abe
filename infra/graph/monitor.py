"""The engine's side of a program, in memory: it writes down what is asked and answers plausibly.

The methods are those of Pulumi's ``ResourceMonitor`` and ``Engine`` services that its Python SDK
calls (``proto/pulumi/resource.proto`` and ``engine.proto``, version 3.272).
"""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from typing import Final

from google.protobuf import empty_pb2, struct_pb2
from google.protobuf.message import Message
from pulumi import RunError
from pulumi.runtime.proto import engine_pb2, resource_pb2

from infra.graph import wire
from infra.graph.computed import Place, made, named
from infra.graph.invokes import answer
from infra.rules.model import Graph, Invoke, Resource, Value

STACK_TYPE: Final = "pulumi:pulumi:Stack"
FEATURES: Final = (
    resource_pb2.RESOURCE_MONITOR_FEATURE_SECRETS,
    resource_pb2.RESOURCE_MONITOR_FEATURE_RESOURCE_REFERENCES,
    resource_pb2.RESOURCE_MONITOR_FEATURE_ALIAS_SPECS,
    resource_pb2.RESOURCE_MONITOR_FEATURE_DELETED_WITH,
    resource_pb2.RESOURCE_MONITOR_FEATURE_REPLACE_WITH,
    resource_pb2.RESOURCE_MONITOR_FEATURE_REPLACEMENT_TRIGGER,
)
"""Transforms and hooks are left out: the SDK refuses them in words."""

_RECORDED: Final = frozenset(
    {
        "acceptResources",
        "acceptSecrets",
        "accepts_byte_string",
        "aliasSpecs",
        "custom",
        "dependencies",
        "ignoreChanges",
        "name",
        "object",
        "parent",
        "parentStackTraceHandle",
        "propertyDependencies",
        "protect",
        "provider",
        "sourcePosition",
        "stackTrace",
        "supportsPartialValues",
        "supportsResultReporting",
        "type",
        "version",
    }
)
"""Fields of a registration that are recorded by themselves, or only say what the SDK can do."""


def urn_of(project: str, stack: str, parent: str, type_: str, name: str) -> str:
    """A URN as the engine makes it: the parent's types stand before the resource's own."""
    parent_type = parent.split("::")[2] if parent else STACK_TYPE
    qualified = type_ if parent_type == STACK_TYPE else f"{parent_type}${type_}"
    return f"urn:pulumi:{stack}::{project}::{qualified}::{name}"


def resource_of(urn: str, request: resource_pb2.RegisterResourceRequest) -> Resource:
    """What the rules see of a registration. The stack is nobody's parent in a graph."""
    return Resource(
        urn=urn,
        type=request.type,
        name=request.name,
        properties=wire.read(request.object),
        custom=request.custom,
        parent=_parent(request.parent),
        provider=_provider(request.provider),
        protect=request.protect,
        dependencies={
            key: tuple(sorted(found.urns))
            for key, found in sorted(request.propertyDependencies.items())
        },
        depends_on=tuple(sorted(request.dependencies)),
        ignore_changes=tuple(request.ignoreChanges),
        secrets=wire.secret_keys(request.object),
        version=request.version,
        options=_options(request),
    )


def _options(request: resource_pb2.RegisterResourceRequest) -> frozenset[str]:
    given = {field.name for field, value in request.ListFields() if not _empty(value)}
    return frozenset(given - _RECORDED)


def _empty(value: object) -> bool:
    """The SDK sends messages that have nothing in them."""
    return isinstance(value, Message) and not value.ListFields()


def _parent(urn: str) -> str:
    return "" if not urn or urn.split("::")[2] == STACK_TYPE else urn


def _provider(reference: str) -> str | None:
    """The URN in a provider reference, which is ``URN::id``."""
    return reference.rpartition("::")[0] or None


class Monitor:
    """Records one run of a program. Thread-safe: the SDK calls from several threads."""

    def __init__(self, project: str, stack: str, *, preview: bool, account: str) -> None:
        """``account`` stands for the credentials' account where a provider pins none."""
        self._project = project
        self._stack = stack
        self._preview = preview
        self._account = account
        self._lock = threading.Lock()
        self._resources: dict[str, Resource] = {}
        self._invokes: list[Invoke] = []
        self._outputs: dict[str, Value] = {}
        self._secret_outputs: frozenset[str] = frozenset()
        self.errors: list[str] = []
        """What the program logged as an error; Pulumi fails an update that did."""

    def graph(self) -> Graph:
        """All that was registered so far."""
        with self._lock:
            return Graph(
                project=self._project,
                stack=self._stack,
                resources=dict(sorted(self._resources.items())),
                invokes=tuple(sorted(self._invokes, key=_order)),
                outputs=dict(sorted(self._outputs.items())),
                secret_outputs=self._secret_outputs,
            )

    def _record(self, resource: Resource) -> None:
        with self._lock:
            if resource.urn in self._resources:
                raise RunError(f"Duplicate resource URN '{resource.urn}'")
            self._resources[resource.urn] = resource

    def _place(self, resource: Resource) -> Place:
        """Where a resource is made: a region of its own beats its provider's."""
        with self._lock:
            found = self._resources.get(resource.provider or "")
        pins = {} if found is None else found.properties
        accounts = json.loads(pins.get("allowedAccountIds") or "[]")
        region = resource.properties.get("region") or pins.get("region") or "aws-global"
        return Place(str(region), str(accounts[0]) if accounts else self._account)

    # The ResourceMonitor service. Names and shapes are Pulumi's.

    def GetDeploymentInfo(  # noqa: N802
        self, request: empty_pb2.Empty
    ) -> resource_pb2.DeploymentInfo:
        return resource_pb2.DeploymentInfo(supportedFeatures=FEATURES)

    def RegisterResource(  # noqa: N802
        self, request: resource_pb2.RegisterResourceRequest
    ) -> resource_pb2.RegisterResourceResponse:
        urn = urn_of(self._project, self._stack, request.parent, request.type, request.name)
        if request.type == STACK_TYPE:
            return resource_pb2.RegisterResourceResponse(urn=urn)
        resource = resource_of(urn, request)
        if not request.custom:
            self._record(resource)
            return resource_pb2.RegisterResourceResponse(urn=urn, object=request.object)
        id_, computed = self._made(resource)
        self._record(replace(resource, made={"id": id_, **computed} if id_ else computed))
        outputs = struct_pb2.Struct()
        outputs.CopyFrom(request.object)
        outputs.MergeFrom(wire.write(computed, request.additionalSecretOutputs))
        return resource_pb2.RegisterResourceResponse(urn=urn, id=id_, object=outputs)

    def _made(self, resource: Resource) -> tuple[str, dict[str, Value]]:
        shape = (resource.type, resource.name, resource.urn, resource.properties)
        if self._preview:
            return "", named(*shape)
        done = made(*shape, self._place(resource))
        return done.id, dict(done.outputs)

    def ReadResource(  # noqa: N802
        self, request: resource_pb2.ReadResourceRequest
    ) -> resource_pb2.ReadResourceResponse:
        urn = urn_of(self._project, self._stack, request.parent, request.type, request.name)
        resource = Resource(
            urn=urn,
            type=request.type,
            name=request.name,
            properties=wire.read(request.properties),
            read=True,
            parent=_parent(request.parent),
            provider=_provider(request.provider),
            dependencies={},
            depends_on=tuple(sorted(request.dependencies)),
            secrets=wire.secret_keys(request.properties),
        )
        self._record(resource)
        shape = (resource.type, resource.name, urn, resource.properties)
        outputs = struct_pb2.Struct()
        outputs.CopyFrom(request.properties)
        outputs.MergeFrom(wire.write(made(*shape, self._place(resource)).outputs))
        return resource_pb2.ReadResourceResponse(urn=urn, properties=outputs)

    def Invoke(  # noqa: N802
        self, request: resource_pb2.ResourceInvokeRequest
    ) -> resource_pb2.ResourceInvokeResponse:
        asked = Invoke(request.tok, wire.read(request.args), _provider(request.provider))
        with self._lock:
            self._invokes.append(asked)
        question = Resource("", request.tok, "", asked.arguments, provider=asked.provider)
        told = answer(asked.token, asked.arguments, self._place(question))
        return resource_pb2.ResourceInvokeResponse(**{"return": wire.write(told)})

    def RegisterResourceOutputs(  # noqa: N802
        self, request: resource_pb2.RegisterResourceOutputsRequest
    ) -> empty_pb2.Empty:
        if request.urn.split("::")[2] == STACK_TYPE:
            with self._lock:
                self._outputs = wire.read(request.outputs)
                self._secret_outputs = wire.secret_keys(request.outputs)
        return empty_pb2.Empty()

    def SignalAndWaitForShutdown(  # noqa: N802
        self, request: empty_pb2.Empty
    ) -> empty_pb2.Empty:
        return empty_pb2.Empty()

    # The Engine service.

    def Log(self, request: engine_pb2.LogRequest) -> empty_pb2.Empty:  # noqa: N802
        if request.severity == engine_pb2.ERROR:
            with self._lock:
                self.errors.append(request.message)
        return empty_pb2.Empty()

    def SetRootResource(  # noqa: N802
        self, request: engine_pb2.SetRootResourceRequest
    ) -> engine_pb2.SetRootResourceResponse:
        return engine_pb2.SetRootResourceResponse()


def _order(asked: Invoke) -> tuple[str, str, str]:
    return (
        asked.token,
        json.dumps(asked.arguments, sort_keys=True, default=repr),
        str(asked.provider),
    )
