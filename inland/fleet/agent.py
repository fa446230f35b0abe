"""The agent of a machine: one program beside the node's service, for as long as the machine lives.

It may be ended and started at any time. Nothing that it decides is kept but the place in the
journal up to which lines were shipped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import aiohttp

from infra.cloud_init.document import (
    ControlPlaneRole,
    EdgeRole,
    NodeDocument,
    TurnRole,
    audit_log_group,
    node_log_group,
)
from inland.fleet.aws import Aws, insist
from inland.fleet.clock import MachineClock, WaitingClock
from inland.fleet.file_shipper import FileShipper
from inland.fleet.lifecycle import Lifecycle, Plan
from inland.fleet.lifecycle_loop import LifecycleLoop, Surroundings
from inland.fleet.log_group import LogGroup
from inland.fleet.log_shipper import LogShipper, SystemdJournal
from inland.fleet.metadata import Machine, Metadata, read_machine
from inland.fleet.names import host_name
from inland.fleet.node_view import HttpNode, NodeView, RelayNode, unit_state
from inland.fleet.places import Places
from inland.fleet.policy_carrier import PolicyCarrier
from inland.fleet.turn_conf import PORT as TURN_PORT
from inland.fleet.watch import Watch


@dataclass(frozen=True, slots=True)
class Trade:
    """What differs between the machines of the three roles."""

    service: str
    plan: Plan
    counted: bool
    """Its calls are what its group scales on and what keeps it from being scaled in."""


def trade_of(document: NodeDocument) -> Trade:
    """The role's service, and how it lives."""
    seconds = document.lifecycle.drain_seconds
    match document.role:
        case EdgeRole():
            return Trade("inland-edge.service", Plan(seconds, named=True, waits=False), True)
        case TurnRole():
            return Trade("inland-turn.service", Plan(seconds, named=False, waits=True), False)
        case ControlPlaneRole():
            plan = Plan(seconds, named=False, waits=False)
            return Trade("inland-control-plane.service", plan, False)


def view_of(document: NodeDocument, machine: Machine, http: aiohttp.ClientSession) -> NodeView:
    """How the role's service is looked at."""
    match document.role:
        case TurnRole(relay_ports=ports):
            return RelayNode((machine.local_ipv4, TURN_PORT), ports)
        case EdgeRole() | ControlPlaneRole():
            return HttpNode(http, document.health_port)


def shipped_units(trade: Trade) -> Sequence[str]:
    """Whose lines go to the log group."""
    return (trade.service, "inland-prepare.service", "inland-agent.service")


def audit_shippers(
    document: NodeDocument, machine: Machine, places: Places, aws: Aws, clock: WaitingClock
) -> list[FileShipper]:
    """For the audit log and its heads of a node that takes calls; others have none."""
    if not isinstance(document.role, EdgeRole):
        return []
    group = LogGroup(aws, audit_log_group(document.stack))
    return [
        FileShipper(
            group,
            clock,
            file=file,
            place=places.shipped(file),
            stream=f"{machine.instance_id}/{what}",
        )
        for what, file in (("audit", places.audit), ("heads", places.audit_heads))
    ]


async def run_agent(
    document: NodeDocument,
    places: Places,
    stop: asyncio.Event,
    *,
    clock: WaitingClock | None = None,
) -> None:
    """Do all of it until ``stop``."""
    aws = Aws(document.region, document.endpoint)
    try:
        async with asyncio.TaskGroup() as group:
            work = group.create_task(_work(document, places, aws, clock or MachineClock()))
            await stop.wait()
            work.cancel()
    finally:
        aws.close()


async def _work(document: NodeDocument, places: Places, aws: Aws, clock: WaitingClock) -> None:
    trade = trade_of(document)
    async with aiohttp.ClientSession(trust_env=False) as http:
        metadata = Metadata(http, document.endpoint)
        machine = await insist(clock, lambda: read_machine(metadata, document.region, cpus=1))
        around = Surroundings(
            document=document,
            machine=machine,
            places=places,
            metadata=metadata,
            aws=aws,
            node=view_of(document, machine, http),
            unit=partial(unit_state, trade.service),
            clock=clock,
        )
        lifecycle = Lifecycle(trade.plan)
        name = host_name(document, machine) if trade.plan.named else None
        shipper = LogShipper(
            aws,
            clock,
            SystemdJournal(shipped_units(trade)),
            group=node_log_group(document.stack),
            instance=machine.instance_id,
            cursor=places.journal_cursor,
        )
        async with asyncio.TaskGroup() as group:
            group.create_task(LifecycleLoop(around, lifecycle, name).run())
            if trade.counted:
                group.create_task(Watch(around, lambda: lifecycle.serving).run())
            group.create_task(shipper.run())
            if isinstance(document.role, ControlPlaneRole) and document.role.policy_keys:
                carrier = PolicyCarrier(
                    aws, clock, bucket=document.bundle.bucket, file=places.policy_bundle
                )
                group.create_task(carrier.run())
            for each in audit_shippers(document, machine, places, aws, clock):
                group.create_task(each.run())
