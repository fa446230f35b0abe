"""A test double of Pulumi's engine: gRPC services for a program, steps for what it registers.

It follows the engine in what these tests claim: URNs, providers, previews, the order of steps,
protection. It has no refresh, import, aliases, invokes, transforms or hooks, and refuses them.
"""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NoReturn, TypeAlias

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import (
    engine_pb2,
    engine_pb2_grpc,
    resource_pb2,
    resource_pb2_grpc,
)

from infra.graph import wire
from infra.graph.monitor import FEATURES, STACK_TYPE, resource_of, urn_of
from infra.rules.model import UNKNOWN, Resource
from tests.infra.rehearsal.cloud import Aws, Cloud
from tests.infra.rehearsal.kind import Kind, Made
from tests.infra.rehearsal.services import KINDS
from tests.infra.rehearsal.state import Entry, State

Step: TypeAlias = Literal["create", "same", "update", "replace", "delete"]
PROVIDER = "pulumi:providers:aws"


class Refused(Exception):
    """The engine, or AWS behind it, does not do what was asked."""


@dataclass(slots=True)
class Run:
    """What an update or a preview did."""

    steps: dict[str, Step] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    changed: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Per updated or replaced URN the properties that differ."""

    def only(self, step: Step) -> set[str]:
        """The URNs with this step."""
        return {urn for urn, taken in self.steps.items() if taken == step}


class Engine(resource_pb2_grpc.ResourceMonitorServicer, engine_pb2_grpc.EngineServicer):
    """One run of one program. Steps are taken one at a time, in the order of registration."""

    def __init__(
        self, project: str, stack: str, cloud: Cloud, state: State, *, preview: bool
    ) -> None:
        self._project = project
        self._stack = stack
        self._cloud = cloud
        self._state = state
        self._preview = preview
        self._lock = threading.Lock()
        self._registered: dict[str, Resource] = {}
        self._root = ""
        self.run = Run()

    # Pulumi's ResourceMonitor service.

    def GetDeploymentInfo(  # noqa: N802
        self, request: empty_pb2.Empty, context: grpc.ServicerContext
    ) -> resource_pb2.DeploymentInfo:
        return resource_pb2.DeploymentInfo(supportedFeatures=FEATURES)

    def RegisterResource(  # noqa: N802
        self,
        request: resource_pb2.RegisterResourceRequest,
        context: grpc.ServicerContext,
    ) -> resource_pb2.RegisterResourceResponse:
        with self._lock:
            try:
                return self._register(request)
            except Refused as error:
                self._fail(context, str(error))
            except Exception as error:
                where = f"{request.type} {request.name}"
                self._fail(context, f"{where}: {type(error).__name__}: {error}")

    def _fail(self, context: grpc.ServicerContext, words: str) -> NoReturn:
        self.run.errors.append(words)
        context.abort(grpc.StatusCode.UNKNOWN, words)
        raise AssertionError("abort raises")

    def RegisterResourceOutputs(  # noqa: N802
        self,
        request: resource_pb2.RegisterResourceOutputsRequest,
        context: grpc.ServicerContext,
    ) -> empty_pb2.Empty:
        if request.urn.split("::")[2] == STACK_TYPE:
            self.run.outputs = wire.read(request.outputs)
        return empty_pb2.Empty()

    def SignalAndWaitForShutdown(  # noqa: N802
        self, request: empty_pb2.Empty, context: grpc.ServicerContext
    ) -> empty_pb2.Empty:
        return empty_pb2.Empty()

    # Pulumi's Engine service.

    def Log(  # noqa: N802
        self, request: engine_pb2.LogRequest, context: grpc.ServicerContext
    ) -> empty_pb2.Empty:
        if request.severity == engine_pb2.ERROR:
            self.run.errors.append(request.message)
        return empty_pb2.Empty()

    def SetRootResource(  # noqa: N802
        self, request: engine_pb2.SetRootResourceRequest, context: grpc.ServicerContext
    ) -> engine_pb2.SetRootResourceResponse:
        self._root = request.urn
        return engine_pb2.SetRootResourceResponse()

    def GetRootResource(  # noqa: N802
        self, request: engine_pb2.GetRootResourceRequest, context: grpc.ServicerContext
    ) -> engine_pb2.GetRootResourceResponse:
        return engine_pb2.GetRootResourceResponse(urn=self._root)

    # Steps.

    def _register(
        self, request: resource_pb2.RegisterResourceRequest
    ) -> resource_pb2.RegisterResourceResponse:
        urn = urn_of(self._project, self._stack, request.parent, request.type, request.name)
        if request.type == STACK_TYPE:
            return resource_pb2.RegisterResourceResponse(urn=urn)
        if urn in self._registered:
            raise Refused(f"Duplicate resource URN '{urn}'")
        resource = self._registered[urn] = resource_of(urn, request)
        if not resource.custom:
            return resource_pb2.RegisterResourceResponse(urn=urn, object=request.object)
        if resource.secrets:
            raise Refused(f"{urn}: the double's state keeps no secrets ({resource.secrets})")
        if resource.type == PROVIDER:
            self._check_account(resource)
            id_ = str(uuid.uuid5(uuid.NAMESPACE_URL, urn))
            return resource_pb2.RegisterResourceResponse(urn=urn, id=id_, object=request.object)
        entry = self._step(resource)
        return resource_pb2.RegisterResourceResponse(
            urn=urn, id=entry.id, object=wire.write({**resource.properties, **entry.outputs})
        )

    def _check_account(self, provider: Resource) -> None:
        """As AWS's provider does: the credentials must be of an account that it may use."""
        allowed = json.loads(provider.properties.get("allowedAccountIds", "[]"))
        me = Aws(self._cloud, str(provider.properties["region"])).account
        if allowed and me not in allowed:
            raise Refused(f"AWS account ID not allowed: {me}")

    def _step(self, resource: Resource) -> Entry:
        """Bring one resource to what the program wants; in a preview only say how."""
        kind = KINDS.get(resource.type)
        if kind is None:
            raise Refused(f"the double does not know the type {resource.type}")
        provider = self._registered.get(resource.provider or "")
        if provider is None:
            raise Refused(f"{resource.urn}: default providers are disabled; give it one")
        region = str(resource.properties.get("region") or provider.properties["region"])
        old = self._state.entries.get(resource.urn)
        inputs = _inputs(resource, provider, kind, old)
        step, changed = _plan(inputs, old, region, kind)
        self.run.steps[resource.urn] = step
        if step in ("update", "replace"):
            self.run.changed[resource.urn] = changed
        if step == "replace" and old is not None and old.protect:
            raise Refused(f"unable to replace resource '{resource.urn}': it is protected")
        if self._preview:
            kept = old if old is not None and step in ("same", "update") else None
            made = Made(kept.id if kept else "", kept.outputs if kept else {})
            return self._entry(resource, region, inputs, made)
        entry = self._apply(step, resource, inputs, old, region, kind)
        self._state.entries[resource.urn] = entry
        return entry

    def _apply(
        self,
        step: Step,
        resource: Resource,
        inputs: Mapping[str, Any],
        old: Entry | None,
        region: str,
        kind: Kind,
    ) -> Entry:
        aws = Aws(self._cloud, region)
        if old is not None and step == "same":
            return self._entry(resource, region, inputs, Made(old.id, old.outputs))
        if old is not None and step == "update":
            if kind.update is None:
                changed = ", ".join(self.run.changed[resource.urn])
                raise Refused(f"{resource.urn}: the double cannot change {changed}")
            fresh = kind.update(aws, old.kept, inputs)
            return self._entry(resource, region, inputs, Made(old.id, {**old.outputs, **fresh}))
        if old is not None:
            # Names are the program's own: the old one must go before the new one can be.
            kind.delete(Aws(self._cloud, old.region), old.kept)
        return self._entry(resource, region, inputs, kind.create(aws, inputs))

    def _entry(
        self, resource: Resource, region: str, inputs: Mapping[str, Any], made: Made
    ) -> Entry:
        """What a component around it needs, a resource needs too."""
        needs: set[str] = set()
        inner: Resource | None = resource
        while inner is not None:
            needs |= {*inner.depends_on, inner.parent} - {""}
            inner = self._registered.get(inner.parent)
        return Entry(
            urn=resource.urn,
            type=resource.type,
            id=made.id,
            region=region,
            inputs=inputs,
            outputs=made.outputs,
            protect=resource.protect,
            needs=tuple(sorted(needs)),
        )

    def finish(self) -> None:
        """Delete what the program no longer has."""
        gone = [urn for urn in self._state.entries if urn not in self._registered]
        delete(self._cloud, self._state, self.run, gone, preview=self._preview)


