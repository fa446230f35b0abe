"""Key Management Service."""

from __future__ import annotations

from typing import Final

from tests.infra.rehearsal.cloud import Aws
from tests.infra.rehearsal.kind import Kept, Kind, Made, Values, chosen, tag_list

_EMPTY: Final = '{"Version": "2012-10-17", "Statement": []}'


def _create_key(aws: Aws, inputs: Values) -> Made:
    wanted = chosen(inputs, Description="description", MultiRegion="multiRegion", Policy="policy")
    key = aws.kms.create_key(Tags=tag_list(inputs, "TagKey", "TagValue"), **wanted)["KeyMetadata"]
    if inputs.get("enableKeyRotation"):
        aws.kms.enable_key_rotation(KeyId=key["KeyId"])
    return Made(key["KeyId"], {"arn": key["Arn"], "keyId": key["KeyId"]})


def _update_key(aws: Aws, kept: Kept, inputs: Values) -> Values:
    aws.kms.update_key_description(KeyId=kept.id, Description=inputs.get("description", ""))
    if "policy" in inputs:
        aws.kms.put_key_policy(KeyId=kept.id, PolicyName="default", Policy=inputs["policy"])
    turn = aws.kms.enable_key_rotation if inputs.get("enableKeyRotation") else None
    (turn or aws.kms.disable_key_rotation)(KeyId=kept.id)
    return {}


def _delete_key(aws: Aws, kept: Kept) -> None:
    """Without its policy: moto reads a Deny without its conditions, and the sweep could not see
    that the key only waits for its end."""
    aws.kms.put_key_policy(KeyId=kept.id, PolicyName="default", Policy=_EMPTY)
    days = kept.inputs.get("deletionWindowInDays", 30)
    aws.kms.schedule_key_deletion(KeyId=kept.id, PendingWindowInDays=days)


def _create_alias(aws: Aws, inputs: Values) -> Made:
    aws.kms.create_alias(AliasName=inputs["name"], TargetKeyId=inputs["targetKeyId"])
    arn = f"arn:aws:kms:{aws.region}:{aws.account}:{inputs['name']}"
    return Made(inputs["name"], {"arn": arn})


def _update_alias(aws: Aws, kept: Kept, inputs: Values) -> Values:
    aws.kms.update_alias(AliasName=kept.id, TargetKeyId=inputs["targetKeyId"])
    return {}


KINDS: Final = {
    "aws:kms/key:Key": Kind(
        _create_key, _delete_key, _update_key, frozenset({"multiRegion"}), tagged=True
    ),
    "aws:kms/alias:Alias": Kind(
        _create_alias,
        lambda aws, kept: aws.kms.delete_alias(AliasName=kept.id),
        _update_alias,
        frozenset({"name"}),
    ),
}
