"""A fleet: machines that are alike, started, drained and replaced by an Auto Scaling group."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import pulumi
import pulumi_aws as aws
from pulumi import CustomTimeouts, ResourceOptions

from infra.cloud_init.document import (
    ACTIVE_METRIC,
    METRIC_NAMESPACE,
    Bundle,
    ControlPlaneRole,
    EdgeRole,
    Lifecycle,
    NodeDocument,
    TurnRole,
)
from infra.cloud_init.user_data import user_data
from infra.components.machine import MachineArgs, Tenancy, architecture, launch_template
from infra.components.place import Place
from infra.components.role import Role, RoleArgs
from infra.components.tags import stack_tags
from infra.documents import names
from infra.documents.statements import Statement
from infra.documents.trust import for_instances
from infra.settings.region import Range

LAUNCH_HOOK = "inland-launch"
DRAIN_HOOK = "inland-drain"
LAUNCH_SECONDS = 900
"""From a machine's start until its agent must have spoken: installing is most of it."""
DRAIN_SECONDS = 3600
"""How long a node that is to end lets its calls go on: as long as the longest call."""
DRAIN_MARGIN_SECONDS = 300
"""What a node has after its drain to hang up, close and say so."""
LIFETIME_SECONDS = 30 * 24 * 3600
"""No machine gets older: so its packages, and the certificate that it read when it started, are
fresh."""
TARGET_SHARE = 0.6
"""Of the calls that a node takes: the fleet is kept at this, and grows when it is exceeded."""

NodeRole: TypeAlias = EdgeRole | TurnRole | ControlPlaneRole


@dataclass(frozen=True, slots=True)
class ByCalls:
    """Scale on the calls that each node reports."""

    calls_per_node: int


@dataclass(frozen=True, slots=True)
class ByLoad:
    """Scale on processor load, for nodes whose work is not counted in calls."""

    percent: int


Scaling: TypeAlias = ByCalls | ByLoad


@dataclass(frozen=True, kw_only=True, slots=True)
class FleetArgs:
    """``of`` is what follows ``inland-<slug>-`` in names: ``edge``, ``edge-clinic``, ``turn``."""

    place: Place
    of: str
    domain: str
    zone_id: str
    bundle: Bundle
    instance_type: str
    nodes: Range
    role: pulumi.Input[NodeRole]
    """What its nodes are; an Output, where AWS tells a part of it."""
    statements: Sequence[Statement]
    """What its nodes may do."""
    boundary: pulumi.Input[str]
    key_arn: pulumi.Input[str]
    """Of its disks."""
    subnet_ids: Sequence[pulumi.Input[str]]
    security_group: pulumi.Input[str]
    image_id: str | None = None
    tenancy: Tenancy = "default"
    targets: Sequence[pulumi.Input[str]] = ()
    """ARNs of target groups that its nodes join."""
    scaling: Scaling | None = None
    """Without it the fleet stays at ``nodes.min``."""
    health: Literal["EC2", "ELB"] = "EC2"
    """``ELB`` replaces a machine that a load balancer finds ill. Not for nodes with calls: one that
    refuses new calls may be ill, or may be draining with all its calls alive."""
    healthy_percent: tuple[int, int] = (100, 110)
    """Least and most of the fleet while machines are replaced. The default starts the new one
    first (EC2 Auto Scaling user guide, "Instance maintenance policies", 2026-11-21)."""
    drain_seconds: int = DRAIN_SECONDS


