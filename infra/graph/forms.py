"""How AWS names what it makes: one row per resource type.

Templates use ``{region}``, ``{account}``, ``{name}`` (the physical name), ``{id}``, ``{arn}``,
``{in_<property>}`` and digests of the URN (``{hex17}``, ``{uuid}``, ...). Source: "Actions,
resources, and condition keys for AWS services", tables "Resource types" (2026-11-21).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True, slots=True)
class Form:
    """How the id and the ARN of a type look, and what else is computed.

    ``named`` is the property with the physical name, which Pulumi makes up when it is absent.
    """

    id: str
    arn: str = ""
    named: str = ""
    more: Mapping[str, str] = field(default_factory=dict)


def _local(service: str, rest: str) -> str:
    return f"arn:aws:{service}:{{region}}:{{account}}:{rest}"


def _ec2(kind: str, prefix: str, **more: str) -> Form:
    return Form(f"{prefix}-{{hex17}}", _local("ec2", f"{kind}/{{id}}"), more=more)


def _named(arn: str, named: str = "name", **more: str) -> Form:
    return Form("{name}", arn, named, more)


_BUCKET_PART = Form("{in_bucket}")
_SECRET = _local("secretsmanager", "secret:{name}-{hex6}")

FORMS: Final[Mapping[str, Form]] = {
    "aws:kms/key:Key": Form("{uuid}", _local("kms", "key/{id}"), more={"keyId": "{uuid}"}),
    "aws:kms/alias:Alias": _named(
        _local("kms", "{name}"), targetKeyArn=_local("kms", "key/{in_targetKeyId}")
    ),
    "aws:ec2/vpc:Vpc": _ec2(
        "vpc",
        "vpc",
        defaultSecurityGroupId="sg-{hex17}",
        defaultRouteTableId="rtb-{hex17}",
        mainRouteTableId="rtb-{hex17}",
        defaultNetworkAclId="acl-{hex17}",
        ownerId="{account}",
    ),
    "aws:ec2/subnet:Subnet": _ec2("subnet", "subnet", ownerId="{account}"),
    "aws:ec2/internetGateway:InternetGateway": _ec2("internet-gateway", "igw"),
    "aws:ec2/routeTable:RouteTable": _ec2("route-table", "rtb"),
    "aws:ec2/route:Route": Form("r-{in_routeTableId}{number}"),
    "aws:ec2/routeTableAssociation:RouteTableAssociation": Form("rtbassoc-{hex17}"),
    "aws:ec2/securityGroup:SecurityGroup": Form(
        "sg-{hex17}", _local("ec2", "security-group/{id}"), "name"
    ),
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": _ec2("security-group", "sg"),
    "aws:ec2/vpcEndpoint:VpcEndpoint": _ec2("vpc-endpoint", "vpce", prefixListId="pl-{hex17}"),
    "aws:ec2/flowLog:FlowLog": _ec2("vpc-flow-log", "fl"),
    "aws:ec2/launchTemplate:LaunchTemplate": Form(
        "lt-{hex17}", _local("ec2", "launch-template/{id}"), "name"
    ),
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": Form(
        "sgr-{hex17}",
        _local("ec2", "security-group-rule/{id}"),
        more={"securityGroupRuleId": "sgr-{hex17}"},
    ),
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": Form(
        "sgr-{hex17}",
        _local("ec2", "security-group-rule/{id}"),
        more={"securityGroupRuleId": "sgr-{hex17}"},
    ),
    "aws:elasticache/subnetGroup:SubnetGroup": _named(_local("elasticache", "subnetgroup:{name}")),
    "aws:elasticache/parameterGroup:ParameterGroup": _named(
        _local("elasticache", "parametergroup:{name}")
    ),
    "aws:elasticache/user:User": _named(_local("elasticache", "user:{name}"), "userId"),
    "aws:elasticache/userGroup:UserGroup": _named(
        _local("elasticache", "usergroup:{name}"), "userGroupId"
    ),
    "aws:elasticache/replicationGroup:ReplicationGroup": _named(
        _local("elasticache", "replicationgroup:{name}"),
        "replicationGroupId",
        primaryEndpointAddress="master.{name}.{hex6}.cache.amazonaws.com",
        readerEndpointAddress="replica.{name}.{hex6}.cache.amazonaws.com",
    ),
    "aws:secretsmanager/secret:Secret": Form("{arn}", _SECRET, "name"),
    "aws:secretsmanager/secretPolicy:SecretPolicy": Form("{in_secretArn}"),
    "aws:secretsmanager/secretVersion:SecretVersion": Form("{in_secretId}|{uuid}"),
    "aws:s3/bucket:Bucket": _named(
        "arn:aws:s3:::{name}",
        "bucket",
        bucketRegion="{region}",
        bucketDomainName="{name}.s3.amazonaws.com",
        bucketRegionalDomainName="{name}.s3.{region}.amazonaws.com",
    ),
    "aws:s3/bucketPolicy:BucketPolicy": _BUCKET_PART,
    "aws:s3/bucketVersioning:BucketVersioning": _BUCKET_PART,
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": _BUCKET_PART,
    "aws:s3/bucketOwnershipControls:BucketOwnershipControls": _BUCKET_PART,
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": _BUCKET_PART,
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": (
        _BUCKET_PART
    ),
    "aws:iam/role:Role": _named(
        "arn:aws:iam::{account}:role/{name}", uniqueId="AROA{zone}", createDate=""
    ),
    "aws:iam/policy:Policy": Form("{arn}", "arn:aws:iam::{account}:policy/{name}", "name"),
    "aws:iam/rolePolicy:RolePolicy": Form("{in_role}:{name}", named="name"),
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": Form("{in_role}-{number}"),
    "aws:iam/instanceProfile:InstanceProfile": _named(
        "arn:aws:iam::{account}:instance-profile/{name}", uniqueId="AIPA{zone}"
    ),
    "aws:acm/certificate:Certificate": Form(
        "{arn}", _local("acm", "certificate/{uuid}"), more={"status": "PENDING_VALIDATION"}
    ),
    "aws:acm/certificateValidation:CertificateValidation": Form("{uuid}"),
    "aws:route53/record:Record": Form(
        "{in_zoneId}_{in_name}_{in_type}{in_setIdentifier}", more={"fqdn": "{in_name}"}
    ),
    "aws:route53/healthCheck:HealthCheck": Form("{uuid}", "arn:aws:route53:::healthcheck/{id}"),
    "aws:lb/loadBalancer:LoadBalancer": Form(
        "{arn}",
        _local("elasticloadbalancing", "loadbalancer/{kind}/{name}/{hex16}"),
        "name",
        {
            "arnSuffix": "{kind}/{name}/{hex16}",
            "dnsName": "{name}-{hex16}.elb.{region}.amazonaws.com",
            "zoneId": "Z{zone}",
        },
    ),
    "aws:lb/targetGroup:TargetGroup": Form(
        "{arn}",
        _local("elasticloadbalancing", "targetgroup/{name}/{hex16}"),
        "name",
        {"arnSuffix": "targetgroup/{name}/{hex16}"},
    ),
    "aws:lb/listener:Listener": Form("{arn}", "{in_balancer}/{hex16}"),
    "aws:lb/listenerRule:ListenerRule": Form("{arn}", "{in_rules}/{hex16}"),
    "aws:autoscaling/group:Group": _named(
        _local("autoscaling", "autoScalingGroup:{uuid}:autoScalingGroupName/{name}")
    ),
    "aws:autoscaling/policy:Policy": _named(
        _local(
            "autoscaling",
            "scalingPolicy:{uuid}:autoScalingGroupName/{in_autoscalingGroupName}:policyName/{name}",
        )
    ),
    "aws:autoscaling/lifecycleHook:LifecycleHook": _named(""),
    "aws:cloudwatch/metricAlarm:MetricAlarm": _named(_local("cloudwatch", "alarm:{name}")),
    "aws:cloudwatch/compositeAlarm:CompositeAlarm": Form(
        "{in_alarmName}", _local("cloudwatch", "alarm:{id}")
    ),
    "aws:cloudwatch/dashboard:Dashboard": Form(
        "{in_dashboardName}", more={"dashboardArn": "arn:aws:cloudwatch::{account}:dashboard/{id}"}
    ),
    "aws:cloudwatch/logGroup:LogGroup": _named(_local("logs", "log-group:{name}")),
    "aws:sns/topic:Topic": Form("{arn}", _local("sns", "{name}"), "name", {"owner": "{account}"}),
    "aws:sns/topicPolicy:TopicPolicy": Form("{in_arn}", more={"owner": "{account}"}),
    "aws:sns/topicSubscription:TopicSubscription": Form("{arn}", "{in_topic}:{uuid}"),
    "aws:budgets/budget:Budget": Form(
        "{account}:{name}", "arn:aws:budgets::{account}:budget/{name}", "name"
    ),
    "aws:sqs/queue:Queue": Form(
        "https://sqs.{region}.amazonaws.com/{account}/{name}",
        _local("sqs", "{name}"),
        "name",
        {"url": "https://sqs.{region}.amazonaws.com/{account}/{name}"},
    ),
}
