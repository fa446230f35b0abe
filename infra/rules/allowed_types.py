"""The resource types that a stack may hold. What is not here is refused, whatever it does."""

from __future__ import annotations

from typing import Final

PROVIDER: Final = "pulumi:providers:aws"
STACK: Final = "pulumi:pulumi:Stack"
STACK_REFERENCE: Final = "pulumi:pulumi:StackReference"
OURS: Final = "inland:"
"""Our own components: they make nothing by themselves."""

BUCKET: Final = "aws:s3/bucket:Bucket"
BUCKET_POLICY: Final = "aws:s3/bucketPolicy:BucketPolicy"
CACHE: Final = "aws:elasticache/replicationGroup:ReplicationGroup"
ENDPOINT: Final = "aws:ec2/vpcEndpoint:VpcEndpoint"
KEY: Final = "aws:kms/key:Key"
ALIAS: Final = "aws:kms/alias:Alias"
LAUNCH_TEMPLATE: Final = "aws:ec2/launchTemplate:LaunchTemplate"
LOG_GROUP: Final = "aws:cloudwatch/logGroup:LogGroup"
MANAGED_POLICY: Final = "aws:iam/policy:Policy"
QUEUE: Final = "aws:sqs/queue:Queue"
ROLE: Final = "aws:iam/role:Role"
ROLE_POLICY: Final = "aws:iam/rolePolicy:RolePolicy"
ROLE_ATTACHMENT: Final = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
SECRET: Final = "aws:secretsmanager/secret:Secret"
SECURITY_GROUP: Final = "aws:ec2/securityGroup:SecurityGroup"
SUBSCRIPTION: Final = "aws:sns/topicSubscription:TopicSubscription"
TOPIC: Final = "aws:sns/topic:Topic"
VOLUME: Final = "aws:ebs/volume:Volume"

_BOTH: Final = frozenset(
    {
        PROVIDER,
        "aws:acm/certificate:Certificate",
        "aws:acm/certificateValidation:CertificateValidation",
        "aws:autoscaling/attachment:Attachment",
        "aws:autoscaling/group:Group",
        "aws:autoscaling/lifecycleHook:LifecycleHook",
        "aws:autoscaling/policy:Policy",
        "aws:budgets/budget:Budget",
        "aws:cloudwatch/compositeAlarm:CompositeAlarm",
        "aws:cloudwatch/dashboard:Dashboard",
        "aws:cloudwatch/metricAlarm:MetricAlarm",
        LOG_GROUP,
        "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup",
        "aws:ec2/flowLog:FlowLog",
        "aws:ec2/internetGateway:InternetGateway",
        LAUNCH_TEMPLATE,
        "aws:ec2/route:Route",
        "aws:ec2/routeTable:RouteTable",
        "aws:ec2/routeTableAssociation:RouteTableAssociation",
        SECURITY_GROUP,
        "aws:ec2/securityGroupRule:SecurityGroupRule",
        "aws:ec2/subnet:Subnet",
        "aws:ec2/vpc:Vpc",
        ENDPOINT,
        "aws:iam/instanceProfile:InstanceProfile",
        MANAGED_POLICY,
        ROLE,
        ROLE_POLICY,
        ROLE_ATTACHMENT,
        ALIAS,
        KEY,
        "aws:lb/listener:Listener",
        "aws:lb/listenerRule:ListenerRule",
        "aws:lb/loadBalancer:LoadBalancer",
        "aws:lb/targetGroup:TargetGroup",
        "aws:route53/record:Record",
        BUCKET,
        "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
        "aws:s3/bucketOwnershipControls:BucketOwnershipControls",
        BUCKET_POLICY,
        "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
        "aws:s3/bucketVersioning:BucketVersioning",
        SECRET,
        "aws:secretsmanager/secretPolicy:SecretPolicy",
        TOPIC,
        "aws:sns/topicPolicy:TopicPolicy",
        SUBSCRIPTION,
        "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule",
        "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
    }
)

ALLOWED: Final = {
    "region": _BOTH
    | {
        VOLUME,
        "aws:elasticache/parameterGroup:ParameterGroup",
        CACHE,
        "aws:elasticache/subnetGroup:SubnetGroup",
        "aws:elasticache/user:User",
        "aws:elasticache/userGroup:UserGroup",
        QUEUE,
        "aws:sqs/queuePolicy:QueuePolicy",
    },
    "control-plane": _BOTH | {"aws:route53/healthCheck:HealthCheck"},
}
"""By the kind of a stack. A control plane has no cache, no queue and no table: nothing that could
hold what a caller said."""


def is_component(type_: str) -> bool:
    """Whether the type is a component of ours, or the stack itself."""
    return type_ == STACK or type_.startswith(OURS)
