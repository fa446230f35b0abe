"""ElastiCache: moto knows replication groups and users, and little else."""

from __future__ import annotations

from typing import Final

from tests.infra.rehearsal.cloud import Aws
from tests.infra.rehearsal.kind import Kept, Kind, Made, Values, chosen, remembered, tag_list

_ARN: Final = "arn:aws:elasticache:{region}:{account}:"


def _create_group(aws: Aws, inputs: Values) -> Made:
    wanted = chosen(
        inputs,
        ReplicationGroupId="replicationGroupId",
        ReplicationGroupDescription="description",
        Engine="engine",
        EngineVersion="engineVersion",
        CacheNodeType="nodeType",
        Port="port",
        NumCacheClusters="numCacheClusters",
        AutomaticFailoverEnabled="automaticFailoverEnabled",
        MultiAZEnabled="multiAzEnabled",
        CacheParameterGroupName="parameterGroupName",
        CacheSubnetGroupName="subnetGroupName",
        SecurityGroupIds="securityGroupIds",
        TransitEncryptionEnabled="transitEncryptionEnabled",
        TransitEncryptionMode="transitEncryptionMode",
        AtRestEncryptionEnabled="atRestEncryptionEnabled",
        KmsKeyId="kmsKeyId",
        UserGroupIds="userGroupIds",
        SnapshotRetentionLimit="snapshotRetentionLimit",
    )
    made = aws.elasticache.create_replication_group(Tags=tag_list(inputs), **wanted)
    group = made["ReplicationGroup"]
    endpoint = group["NodeGroups"][0]["PrimaryEndpoint"]["Address"]
    return Made(
        inputs["replicationGroupId"],
        {"arn": group["ARN"], "primaryEndpointAddress": endpoint},
    )


def _update_group(aws: Aws, kept: Kept, inputs: Values) -> Values:
    wanted = chosen(inputs, ReplicationGroupDescription="description")
    aws.elasticache.modify_replication_group(
        ReplicationGroupId=kept.id, ApplyImmediately=True, **wanted
    )
    return {}


def _create_user(aws: Aws, inputs: Values) -> Made:
    made = aws.elasticache.create_user(
        UserId=inputs["userId"],
        UserName=inputs["userName"],
        Engine=inputs["engine"],
        AccessString=inputs["accessString"],
        AuthenticationMode={"Type": inputs["authenticationMode"]["type"]},
        Tags=tag_list(inputs),
    )
    return Made(inputs["userId"], {"arn": made["ARN"]})


def _delete_user(aws: Aws, kept: Kept) -> None:
    """Asked for once more, as the provider does until it is gone; moto forgets it then."""
    aws.elasticache.delete_user(UserId=kept.id)
    aws.elasticache.describe_users(UserId=kept.id)


KINDS: Final = {
    "aws:elasticache/replicationGroup:ReplicationGroup": Kind(
        _create_group,
        lambda aws, kept: aws.elasticache.delete_replication_group(ReplicationGroupId=kept.id),
        _update_group,
        frozenset(
            {
                "replicationGroupId",
                "engine",
                "port",
                "subnetGroupName",
                "kmsKeyId",
                "atRestEncryptionEnabled",
            }
        ),
        tagged=True,
    ),
    "aws:elasticache/user:User": Kind(
        _create_user,
        _delete_user,
        None,
        frozenset({"userId", "userName"}),
        tagged=True,
    ),
    "aws:elasticache/userGroup:UserGroup": remembered(
        "moto has no CreateUserGroup", "userGroupId", _ARN + "usergroup:{id}", tagged=True
    ),
    "aws:elasticache/parameterGroup:ParameterGroup": remembered(
        "moto has no CreateCacheParameterGroup",
        "name",
        _ARN + "parametergroup:{id}",
        tagged=True,
    ),
    "aws:elasticache/subnetGroup:SubnetGroup": remembered(
        "moto has CreateCacheSubnetGroup and no DeleteCacheSubnetGroup",
        "name",
        _ARN + "subnetgroup:{id}",
        tagged=True,
    ),
}