def delete(cloud: Cloud, state: State, run: Run, urns: list[str], *, preview: bool = False) -> None:
    """Delete these, the last made first; nothing at all when one of them is protected."""
    for entry in state.last_first(urns):
        if entry.protect:
            run.errors.append(f"unable to delete resource '{entry.urn}': it is protected")
    if run.errors:
        return
    for entry in state.last_first(urns):
        run.steps[entry.urn] = "delete"
        if not preview:
            KINDS[entry.type].delete(Aws(cloud, entry.region), entry.kept)
            del state.entries[entry.urn]


def _inputs(
    resource: Resource, provider: Resource, kind: Kind, old: Entry | None
) -> dict[str, Any]:
    """The inputs as AWS's provider sends them: with its default tags, and with the old values of
    what the program says to leave as it is."""
    inputs = {key: value for key, value in resource.properties.items() if value is not None}
    default = json.loads(provider.properties.get("defaultTags", "{}")).get("tags", {})
    if kind.tagged and (default or inputs.get("tags")):
        inputs["tags"] = {**default, **(inputs.get("tags") or {})}
    if old is not None:
        for key in resource.ignore_changes:
            inputs.pop(key, None)
            if key in old.inputs:
                inputs[key] = old.inputs[key]
    return inputs


def _plan(
    inputs: Mapping[str, Any], old: Entry | None, region: str, kind: Kind
) -> tuple[Step, tuple[str, ...]]:
    if old is None:
        return "create", ()
    keys = {*inputs, *old.inputs}
    changed = tuple(
        sorted(k for k in keys if _unknown(inputs.get(k)) or inputs.get(k) != old.inputs.get(k))
    )
    if region != old.region:
        return "replace", ("region", *changed)
    if kind.replaces & set(changed):
        return "replace", changed
    return ("update" if changed else "same"), changed


def _unknown(value: Any) -> bool:
    return any(item is UNKNOWN for item in _leaves(value))


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        for item in value.values():
            yield from _leaves(item)
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item)
    else:
        yield value