class Fleet(pulumi.ComponentResource):
    """The group, its launch template and the role of its machines.

    A node is started, waits in ``inland-launch`` until its agent says that it can work, and is
    given up when nothing was heard of its agent for 15 minutes. A node that is to end waits in
    ``inland-drain`` until its agent says that it is empty. Both hooks are made with the group: a
    later one would miss its first nodes.
    """

    def __init__(self, name: str, args: FleetArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("inland:region:Fleet", name, None, opts)
        child = ResourceOptions(parent=self)
        self.group_name = names.prefixed(args.place, args.of)
        self.role = Role(
            name,
            RoleArgs(
                place=args.place,
                name=args.of,
                trust=for_instances(),
                statements=args.statements,
                boundary=args.boundary,
            ),
            child,
        )
        assert self.role.profile is not None
        template = launch_template(
            MachineArgs(
                place=args.place,
                name=self.group_name,
                instance_type=args.instance_type,
                image_id=args.image_id,
                tenancy=args.tenancy,
                profile_arn=self.role.profile.arn,
                security_group=args.security_group,
                key_arn=args.key_arn,
                user_data=_told(args, self.group_name),
            ),
            name,
            child,
        )
        self.group = _group(name, args, self.group_name, template, self)
        if args.scaling is not None:
            _scale(name, args.scaling, self.group_name, self.group, child)
        self.register_outputs({"group": self.group_name})


def _told(args: FleetArgs, group_name: str) -> pulumi.Output[str]:
    """The user data, in Base64 as a launch template takes it."""
    lifecycle = Lifecycle(
        group=group_name,
        launch_hook=LAUNCH_HOOK,
        terminate_hook=DRAIN_HOOK,
        drain_seconds=args.drain_seconds,
    )

    def write(role: NodeRole) -> str:
        document = NodeDocument(
            stack=args.place.stack,
            region=args.place.region,
            domain=args.domain,
            zone_id=args.zone_id,
            bundle=args.bundle,
            lifecycle=lifecycle,
            role=role,
        )
        text = user_data(document, architecture(args.instance_type))
        return base64.b64encode(text.encode()).decode()

    role: pulumi.Output[NodeRole] = pulumi.Output.from_input(args.role)
    return role.apply(write)


def _hooks(drain_seconds: int) -> list[aws.autoscaling.GroupInitialLifecycleHookArgs]:
    return [
        aws.autoscaling.GroupInitialLifecycleHookArgs(
            name=LAUNCH_HOOK,
            lifecycle_transition="autoscaling:EC2_INSTANCE_LAUNCHING",
            default_result="ABANDON",
            heartbeat_timeout=LAUNCH_SECONDS,
        ),
        aws.autoscaling.GroupInitialLifecycleHookArgs(
            name=DRAIN_HOOK,
            lifecycle_transition="autoscaling:EC2_INSTANCE_TERMINATING",
            default_result="CONTINUE",
            heartbeat_timeout=drain_seconds + DRAIN_MARGIN_SECONDS,
        ),
    ]


def _group(
    name: str,
    args: FleetArgs,
    group_name: str,
    template: aws.ec2.LaunchTemplate,
    fleet: pulumi.Resource,
) -> aws.autoscaling.Group:
    least, most = args.healthy_percent
    tags = stack_tags(args.place) | {"Name": group_name}
    ending_minutes = (args.drain_seconds + DRAIN_MARGIN_SECONDS) // 60 + 15
    return aws.autoscaling.Group(
        name,
        name=group_name,
        min_size=args.nodes.min,
        max_size=args.nodes.max,
        vpc_zone_identifiers=list(args.subnet_ids),
        target_group_arns=list(args.targets),
        launch_template=aws.autoscaling.GroupLaunchTemplateArgs(
            id=template.id, version=template.latest_version.apply(str)
        ),
        health_check_type=args.health,
        # A node that leaves the launch hook works already.
        health_check_grace_period=0,
        default_instance_warmup=60,
        # Only the agent of a node that counts calls takes the protection off when it is idle.
        protect_from_scale_in=isinstance(args.scaling, ByCalls),
        max_instance_lifetime=LIFETIME_SECONDS,
        instance_maintenance_policy=aws.autoscaling.GroupInstanceMaintenancePolicyArgs(
            min_healthy_percentage=least, max_healthy_percentage=most
        ),
        # Protected nodes are replaced too: the drain hook lets their calls end.
        instance_refresh=aws.autoscaling.GroupInstanceRefreshArgs(
            strategy="Rolling",
            preferences=aws.autoscaling.GroupInstanceRefreshPreferencesArgs(
                min_healthy_percentage=least,
                max_healthy_percentage=most,
                scale_in_protected_instances="Refresh",
                standby_instances="Terminate",
            ),
        ),
        initial_lifecycle_hooks=_hooks(args.drain_seconds),
        warm_pool=_warm_pool(args.nodes),
        enabled_metrics=[
            aws.autoscaling.Metric.GROUP_DESIRED_CAPACITY,
            aws.autoscaling.Metric.GROUP_IN_SERVICE_INSTANCES,
            aws.autoscaling.Metric.GROUP_PENDING_INSTANCES,
            aws.autoscaling.Metric.GROUP_TERMINATING_INSTANCES,
        ],
        # The first nodes wait for secrets that `inland regions supply` writes after this.
        wait_for_capacity_timeout="0",
        tags=[
            aws.autoscaling.GroupTagArgs(key=key, value=value, propagate_at_launch=True)
            for key, value in tags.items()
        ],
        opts=ResourceOptions(
            parent=fleet, custom_timeouts=CustomTimeouts(delete=f"{ending_minutes}m")
        ),
    )


def _warm_pool(nodes: Range) -> aws.autoscaling.GroupWarmPoolArgs | None:
    """Stopped machines that are installed. AWS fills up to the larger of the two numbers, so both
    are given: ``warm`` of them, however many nodes are in service."""
    if nodes.warm == 0:
        return None
    return aws.autoscaling.GroupWarmPoolArgs(
        pool_state="Stopped",
        min_size=nodes.warm,
        max_group_prepared_capacity=nodes.min + nodes.warm,
    )


def _scale(
    name: str,
    scaling: Scaling,
    group_name: str,
    group: aws.autoscaling.Group,
    opts: ResourceOptions,
) -> None:
    if isinstance(scaling, ByCalls):
        tracked = aws.autoscaling.PolicyTargetTrackingConfigurationArgs(
            target_value=scaling.calls_per_node * TARGET_SHARE,
            customized_metric_specification=_calls_of(group_name),
        )
    else:
        tracked = aws.autoscaling.PolicyTargetTrackingConfigurationArgs(
            target_value=float(scaling.percent),
            predefined_metric_specification=(
                aws.autoscaling.PolicyTargetTrackingConfigurationPredefinedMetricSpecificationArgs(
                    predefined_metric_type="ASGAverageCPUUtilization"
                )
            ),
        )
    aws.autoscaling.Policy(
        name,
        name=group_name,
        autoscaling_group_name=group.name,
        policy_type="TargetTrackingScaling",
        target_tracking_configuration=tracked,
        opts=opts,
    )


def _calls_of(
    group_name: str,
) -> aws.autoscaling.PolicyTargetTrackingConfigurationCustomizedMetricSpecificationArgs:
    config = aws.autoscaling
    return config.PolicyTargetTrackingConfigurationCustomizedMetricSpecificationArgs(
        namespace=METRIC_NAMESPACE,
        metric_name=ACTIVE_METRIC,
        statistic="Average",
        metric_dimensions=[
            config.PolicyTargetTrackingConfigurationCustomizedMetricSpecificationMetricDimensionArgs(
                name="AutoScalingGroupName", value=group_name
            )
        ],
    )
