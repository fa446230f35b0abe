"""The resource types that a stack may hold. What is not here is refused, whatever it does."""

from __future__ import annotations

from typing import Final

PROVIDER: Final = "pulumi:providers:aws"
STACK: Final = "pulumi:pulumi:Stack"
STACK_REFERENCE: Final = "pulumi:pulumi:StackReference"
_OURS: Final = (
    "Budget Certificate Firewall Fleet Front Guardrails Ingress Keys Network NodeLog Observability "
    "Recordings RegionalRuntime Role Secrets Software Store Turn"
)
COMPONENTS: Final = frozenset(
    {"inland:control:ControlPlaneRegion", *(f"inland:region:{name}" for name in _OURS.split())}
)
"""Our own components: they make nothing by themselves."""

ALIAS: Final = "aws:kms/alias:Alias"
BUCKET: Final = "aws:s3/bucket:Bucket"
BUCKET_POLICY: Final = "aws:s3/bucketPolicy:BucketPolicy"
CACHE: Final = "aws:elasticache/replicationGroup:ReplicationGroup"
CERTIFICATE: Final = "aws:acm/certificate:Certificate"
ENDPOINT: Final = "aws:ec2/vpcEndpoint:VpcEndpoint"
GATEWAY: Final = "aws:ec2/internetGateway:InternetGateway"
GROUP: Final = "aws:autoscaling/group:Group"
HEALTH_CHECK: Final = "aws:route53/healthCheck:HealthCheck"
INSTANCE_PROFILE: Final = "aws:iam/instanceProfile:InstanceProfile"
KEY: Final = "aws:kms/key:Key"
LAUNCH_TEMPLATE: Final = "aws:ec2/launchTemplate:LaunchTemplate"
LISTENER: Final = "aws:lb/listener:Listener"
LISTENER_RULE: Final = "aws:lb/listenerRule:ListenerRule"
LOAD_BALANCER: Final = "aws:lb/loadBalancer:LoadBalancer"
LOG_GROUP: Final = "aws:cloudwatch/logGroup:LogGroup"
MANAGED_POLICY: Final = "aws:iam/policy:Policy"
PARAMETER_GROUP: Final = "aws:elasticache/parameterGroup:ParameterGroup"
QUEUE: Final = "aws:sqs/queue:Queue"
RECORD: Final = "aws:route53/record:Record"
ROLE: Final = "aws:iam/role:Role"
ROLE_ATTACHMENT: Final = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
ROLE_POLICY: Final = "aws:iam/rolePolicy:RolePolicy"
ROUTE: Final = "aws:ec2/route:Route"
ROUTE_TABLE: Final = "aws:ec2/routeTable:RouteTable"
SECRET: Final = "aws:secretsmanager/secret:Secret"
SECURITY_GROUP: Final = "aws:ec2/securityGroup:SecurityGroup"
SUBNET: Final = "aws:ec2/subnet:Subnet"
SUBNET_GROUP: Final = "aws:elasticache/subnetGroup:SubnetGroup"
SUBSCRIPTION: Final = "aws:sns/topicSubscription:TopicSubscription"
TARGET_GROUP: Final = "aws:lb/targetGroup:TargetGroup"
TOPIC: Final = "aws:sns/topic:Topic"
USER: Final = "aws:elasticache/user:User"
USER_GROUP: Final = "aws:elasticache/userGroup:UserGroup"
VALIDATION: Final = "aws:acm/certificateValidation:CertificateValidation"
VOLUME: Final = "aws:ebs/volume:Volume"
VPC: Final = "aws:ec2/vpc:Vpc"

_BOTH: Final = frozenset(
    {
        PROVIDER,
        CERTIFICATE,
        VALIDATION,
        "aws:autoscaling/attachment:Attachment",
        GROUP,
        "aws:autoscaling/lifecycleHook:LifecycleHook",
        "aws:autoscaling/policy:Policy",
        "aws:budgets/budget:Budget",
        "aws:cloudwatch/compositeAlarm:CompositeAlarm",
        "aws:cloudwatch/dashboard:Dashboard",
        "aws:cloudwatch/metricAlarm:MetricAlarm",
        LOG_GROUP,
        "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup",
        "aws:ec2/flowLog:FlowLog",
        GATEWAY,
        LAUNCH_TEMPLATE,
        ROUTE,
        ROUTE_TABLE,
        "aws:ec2/routeTableAssociation:RouteTableAssociation",
        SECURITY_GROUP,
        "aws:ec2/securityGroupRule:SecurityGroupRule",
        SUBNET,
        VPC,
        ENDPOINT,
        INSTANCE_PROFILE,
        MANAGED_POLICY,
        ROLE,
        ROLE_POLICY,
        ROLE_ATTACHMENT,
        ALIAS,
        KEY,
        LISTENER,
        LISTENER_RULE,
        LOAD_BALANCER,
        TARGET_GROUP,
        RECORD,
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
        PARAMETER_GROUP,
        CACHE,
        SUBNET_GROUP,
        USER,
        USER_GROUP,
        QUEUE,
        "aws:sqs/queuePolicy:QueuePolicy",
    },
    "control-plane": _BOTH | {HEALTH_CHECK},
}
"""By the kind of a stack. A control plane has no cache, no queue and no table: nothing that could
hold what a caller said."""


def is_component(type_: str) -> bool:
    """Whether the type is that of a component of ours, or of the stack itself."""
    return type_ == STACK or type_ in COMPONENTS
