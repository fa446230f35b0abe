"""Simple Notification Service."""

from __future__ import annotations

from typing import Final

from tests.infra.rehearsal.cloud import Aws
from tests.infra.rehearsal.kind import Kept, Kind, Made, Values, put, tag_list


def _create_topic(aws: Aws, inputs: Values) -> Made:
    arn = aws.sns.create_topic(Name=inputs["name"], Tags=tag_list(inputs))["TopicArn"]
    _seal(aws, arn, inputs)
    return Made(arn, {"arn": arn, "owner": aws.account})


def _seal(aws: Aws, arn: str, inputs: Values) -> None:
    if inputs.get("kmsMasterKeyId"):
        aws.sns.set_topic_attributes(
            TopicArn=arn, AttributeName="KmsMasterKeyId", AttributeValue=inputs["kmsMasterKeyId"]
        )


def _update_topic(aws: Aws, kept: Kept, inputs: Values) -> Values:
    _seal(aws, kept.id, inputs)
    return {}


def _put_policy(aws: Aws, inputs: Values) -> None:
    aws.sns.set_topic_attributes(
        TopicArn=inputs["arn"], AttributeName="Policy", AttributeValue=inputs["policy"]
    )


def _subscribe(aws: Aws, inputs: Values) -> Made:
    made = aws.sns.subscribe(
        TopicArn=inputs["topic"],
        Protocol=inputs["protocol"],
        Endpoint=inputs["endpoint"],
        ReturnSubscriptionArn=True,
    )
    return Made(made["SubscriptionArn"], {"arn": made["SubscriptionArn"]})


KINDS: Final = {
    "aws:sns/topic:Topic": Kind(
        _create_topic,
        lambda aws, kept: aws.sns.delete_topic(TopicArn=kept.id),
        _update_topic,
        frozenset({"name"}),
        tagged=True,
    ),
    # A topic without a policy gets its default one back with its end.
    "aws:sns/topicPolicy:TopicPolicy": put(
        _put_policy, lambda aws, kept: None, lambda inputs: str(inputs["arn"]), frozenset({"arn"})
    ),
    "aws:sns/topicSubscription:TopicSubscription": Kind(
        _subscribe,
        lambda aws, kept: aws.sns.unsubscribe(SubscriptionArn=kept.id),
        None,
        frozenset({"topic", "protocol", "endpoint"}),
    ),
}
