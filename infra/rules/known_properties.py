"""Every property that a resource of a stack may have, by its type.

A property stands here when it says nothing of where data goes, or when another rule looks at its
value. To use one more, find out what it does, and write it down here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

OWN_WORDS: Final = frozenset({"assumeRolePolicy", "dimensions", "policy", "tags"})
"""Maps whose keys are the program's own words."""
_LISTED: Final = {
    "aws:acm/certificate:Certificate": (
        "domainName keyAlgorithm options.certificateTransparencyLoggingPreference options.export "
        "subjectAlternativeNames tags validationMethod"
    ),
    "aws:acm/certificateValidation:CertificateValidation": "certificateArn validationRecordFqdns",
    "aws:autoscaling/attachment:Attachment": "autoscalingGroupName lbTargetGroupArn",
    "aws:autoscaling/group:Group": (
        "defaultInstanceWarmup desiredCapacity enabledMetrics healthCheckGracePeriod "
        "healthCheckType initialLifecycleHooks.defaultResult "
        "initialLifecycleHooks.heartbeatTimeout initialLifecycleHooks.lifecycleTransition "
        "initialLifecycleHooks.name instanceMaintenancePolicy.maxHealthyPercentage "
        "instanceMaintenancePolicy.minHealthyPercentage "
        "instanceRefresh.preferences.maxHealthyPercentage "
        "instanceRefresh.preferences.minHealthyPercentage "
        "instanceRefresh.preferences.scaleInProtectedInstances "
        "instanceRefresh.preferences.standbyInstances instanceRefresh.strategy launchTemplate.id "
        "launchTemplate.name launchTemplate.version maxInstanceLifetime maxSize minSize name "
        "protectFromScaleIn tags targetGroupArns vpcZoneIdentifiers waitForCapacityTimeout "
        "warmPool.maxGroupPreparedCapacity warmPool.minSize warmPool.poolState"
    ),
    "aws:autoscaling/lifecycleHook:LifecycleHook": (
        "autoscalingGroupName defaultResult heartbeatTimeout lifecycleTransition name"
    ),
    "aws:autoscaling/policy:Policy": (
        "autoscalingGroupName name policyType "
        "targetTrackingConfiguration.customizedMetricSpecification.metricDimensions.name "
        "targetTrackingConfiguration.customizedMetricSpecification.metricDimensions.value "
        "targetTrackingConfiguration.customizedMetricSpecification.metricName "
        "targetTrackingConfiguration.customizedMetricSpecification.namespace "
        "targetTrackingConfiguration.customizedMetricSpecification.statistic "
        "targetTrackingConfiguration.predefinedMetricSpecification.predefinedMetricType "
        "targetTrackingConfiguration.targetValue"
    ),
    "aws:budgets/budget:Budget": (
        "accountId budgetType costFilters.name costFilters.values limitAmount limitUnit name "
        "notifications.comparisonOperator notifications.notificationType "
        "notifications.subscriberEmailAddresses notifications.threshold "
        "notifications.thresholdType timeUnit"
    ),
    "aws:cloudwatch/compositeAlarm:CompositeAlarm": (
        "actionsEnabled alarmActions alarmDescription alarmName alarmRule insufficientDataActions "
        "okActions tags"
    ),
    "aws:cloudwatch/dashboard:Dashboard": "dashboardBody dashboardName",
    "aws:cloudwatch/logGroup:LogGroup": "kmsKeyId name retentionInDays skipDestroy tags",
    "aws:cloudwatch/metricAlarm:MetricAlarm": (
        "alarmActions alarmDescription comparisonOperator datapointsToAlarm dimensions "
        "evaluationPeriods insufficientDataActions metricName name namespace okActions period "
        "statistic tags threshold treatMissingData"
    ),
    "aws:ebs/volume:Volume": "availabilityZone encrypted iops kmsKeyId size tags throughput type",
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": (
        "egress.cidrBlocks egress.fromPort egress.protocol egress.self egress.toPort "
        "ingress.cidrBlocks ingress.fromPort ingress.protocol ingress.self ingress.toPort tags "
        "vpcId"
    ),
    "aws:ec2/flowLog:FlowLog": (
        "deliverCrossAccountRole iamRoleArn logDestination logDestinationType "
        "maxAggregationInterval tags trafficType vpcId"
    ),
    "aws:ec2/internetGateway:InternetGateway": "tags vpcId",
    "aws:ec2/launchTemplate:LaunchTemplate": (
        "blockDeviceMappings.deviceName blockDeviceMappings.ebs.deleteOnTermination "
        "blockDeviceMappings.ebs.encrypted blockDeviceMappings.ebs.iops "
        "blockDeviceMappings.ebs.kmsKeyId blockDeviceMappings.ebs.snapshotId "
        "blockDeviceMappings.ebs.throughput blockDeviceMappings.ebs.volumeSize "
        "blockDeviceMappings.ebs.volumeType description ebsOptimized iamInstanceProfile.arn "
        "iamInstanceProfile.name imageId instanceType metadataOptions.httpEndpoint "
        "metadataOptions.httpProtocolIpv6 metadataOptions.httpPutResponseHopLimit "
        "metadataOptions.httpTokens metadataOptions.instanceMetadataTags monitoring.enabled name "
        "networkInterfaces.associatePublicIpAddress networkInterfaces.deleteOnTermination "
        "networkInterfaces.deviceIndex networkInterfaces.securityGroups networkInterfaces.subnetId "
        "placement.tenancy tagSpecifications.resourceType tagSpecifications.tags tags "
        "updateDefaultVersion userData vpcSecurityGroupIds"
    ),
    "aws:ec2/route:Route": "destinationCidrBlock destinationIpv6CidrBlock gatewayId routeTableId",
    "aws:ec2/routeTable:RouteTable": (
        "propagatingVgws routes.cidrBlock routes.gatewayId routes.ipv6CidrBlock tags vpcId"
    ),
    "aws:ec2/routeTableAssociation:RouteTableAssociation": "routeTableId subnetId",
    "aws:ec2/securityGroup:SecurityGroup": (
        "description egress.cidrBlocks egress.description egress.fromPort egress.ipv6CidrBlocks "
        "egress.prefixListIds egress.protocol egress.securityGroups egress.self egress.toPort "
        "ingress.cidrBlocks ingress.description ingress.fromPort ingress.ipv6CidrBlocks "
        "ingress.prefixListIds ingress.protocol ingress.securityGroups ingress.self ingress.toPort "
        "name tags vpcId"
    ),
    "aws:ec2/securityGroupRule:SecurityGroupRule": (
        "cidrBlocks description fromPort ipv6CidrBlocks prefixListIds protocol securityGroupId "
        "self sourceSecurityGroupId toPort type"
    ),
    "aws:ec2/subnet:Subnet": (
        "availabilityZone availabilityZoneId cidrBlock mapPublicIpOnLaunch tags vpcId"
    ),
    "aws:ec2/vpc:Vpc": "cidrBlock enableDnsHostnames enableDnsSupport tags",
    "aws:ec2/vpcEndpoint:VpcEndpoint": (
        "dnsOptions.privateDnsOnlyForInboundResolverEndpoint policy privateDnsEnabled "
        "routeTableIds securityGroupIds serviceName serviceRegion "
        "subnetIds tags vpcEndpointType vpcId"
    ),
    "aws:elasticache/parameterGroup:ParameterGroup": (
        "description family name parameters.name parameters.value"
    ),
    "aws:elasticache/replicationGroup:ReplicationGroup": (
        "applyImmediately atRestEncryptionEnabled authToken autoMinorVersionUpgrade "
        "automaticFailoverEnabled description engine engineVersion finalSnapshotIdentifier "
        "globalReplicationGroupId kmsKeyId multiAzEnabled nodeType notificationTopicArn "
        "numCacheClusters parameterGroupName port replicationGroupId securityGroupIds snapshotArns "
        "snapshotName snapshotRetentionLimit subnetGroupName tags transitEncryptionEnabled "
        "transitEncryptionMode userGroupIds"
    ),
    "aws:elasticache/subnetGroup:SubnetGroup": "description name subnetIds",
    "aws:elasticache/user:User": (
        "accessString authenticationMode.type engine noPasswordRequired userId userName"
    ),
    "aws:elasticache/userGroup:UserGroup": "engine userGroupId userIds",
    "aws:iam/instanceProfile:InstanceProfile": "name role",
    "aws:iam/policy:Policy": "description name policy tags",
    "aws:iam/role:Role": (
        "assumeRolePolicy description inlinePolicies.name inlinePolicies.policy managedPolicyArns "
        "name permissionsBoundary"
    ),
    "aws:iam/rolePolicy:RolePolicy": "name policy role",
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": "policyArn role",
    "aws:kms/alias:Alias": "name targetKeyId",
    "aws:kms/key:Key": (
        "deletionWindowInDays description enableKeyRotation isEnabled multiRegion policy tags"
    ),
    "aws:lb/listener:Listener": (
        "certificateArn defaultActions.fixedResponse.contentType "
        "defaultActions.fixedResponse.messageBody defaultActions.fixedResponse.statusCode "
        "defaultActions.forward.targetGroups.arn defaultActions.forward.targetGroups.weight "
        "defaultActions.redirect.host defaultActions.redirect.port "
        "defaultActions.redirect.protocol defaultActions.redirect.statusCode "
        "defaultActions.targetGroupArn defaultActions.type loadBalancerArn port protocol sslPolicy"
    ),
    "aws:lb/listenerRule:ListenerRule": (
        "actions.fixedResponse.contentType actions.fixedResponse.messageBody "
        "actions.fixedResponse.statusCode actions.forward.targetGroups.arn "
        "actions.forward.targetGroups.weight actions.redirect.host actions.redirect.port "
        "actions.redirect.protocol actions.redirect.statusCode actions.targetGroupArn actions.type "
        "conditions.hostHeader.values listenerArn priority"
    ),
    "aws:lb/loadBalancer:LoadBalancer": (
        "accessLogs.bucket accessLogs.enabled accessLogs.prefix connectionLogs.bucket "
        "connectionLogs.enabled connectionLogs.prefix desyncMitigationMode dropInvalidHeaderFields "
        "enableCrossZoneLoadBalancing idleTimeout internal loadBalancerType name securityGroups "
        "subnets tags"
    ),
    "aws:lb/targetGroup:TargetGroup": (
        "connectionTermination deregistrationDelay healthCheck.enabled "
        "healthCheck.healthyThreshold healthCheck.interval healthCheck.matcher healthCheck.path "
        "healthCheck.port healthCheck.protocol healthCheck.timeout healthCheck.unhealthyThreshold "
        "name port preserveClientIp protocol stickiness.enabled stickiness.type tags targetType "
        "vpcId"
    ),
    "aws:route53/healthCheck:HealthCheck": (
        "enableSni failureThreshold fqdn port requestInterval resourcePath tags type"
    ),
    "aws:route53/record:Record": (
        "aliases.evaluateTargetHealth aliases.name aliases.zoneId allowOverwrite healthCheckId "
        "latencyRoutingPolicies.region name records setIdentifier ttl type zoneId"
    ),
    "aws:s3/bucket:Bucket": (
        "accelerationStatus acl bucket forceDestroy replicationConfiguration.role tags "
        "website.indexDocument"
    ),
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": (
        "bucket rules.abortIncompleteMultipartUpload.daysAfterInitiation rules.expiration.days "
        "rules.expiration.expiredObjectDeleteMarker rules.filter.prefix rules.id "
        "rules.noncurrentVersionExpiration.noncurrentDays rules.prefix rules.status"
    ),
    "aws:s3/bucketOwnershipControls:BucketOwnershipControls": "bucket rule.objectOwnership",
    "aws:s3/bucketPolicy:BucketPolicy": "bucket policy",
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": (
        "blockPublicAcls blockPublicPolicy bucket ignorePublicAcls restrictPublicBuckets"
    ),
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": (
        "bucket rules.applyServerSideEncryptionByDefault.kmsMasterKeyId "
        "rules.applyServerSideEncryptionByDefault.sseAlgorithm rules.bucketKeyEnabled"
    ),
    "aws:s3/bucketVersioning:BucketVersioning": "bucket versioningConfiguration.status",
    "aws:secretsmanager/secret:Secret": (
        "description kmsKeyId name policy recoveryWindowInDays replicas.kmsKeyId replicas.region "
        "tags"
    ),
    "aws:secretsmanager/secretPolicy:SecretPolicy": "blockPublicPolicy policy secretArn",
    "aws:sns/topic:Topic": "displayName kmsMasterKeyId name policy tags",
    "aws:sns/topicPolicy:TopicPolicy": "arn policy",
    "aws:sns/topicSubscription:TopicSubscription": "endpoint protocol topic",
    "aws:sqs/queue:Queue": (
        "delaySeconds kmsMasterKeyId maxMessageSize messageRetentionSeconds name policy "
        "receiveWaitTimeSeconds tags visibilityTimeoutSeconds"
    ),
    "aws:sqs/queuePolicy:QueuePolicy": "policy queueUrl",
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": (
        "cidrIpv4 cidrIpv6 description fromPort ipProtocol prefixListId referencedSecurityGroupId "
        "securityGroupId tags toPort"
    ),
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": (
        "cidrIpv4 cidrIpv6 description fromPort ipProtocol prefixListId referencedSecurityGroupId "
        "securityGroupId tags toPort"
    ),
}
KNOWN: Final[Mapping[str, frozenset[str]]] = {
    type_: frozenset({"region", *paths.split()}) for type_, paths in _LISTED.items()
}
"""Type to the paths of its properties, without the indexes of lists. ``region`` is everywhere:
``effective-region`` looks at it."""
