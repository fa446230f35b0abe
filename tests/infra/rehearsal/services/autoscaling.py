"""EC2 Auto Scaling. moto starts and ends the group's machines; none of them boots."""

from __future__ import annotations

from typing import Any, Final

from tests.infra.rehearsal.cloud import Aws
from tests.infra.rehearsal.kind import Kept, Kind, Made, Values, chosen, pascal


def _sizes(inputs: Values) -> dict[str, Any]:
    template = inputs["launchTemplate"]
    wanted = chosen(
        inputs,
        MinSize="minSize",
        MaxSize="maxSize",
        DesiredCapacity="desiredCapacity",
        HealthCheckType="healthCheckType",
        HealthCheckGracePeriod="healthCheckGracePeriod",
        DefaultInstanceWarmup="defaultInstanceWarmup",
        NewInstancesProtectedFromScaleIn="protectFromScaleIn",
        MaxInstanceLifetime="maxInstanceLifetime",
        TerminationPolicies="terminationPolicies",
    )
    if inputs.get("instanceMaintenancePolicy"):
        wanted["InstanceMaintenancePolicy"] = pascal(inputs["instanceMaintenancePolicy"])
    return {
        **wanted,
        "VPCZoneIdentifier": ",".join(inputs["vpcZoneIdentifiers"]),
        "LaunchTemplate": {"LaunchTemplateId": template["id"], "Version": template["version"]},
    }


def _create_group(aws: Aws, inputs: Values) -> Made:
    name = inputs["name"]
    tags = [
        {**pascal(tag), "ResourceId": name, "ResourceType": "auto-scaling-group"}
        for tag in inputs.get("tags") or ()
    ]
    aws.autoscaling.create_auto_scaling_group(
        AutoScalingGroupName=name,
        Tags=tags,
        TargetGroupARNs=inputs.get("targetGroupArns") or [],
        **_sizes(inputs),
    )
    for hook in inputs.get("initialLifecycleHooks") or ():
        aws.autoscaling.put_lifecycle_hook(
            AutoScalingGroupName=name,
            LifecycleHookName=hook["name"],
            LifecycleTransition=hook["lifecycleTransition"],
            DefaultResult=hook["defaultResult"],
            HeartbeatTimeout=hook["heartbeatTimeout"],
        )
    if inputs.get("enabledMetrics"):
        aws.autoscaling.enable_metrics_collection(
            AutoScalingGroupName=name, Metrics=inputs["enabledMetrics"], Granularity="1Minute"
        )
    _warm(aws, name, inputs)
    groups = aws.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])
    return Made(name, {"arn": groups["AutoScalingGroups"][0]["AutoScalingGroupARN"]})


def _warm(aws: Aws, name: str, inputs: Values) -> None:
    pool = inputs.get("warmPool")
    if pool:
        wanted = pascal(chosen(pool, minSize="minSize", poolState="poolState"))
        most = pool.get("maxGroupPreparedCapacity")
        if most is not None:
            wanted["MaxGroupPreparedCapacity"] = most
        aws.autoscaling.put_warm_pool(AutoScalingGroupName=name, **wanted)


def _update_group(aws: Aws, kept: Kept, inputs: Values) -> Values:
    """Without the refresh of its machines that AWS starts now: moto has no StartInstanceRefresh."""
    aws.autoscaling.update_auto_scaling_group(AutoScalingGroupName=kept.id, **_sizes(inputs))
    if kept.inputs.get("warmPool") and not inputs.get("warmPool"):
        aws.autoscaling.delete_warm_pool(AutoScalingGroupName=kept.id)
    _warm(aws, kept.id, inputs)
    return {}


def _delete_group(aws: Aws, kept: Kept) -> None:
    """As the provider drains a group: without protection, down to nothing, then the group.

    The hooks go first: no machine boots here whose agent could say that it is empty.
    """
    name = {"AutoScalingGroupName": kept.id}
    for hook in aws.autoscaling.describe_lifecycle_hooks(**name)["LifecycleHooks"]:
        aws.autoscaling.delete_lifecycle_hook(LifecycleHookName=hook["LifecycleHookName"], **name)
    groups = aws.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[kept.id])
    machines = [item["InstanceId"] for item in groups["AutoScalingGroups"][0]["Instances"]]
    if machines:
        aws.autoscaling.set_instance_protection(
            InstanceIds=machines, ProtectedFromScaleIn=False, **name
        )
    aws.autoscaling.update_auto_scaling_group(MinSize=0, MaxSize=0, DesiredCapacity=0, **name)
    aws.autoscaling.delete_auto_scaling_group(**name)


def _put_policy(aws: Aws, inputs: Values) -> Made:
    name = inputs["name"]
    tracked = inputs["targetTrackingConfiguration"]
    wanted: dict[str, Any] = {"TargetValue": tracked["targetValue"]}
    if tracked.get("predefinedMetricSpecification"):
        predefined = pascal(tracked["predefinedMetricSpecification"])
        wanted["PredefinedMetricSpecification"] = predefined
    if tracked.get("customizedMetricSpecification"):
        custom = pascal(tracked["customizedMetricSpecification"])
        custom["Dimensions"] = custom.pop("MetricDimensions", [])
        wanted["CustomizedMetricSpecification"] = custom
    group = inputs["autoscalingGroupName"]
    aws.autoscaling.put_scaling_policy(
        AutoScalingGroupName=group,
        PolicyName=name,
        PolicyType=inputs["policyType"],
        TargetTrackingConfiguration=wanted,
    )
    # Asked again, as moto's answer above has no ARN when a metric is the caller's own.
    found = aws.autoscaling.describe_policies(AutoScalingGroupName=group, PolicyNames=[name])
    return Made(name, {"arn": found["ScalingPolicies"][0]["PolicyARN"]})


def _update_policy(aws: Aws, kept: Kept, inputs: Values) -> Values:
    return _put_policy(aws, inputs).outputs


KINDS: Final = {
    "aws:autoscaling/group:Group": Kind(
        _create_group,
        _delete_group,
        _update_group,
        frozenset({"name"}),
    ),
    "aws:autoscaling/policy:Policy": Kind(
        _put_policy,
        lambda aws, kept: aws.autoscaling.delete_policy(
            AutoScalingGroupName=kept.inputs["autoscalingGroupName"], PolicyName=kept.id
        ),
        _update_policy,
        frozenset({"name", "autoscalingGroupName"}),
    ),
}
