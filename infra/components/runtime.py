"""A whole region: everything that a stack file asks for, composed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi import ResourceOptions

from infra.cloud_init.document import Bundle, audit_log_group, node_log_group
from infra.components.alarms import (
    Alarm,
    certificate_alarm,
    fleet_alarms,
    store_alarms,
    target_alarm,
)
from infra.components.buckets import Recordings, RecordingsArgs, Software, SoftwareArgs
from infra.components.budget import Budget, BudgetArgs
from infra.components.certificate import Certificate, CertificateArgs
from infra.components.dashboard import Shown
from infra.components.edges import (
    HEALTH_PORT,
    EdgeFirewallArgs,
    EdgeFleetArgs,
    EdgePlan,
    EdgeSecrets,
    edge_firewall,
    edge_fleet,
    edge_plans,
)
from infra.components.firewall import Firewall
from infra.components.fleet import Fleet
from infra.components.guardrails import Guardrails, GuardrailsArgs
from infra.components.ingress import Door, Ingress, IngressArgs, sip_doors, sip_records
from infra.components.keys import Keys, KeysArgs
from infra.components.network import Network, NetworkArgs, layout
from infra.components.observability import NodeLog, NodeLogArgs, Observability, ObservabilityArgs
from infra.components.place import Place
from infra.components.secrets import Secrets, SecretsArgs
from infra.components.store import Store, StoreArgs
from infra.components.turn import Turn, TurnArgs, turn_doors
from infra.documents import names
from infra.settings.region import RegionStack


@dataclass(frozen=True, kw_only=True, slots=True)
class RegionalRuntimeArgs:
    """A checked stack, and what the catalogue and the table of AWS's offers say of its region."""

    place: Place
    stack: RegionStack
    zone_ids: tuple[str, ...]
    account_regions: tuple[str, ...]
    """The regions of the stack's jurisdiction, the only ones that its account is for."""


