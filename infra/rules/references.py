"""What a resource points to is the stack's: its network, machines, groups, keys and addresses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, TypeAlias

from infra.rules import allowed_types as types
from infra.rules.identity import at, named
from infra.rules.model import Graph, Scope

_Targets: TypeAlias = Mapping[str, tuple[str, ...]]
_NETWORK: Final[_Targets] = {"vpcId": (types.VPC,)}
_ACTIONS: Final[_Targets] = dict.fromkeys(
    ("alarmActions", "okActions", "insufficientDataActions"), (types.TOPIC,)
)
_GROUPS: Final = (types.SECURITY_GROUP,)
_TARGET_GROUPS: Final = (types.TARGET_GROUP,)


def _answers(name: str) -> _Targets:
    return {
        f"{name}.targetGroupArn": _TARGET_GROUPS,
        f"{name}.forward.targetGroups.arn": _TARGET_GROUPS,
    }


REFERENCES: Final[Mapping[str, _Targets]] = {
    types.VALIDATION: {"certificateArn": (types.CERTIFICATE,)},
    "aws:autoscaling/attachment:Attachment": {
        "autoscalingGroupName": (types.GROUP,),
        "lbTargetGroupArn": _TARGET_GROUPS,
    },
    types.GROUP: {
        "launchTemplate.id": (types.LAUNCH_TEMPLATE,),
        "launchTemplate.name": (types.LAUNCH_TEMPLATE,),
        "targetGroupArns": _TARGET_GROUPS,
        "vpcZoneIdentifiers": (types.SUBNET,),
    },
    "aws:autoscaling/lifecycleHook:LifecycleHook": {"autoscalingGroupName": (types.GROUP,)},
    "aws:autoscaling/policy:Policy": {"autoscalingGroupName": (types.GROUP,)},
    "aws:cloudwatch/compositeAlarm:CompositeAlarm": _ACTIONS,
    "aws:cloudwatch/metricAlarm:MetricAlarm": _ACTIONS,
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": _NETWORK,
    "aws:ec2/flowLog:FlowLog": {**_NETWORK, "iamRoleArn": (types.ROLE,)},
    types.GATEWAY: _NETWORK,
    types.LAUNCH_TEMPLATE: {
        "iamInstanceProfile.arn": (types.INSTANCE_PROFILE,),
        "iamInstanceProfile.name": (types.INSTANCE_PROFILE,),
        "networkInterfaces.securityGroups": _GROUPS,
        "networkInterfaces.subnetId": (types.SUBNET,),
        "vpcSecurityGroupIds": _GROUPS,
    },
    types.ROUTE: {"gatewayId": (types.GATEWAY,), "routeTableId": (types.ROUTE_TABLE,)},
    types.ROUTE_TABLE: {**_NETWORK, "routes.gatewayId": (types.GATEWAY,)},
    "aws:ec2/routeTableAssociation:RouteTableAssociation": {
        "gatewayId": (types.GATEWAY,),
        "routeTableId": (types.ROUTE_TABLE,),
        "subnetId": (types.SUBNET,),
    },
    types.SECURITY_GROUP: {
        **_NETWORK,
        "egress.securityGroups": _GROUPS,
        "ingress.securityGroups": _GROUPS,
    },
    "aws:ec2/securityGroupRule:SecurityGroupRule": {
        "securityGroupId": _GROUPS,
        "sourceSecurityGroupId": _GROUPS,
    },
    types.SUBNET: _NETWORK,
    types.ENDPOINT: {
        **_NETWORK,
        "routeTableIds": (types.ROUTE_TABLE,),
        "securityGroupIds": _GROUPS,
        "subnetIds": (types.SUBNET,),
    },
    types.CACHE: {
        "notificationTopicArn": (types.TOPIC,),
        "parameterGroupName": (types.PARAMETER_GROUP,),
        "securityGroupIds": _GROUPS,
        "subnetGroupName": (types.SUBNET_GROUP,),
        "userGroupIds": (types.USER_GROUP,),
    },
    types.SUBNET_GROUP: {"subnetIds": (types.SUBNET,)},
    types.USER_GROUP: {"userIds": (types.USER,)},
    types.INSTANCE_PROFILE: {"role": (types.ROLE,)},
    types.ROLE_POLICY: {"role": (types.ROLE,)},
    types.ROLE_ATTACHMENT: {"role": (types.ROLE,)},
    types.ALIAS: {"targetKeyId": (types.KEY,)},
    types.LISTENER: {
        **_answers("defaultActions"),
        "certificateArn": (types.CERTIFICATE, types.VALIDATION),
        "loadBalancerArn": (types.LOAD_BALANCER,),
    },
    types.LISTENER_RULE: {**_answers("actions"), "listenerArn": (types.LISTENER,)},
    types.LOAD_BALANCER: {"securityGroups": _GROUPS, "subnets": (types.SUBNET,)},
    types.TARGET_GROUP: _NETWORK,
    types.RECORD: {"healthCheckId": (types.HEALTH_CHECK,)},
    **{
        f"aws:s3/{kind}": {"bucket": (types.BUCKET,)}
        for kind in (
            "bucketLifecycleConfiguration:BucketLifecycleConfiguration",
            "bucketOwnershipControls:BucketOwnershipControls",
            "bucketPolicy:BucketPolicy",
            "bucketPublicAccessBlock:BucketPublicAccessBlock",
            "bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
            "bucketVersioning:BucketVersioning",
        )
    },
    "aws:secretsmanager/secretPolicy:SecretPolicy": {"secretArn": (types.SECRET,)},
    "aws:sns/topicPolicy:TopicPolicy": {"arn": (types.TOPIC,)},
    types.SUBSCRIPTION: {"topic": (types.TOPIC,)},
    "aws:sqs/queuePolicy:QueuePolicy": {"queueUrl": (types.QUEUE,)},
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": {
        "referencedSecurityGroupId": _GROUPS,
        "securityGroupId": _GROUPS,
    },
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": {
        "referencedSecurityGroupId": _GROUPS,
        "securityGroupId": _GROUPS,
    },
}
"""Type, path of a property, types that it may name. Keys, boundaries, log groups and the addresses
that names lead to have rules of their own."""


def own_reference(graph: Graph, scope: Scope) -> Iterator[tuple[str, str]]:
    """No resource points to one that the stack did not make, by whatever name."""
    for resource in graph.resources.values():
        for path, wanted in REFERENCES.get(resource.type, {}).items():
            for value in at(resource.properties, path):
                if named(graph, resource, path, value, *wanted) is None:
                    yield resource.urn, f"{path} is {value}, which this stack does not make"
