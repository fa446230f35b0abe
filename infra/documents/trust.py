"""Who may assume a role."""

from __future__ import annotations

from infra.components.place import Place
from infra.documents import arns
from infra.documents.statements import Document, Statement


def for_instances() -> Document:
    """Machines of EC2. EC2 passes no source account when it assumes a role for an instance."""
    return _trust({"Service": "ec2.amazonaws.com"}, None)


def for_flow_logs(place: Place) -> Document:
    """VPC Flow Logs, for flow logs of this account and region only.

    Amazon VPC User Guide, "IAM role for publishing flow logs to CloudWatch Logs" (2026-11-21).
    """
    return _trust(
        {"Service": "vpc-flow-logs.amazonaws.com"},
        {
            "StringEquals": {"aws:SourceAccount": place.account_id},
            "ArnLike": {"aws:SourceArn": arns.regional(place, "ec2", "vpc-flow-log/*")},
        },
    )


def _trust(principal: dict[str, str], condition: dict[str, dict[str, str]] | None) -> Document:
    statement: Statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    if condition is not None:
        statement["Condition"] = condition
    return {"Version": "2012-10-17", "Statement": [statement]}
