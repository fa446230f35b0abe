"""Secrets Manager: containers without a value."""

from __future__ import annotations

from typing import Final

from tests.infra.rehearsal.cloud import Aws
from tests.infra.rehearsal.kind import Kept, Kind, Made, Values, chosen, put, tag_list


def _create(aws: Aws, inputs: Values) -> Made:
    wanted = chosen(inputs, KmsKeyId="kmsKeyId", Description="description")
    made = aws.secretsmanager.create_secret(Name=inputs["name"], Tags=tag_list(inputs), **wanted)
    return Made(made["ARN"], {"arn": made["ARN"]})


def _update(aws: Aws, kept: Kept, inputs: Values) -> Values:
    wanted = chosen(inputs, KmsKeyId="kmsKeyId", Description="description")
    aws.secretsmanager.update_secret(SecretId=kept.id, **wanted)
    return {}


def _delete(aws: Aws, kept: Kept) -> None:
    aws.secretsmanager.delete_secret(
        SecretId=kept.id, RecoveryWindowInDays=kept.inputs.get("recoveryWindowInDays", 30)
    )


def _put_policy(aws: Aws, inputs: Values) -> None:
    aws.secretsmanager.put_resource_policy(
        SecretId=inputs["secretArn"],
        ResourcePolicy=inputs["policy"],
        BlockPublicPolicy=bool(inputs.get("blockPublicPolicy")),
    )


KINDS: Final = {
    "aws:secretsmanager/secret:Secret": Kind(
        _create, _delete, _update, frozenset({"name"}), tagged=True
    ),
    "aws:secretsmanager/secretPolicy:SecretPolicy": put(
        _put_policy,
        lambda aws, kept: aws.secretsmanager.delete_resource_policy(
            SecretId=kept.inputs["secretArn"]
        ),
        lambda inputs: str(inputs["secretArn"]),
        frozenset({"secretArn"}),
    ),
}