class RegionalRuntime(pulumi.ComponentResource):
    """One region. Give it the region's provider: its parts inherit it, and there is no other.

    Order is dependency: what is kept, who may reach it, the machines, what is watched.
    """

    def __init__(
        self, name: str, args: RegionalRuntimeArgs, opts: ResourceOptions | None = None
    ) -> None:
        super().__init__("inland:region:RegionalRuntime", name, None, opts)
        self._args = args
        self._child = ResourceOptions(parent=self)
        place, stack = args.place, args.stack
        self.plans = edge_plans(stack)
        self.tenants = tuple(tenant.id for tenant in stack.tenants)
        self.guardrails = Guardrails(
            "guardrails", GuardrailsArgs(place=place, regions=args.account_regions), self._child
        )
        served = {
            tenant: names.prefixed(place, plan.of) for plan in self.plans for tenant in plan.tenants
        }
        self.keys = Keys(
            "keys", KeysArgs(place=place, tenants=served, recordings=True), self._child
        )
        assert self.keys.recordings is not None
        self.recordings_key: pulumi.Output[str] = self.keys.recordings.arn
        self.network = self._network()
        key = self.keys.region_arn
        self.recordings = Recordings(
            "recordings",
            RecordingsArgs(
                place=place,
                key_arn=self.recordings_key,
                days=stack.retention.recordings_days,
            ),
            self._child,
        )
        self.software = Software("software", SoftwareArgs(place=place, key_arn=key), self._child)
        self.node_log = NodeLog(
            "node-log",
            NodeLogArgs(
                group=node_log_group(place.stack), key_arn=key, days=stack.retention.logs_days
            ),
            self._child,
        )
        self.audit_log = NodeLog(
            "audit-log",
            NodeLogArgs(
                group=audit_log_group(place.stack),
                holding="audit",
                key_arn=key,
                days=stack.retention.audit_days,
            ),
            self._child,
        )
        firewalls = {plan.of: self._firewall(plan) for plan in self.plans}
        self.store = self._store(list(firewalls.values()))
        self.secret_names = self._secret_names()
        self.secrets = Secrets(
            "secrets",
            SecretsArgs(place=place, key_arn=self.keys.region_arn, names=self.secret_names),
            self._child,
        )
        self.certificate = Certificate(
            "certificate",
            CertificateArgs(domain=stack.domain, zone_id=stack.zone_id),
            self._child,
        )
        self.ingress = self._ingress()
        # A node that starts reads all of these; it is not told of every one by an output.
        ready = ResourceOptions(
            parent=self,
            depends_on=[self.software, self.secrets, self.node_log, self.audit_log, self.network],
        )
        self.turn = self._turn(ready)
        self.edges = {plan.of: self._fleet(plan, firewalls[plan.of], ready) for plan in self.plans}
        self._watch()
        Budget(
            "budget",
            BudgetArgs(
                place=place,
                monthly_usd=stack.monthly_budget_usd,
                alarm_email=stack.alarm_email,
            ),
            self._child,
        )
        self.register_outputs({})

    @property
    def fleets(self) -> list[Fleet]:
        """Every fleet, those that take calls first."""
        return [*self.edges.values(), *([] if self.turn is None else [self.turn.fleet])]

    def _network(self) -> Network:
        stack = self._args.stack
        return Network(
            "network",
            NetworkArgs(
                place=self._args.place,
                cidr=stack.vpc_cidr,
                zone_ids=self._args.zone_ids,
                key_arn=self.keys.region_arn,
                boundary=self.guardrails.boundary,
                logs_days=stack.retention.logs_days,
                objects=True,
            ),
            self._child,
        )

    def _firewall(self, plan: EdgePlan) -> Firewall:
        stack = self._args.stack
        return edge_firewall(
            EdgeFirewallArgs(
                place=self._args.place,
                plan=plan,
                sip=stack.sip,
                vpc_id=self.network.vpc_id,
                vpc_cidr=stack.vpc_cidr,
            ),
            self._child,
        )

    def _store(self, clients: Sequence[Firewall]) -> Store:
        store = self._args.stack.store
        return Store(
            "store",
            StoreArgs(
                place=self._args.place,
                vpc_id=self.network.vpc_id,
                subnet_ids=self.network.data_ids,
                key_arn=self.keys.region_arn,
                tenants=self.tenants,
                clients=[firewall.group_id for firewall in clients],
                node_type=store.node_type,
                replicas=store.replicas,
            ),
            self._child,
        )

    def _secret_names(self) -> dict[str, str]:
        place, stack = self._args.place, self._args.stack
        found = {"node-secret": names.node_secret(place), "region-key": names.region_key(place)}
        if stack.sip is not None:
            found["phone"] = names.phone_secret(place)
        if stack.turn is not None:
            found["turn"] = names.turn_secret(place)
        return found

    def _doors(self) -> tuple[Door, ...]:
        stack = self._args.stack
        sip = () if stack.sip is None else sip_doors(stack.sip.carriers, HEALTH_PORT)
        return (*sip, *(() if stack.turn is None else turn_doors()))

    def _ingress(self) -> Ingress | None:
        """The load balancer, for a stack that has something behind it."""
        stack = self._args.stack
        doors = self._doors()
        if not doors:
            return None
        hosts = (*(("sip",) if stack.sip else ()), *(("turn",) if stack.turn else ()))
        ingress = Ingress(
            "ingress",
            IngressArgs(
                place=self._args.place,
                vpc_id=self.network.vpc_id,
                vpc_cidr=stack.vpc_cidr,
                subnet_ids=self.network.public_ids,
                domain=stack.domain,
                zone_id=stack.zone_id,
                doors=doors,
                hosts=hosts,
                certificate_arn=self.certificate.valid_arn,
            ),
            self._child,
        )
        if stack.sip is not None:
            sip_records("ingress", stack.domain, stack.zone_id, ResourceOptions(parent=ingress))
        return ingress

    def _targets(self, *doors: str) -> list[pulumi.Input[str]]:
        """Of these doors, as far as the stack has them."""
        groups = {} if self.ingress is None else self.ingress.targets
        return [groups[door].arn for door in doors if door in groups]

    @property
    def _bundle(self) -> Bundle:
        release = self._args.stack.release
        return Bundle(
            bucket=names.software_bucket(self._args.place),
            release=release.sha256,
            site=release.site,
        )

    def _turn(self, opts: ResourceOptions) -> Turn | None:
        stack = self._args.stack
        if stack.turn is None or self.ingress is None:
            return None
        return Turn(
            "turn",
            TurnArgs(
                place=self._args.place,
                settings=stack.turn,
                domain=stack.domain,
                zone_id=stack.zone_id,
                bundle=self._bundle,
                secret=self.secret_names["turn"],
                vpc_id=self.network.vpc_id,
                vpc_cidr=stack.vpc_cidr,
                peers=layout(stack.vpc_cidr, len(self._args.zone_ids)).public,
                subnet_ids=self.network.public_ids,
                ingress_firewall=self.ingress.firewall_id,
                targets=self._targets("turn", "turns"),
                boundary=self.guardrails.boundary,
                key_arn=self.keys.region_arn,
            ),
            opts,
        )

    def _fleet(self, plan: EdgePlan, firewall: Firewall, opts: ResourceOptions) -> Fleet:
        stack = self._args.stack
        return edge_fleet(
            EdgeFleetArgs(
                place=self._args.place,
                plan=plan,
                domain=stack.domain,
                zone_id=stack.zone_id,
                control_planes=stack.control_planes,
                policy_keys=stack.policy_keys,
                bundle=self._bundle,
                store_host=self.store.host,
                store_port=self.store.port,
                store_cache=self.store.cache,
                data_networks=layout(stack.vpc_cidr, len(self._args.zone_ids)).data,
                store_users=self.store.users,
                certificate_arn=self.certificate.valid_arn,
                recordings_key=self.recordings_key,
                recordings_days=stack.retention.recordings_days,
                secrets=EdgeSecrets(
                    node_secret=self.secret_names["node-secret"],
                    region_key=self.secret_names["region-key"],
                    phone=self.secret_names.get("phone"),
                    turn=self.secret_names.get("turn"),
                ),
                boundary=self.guardrails.boundary,
                key_arn=self.keys.region_arn,
                subnet_ids=self.network.public_ids,
                firewall=firewall,
                targets=self._targets("sip", "sips"),
            ),
            opts,
        )

    def _watch(self) -> None:
        place, stack = self._args.place, self._args.stack
        members = [
            f"{names.prefixed(place)}-{number:03d}" for number in range(1, stack.store.replicas + 2)
        ]
        doors = self._watched_doors()
        groups = [fleet.group_name for fleet in self.fleets]
        Observability(
            "observability",
            ObservabilityArgs(
                place=place,
                key_arn=self.keys.region_arn,
                alarm_email=stack.alarm_email,
                alarms=self._alarms(members, doors),
                shown=Shown(
                    region=place.region,
                    edges=[fleet.group_name for fleet in self.edges.values()],
                    groups=groups,
                    targets=doors,
                    members=members,
                ),
            ),
            self._child,
        )

    def _watched_doors(self) -> list[tuple[str, pulumi.Input[str], pulumi.Input[str]]]:
        """Each door, and how CloudWatch calls its balancer and its target group."""
        if self.ingress is None:
            return []
        balancer = self.ingress.balancer.arn_suffix
        return [(door, balancer, group.arn_suffix) for door, group in self.ingress.targets.items()]

    def _alarms(
        self,
        members: Sequence[str],
        doors: Sequence[tuple[str, pulumi.Input[str], pulumi.Input[str]]],
    ) -> list[Alarm]:
        found = [certificate_alarm(self.certificate.arn)]
        for plan in self.plans:
            group = self.edges[plan.of].group_name
            found += fleet_alarms(plan.of, group, plan.edge.calls_per_node)
        if self.turn is not None:
            found += fleet_alarms("turn", self.turn.fleet.group_name, None)
        found += [target_alarm(*door) for door in doors]
        for member in members:
            found += store_alarms(member)
        return found
