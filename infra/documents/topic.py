"""The policy of the topic that alarms are sent to."""

from __future__ import annotations

from infra.components.place import Place
from infra.documents import arns
from infra.documents.statements import Document, allow, deny, document


def alarm_topic_policy(place: Place, name: str) -> Document:
    """CloudWatch alarms of this account and region may publish; nothing crosses without TLS."""
    topic = arns.topic(place, name)
    return document(
        [
            allow(
                "Alarms",
                ["sns:Publish"],
                topic,
                principal={"Service": "cloudwatch.amazonaws.com"},
                condition={
                    "StringEquals": {"aws:SourceAccount": place.account_id},
                    "ArnLike": {"aws:SourceArn": arns.regional(place, "cloudwatch", "alarm:*")},
                },
            ),
            deny(
                "OnlyTls",
                ["sns:Publish"],
                topic,
                principal="*",
                condition={"Bool": {"aws:SecureTransport": "false"}},
            ),
        ]
    )
