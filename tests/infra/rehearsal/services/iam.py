"""Identity and Access Management, which belongs to no region."""

from __future__ import annotations

from typing import Final

from tests.infra.rehearsal.cloud import Aws
from tests.infra.rehearsal.kind import Kept, Kind, Made, Values, chosen, put, tag_list


def _create_policy(aws: Aws, inputs: Values) -> Made:
    wanted = chosen(inputs, Description="description", Path="path")
    made = aws.iam.create_policy(
        PolicyName=inputs["name"],
        PolicyDocument=inputs["policy"],
        Tags=tag_list(inputs),
        **wanted,
    )["Policy"]
    return Made(made["Arn"], {"arn": made["Arn"], "policyId": made["PolicyId"]})


def _update_policy(aws: Aws, kept: Kept, inputs: Values) -> Values:
    """A new default version; the old one goes, as five are the most that AWS keeps."""
    listed = aws.iam.list_policy_versions(PolicyArn=kept.id)["Versions"]
    aws.iam.create_policy_version(
        PolicyArn=kept.id, PolicyDocument=inputs["policy"], SetAsDefault=True
    )
    for old in listed:
        aws.iam.delete_policy_version(PolicyArn=kept.id, VersionId=old["VersionId"])
    return {}


def _create_role(aws: Aws, inputs: Values) -> Made:
    wanted = chosen(inputs, PermissionsBoundary="permissionsBoundary", Path="path")
    made = aws.iam.create_role(
        RoleName=inputs["name"],
        AssumeRolePolicyDocument=inputs["assumeRolePolicy"],
        Tags=tag_list(inputs),
        **wanted,
    )["Role"]
    return Made(inputs["name"], {"arn": made["Arn"], "uniqueId": made["RoleId"]})


def _update_role(aws: Aws, kept: Kept, inputs: Values) -> Values:
    aws.iam.update_assume_role_policy(RoleName=kept.id, PolicyDocument=inputs["assumeRolePolicy"])
    if inputs.get("permissionsBoundary"):
        aws.iam.put_role_permissions_boundary(
            RoleName=kept.id, PermissionsBoundary=inputs["permissionsBoundary"]
        )
    return {}


def _put_role_policy(aws: Aws, inputs: Values) -> None:
    aws.iam.put_role_policy(
        RoleName=inputs["role"], PolicyName=inputs["name"], PolicyDocument=inputs["policy"]
    )


def _create_profile(aws: Aws, inputs: Values) -> Made:
    name = inputs["name"]
    made = aws.iam.create_instance_profile(InstanceProfileName=name, Tags=tag_list(inputs))
    aws.iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=inputs["role"])
    return Made(name, {"arn": made["InstanceProfile"]["Arn"]})


def _delete_profile(aws: Aws, kept: Kept) -> None:
    aws.iam.remove_role_from_instance_profile(
        InstanceProfileName=kept.id, RoleName=kept.inputs["role"]
    )
    aws.iam.delete_instance_profile(InstanceProfileName=kept.id)


KINDS: Final = {
    "aws:iam/policy:Policy": Kind(
        _create_policy,
        lambda aws, kept: aws.iam.delete_policy(PolicyArn=kept.id),
        _update_policy,
        frozenset({"name", "path", "description"}),
        tagged=True,
    ),
    "aws:iam/role:Role": Kind(
        _create_role,
        lambda aws, kept: aws.iam.delete_role(RoleName=kept.id),
        _update_role,
        frozenset({"name", "path"}),
        tagged=True,
    ),
    "aws:iam/rolePolicy:RolePolicy": put(
        _put_role_policy,
        lambda aws, kept: aws.iam.delete_role_policy(
            RoleName=kept.inputs["role"], PolicyName=kept.inputs["name"]
        ),
        lambda inputs: f"{inputs['role']}:{inputs['name']}",
        frozenset({"name", "role"}),
    ),
    "aws:iam/instanceProfile:InstanceProfile": Kind(
        _create_profile, _delete_profile, None, frozenset({"name", "path"}), tagged=True
    ),
}
