"""The control plane: in each of its regions a front and replicas, and nothing that keeps data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi import ResourceOptions

from infra.cloud_init.document import Bundle, ControlPlaneRole, node_log_group
from infra.components.alarms import Alarm, fleet_alarms, replica_alarm
from infra.components.buckets import Software, SoftwareArgs
from infra.components.dashboard import Shown
from infra.components.edges import HEALTH_PORT
from infra.components.firewall import Firewall, FirewallArgs, Opening, node_outward
from infra.components.fleet import Fleet, FleetArgs
from infra.components.front import Front, FrontArgs
from infra.components.guardrails import Guardrails, GuardrailsArgs
from infra.components.keys import Keys, KeysArgs
from infra.components.network import Network, NetworkArgs
from infra.components.observability import NodeLog, NodeLogArgs, Observability, ObservabilityArgs
from infra.components.place import Place
from infra.components.secrets import Secrets, SecretsArgs
from infra.documents import names
from infra.documents.nodes import control_plane_replica
from infra.settings.control_plane import ControlPlaneStack, Replicas
from infra.settings.names import parse_stack_name
from infra.settings.neighbours import LETTERS, replica_urls
from infra.settings.region import Range

DRAIN_SECONDS = 60
"""How long a replica that is to end still answers: load balancer and nodes forget it in less."""
LOGS_DAYS = 30


@dataclass(frozen=True, kw_only=True, slots=True)
class ControlPlaneRegionArgs:
    """A checked stack, one of its regions, and the zones of that region."""

    place: Place
    stack: ControlPlaneStack
    replicas: Replicas
    zone_ids: tuple[str, ...]


class ControlPlaneRegion(pulumi.ComponentResource):
    """Replicas in one region. Give it the region's provider: its parts inherit it.

    Each replica is a group of exactly one machine with a name of its own, since every node beats to
    every replica. A machine is ended before the next one starts: two behind one name would each
    hear half of the nodes, and refuse callers whom the other half could take.
    """

    def __init__(
        self, name: str, args: ControlPlaneRegionArgs, opts: ResourceOptions | None = None
    ) -> None:
        super().__init__("inland:control:ControlPlaneRegion", name, None, opts)
        self._name = name
        self._args = args
        self._child = ResourceOptions(parent=self)
        place, stack = args.place, args.stack
        self.letters = tuple(LETTERS[: args.replicas.replicas])
        regions = tuple(one.region for one in stack.regions)
        self.guardrails = Guardrails(
            f"{name}-guardrails", GuardrailsArgs(place=place, regions=regions), self._child
        )
        self.keys = Keys(f"{name}-keys", KeysArgs(place=place), self._child)
        key = self.keys.region_arn
        self.network = Network(
            f"{name}-network",
            NetworkArgs(
                place=place,
                cidr=args.replicas.vpc_cidr,
                zone_ids=args.zone_ids,
                key_arn=key,
                boundary=self.guardrails.boundary,
                logs_days=LOGS_DAYS,
                endpoints=False,
            ),
            self._child,
        )
        self.software = Software(
            f"{name}-software", SoftwareArgs(place=place, key_arn=key), self._child
        )
        self.node_log = NodeLog(
            f"{name}-node-log",
            NodeLogArgs(group=node_log_group(place.stack), key_arn=key, days=LOGS_DAYS),
            self._child,
        )
        self.secret_names = {"operator-key": names.operator_key(place)} | {
            f"{letter}-signing-key": names.signing_key(place, letter) for letter in self.letters
        }
        self.secrets = Secrets(
            f"{name}-secrets",
            SecretsArgs(place=place, key_arn=key, names=self.secret_names),
            self._child,
        )
        self.front = Front(
            f"{name}-front",
            FrontArgs(
                place=place,
                vpc_id=self.network.vpc_id,
                vpc_cidr=args.replicas.vpc_cidr,
                subnet_ids=self.network.public_ids,
                domain=stack.domain,
                zone_id=stack.zone_id,
                letters=self.letters,
                port=HEALTH_PORT,
            ),
            self._child,
        )
        firewall = self._firewall()
        ready = ResourceOptions(
            parent=self, depends_on=[self.software, self.secrets, self.node_log, self.network]
        )
        self.fleets = {letter: self._replica(letter, firewall, ready) for letter in self.letters}
        self._watch()
        self.register_outputs({})

    def _firewall(self) -> Firewall:
        front = Opening(
            why="Load balancer",
            protocol="tcp",
            first=HEALTH_PORT,
            last=HEALTH_PORT,
            groups=(self.front.firewall.group_id,),
        )
        return Firewall(
            f"{self._name}-replicas",
            FirewallArgs(
                place=self._args.place,
                of="replicas",
                vpc_id=self.network.vpc_id,
                inward=[front],
                outward=node_outward(self._args.replicas.vpc_cidr),
            ),
            self._child,
        )

    def _replica(self, letter: str, firewall: Firewall, opts: ResourceOptions) -> Fleet:
        place, stack = self._args.place, self._args.stack
        signing, operator = names.signing_key(place, letter), names.operator_key(place)
        of = f"replica-{letter}"
        return Fleet(
            f"{self._name}-{of}",
            FleetArgs(
                place=place,
                of=of,
                domain=stack.domain,
                zone_id=stack.zone_id,
                bundle=Bundle(
                    bucket=names.software_bucket(place),
                    release=stack.release.sha256,
                    site=stack.release.site,
                ),
                instance_type=self._args.replicas.instance_type,
                nodes=Range(min=1, max=1),
                role=ControlPlaneRole(
                    signing_key=signing,
                    operator_key=operator,
                    node_secrets=secrets_by_region(stack.node_secrets),
                    policy_keys=stack.policy_keys,
                    replica_urls=replica_urls(stack),
                ),
                statements=control_plane_replica(
                    place, secrets=[signing, operator], group=names.prefixed(place, of)
                ),
                boundary=self.guardrails.boundary,
                key_arn=self.keys.region_arn,
                subnet_ids=self.network.public_ids,
                security_group=firewall.group_id,
                targets=[self.front.targets[letter].arn],
                health="ELB",
                healthy_percent=(0, 100),
                drain_seconds=DRAIN_SECONDS,
            ),
            opts,
        )

    def _watch(self) -> None:
        place = self._args.place
        balancer = self.front.balancer.arn_suffix
        alarms: list[Alarm] = []
        for letter, fleet in self.fleets.items():
            alarms += fleet_alarms(f"replica-{letter}", fleet.group_name, None)
            targets = self.front.targets[letter].arn_suffix
            alarms.append(replica_alarm(f"replica-{letter}", balancer, targets))
        Observability(
            f"{self._name}-observability",
            ObservabilityArgs(
                place=place,
                key_arn=self.keys.region_arn,
                alarm_email=self._args.stack.alarm_email,
                alarms=alarms,
                shown=Shown(
                    region=place.region,
                    groups=[fleet.group_name for fleet in self.fleets.values()],
                ),
            ),
            self._child,
        )


def secrets_by_region(node_secrets: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Stacks' digests gathered by region: a tenant's own account is another stack of a region."""
    found: dict[str, tuple[str, ...]] = {}
    for stack, digest in sorted(node_secrets.items()):
        region = parse_stack_name(stack).region
        found[region] = (*found.get(region, ()), digest)
    return found
