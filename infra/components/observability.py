"""Logs of the nodes, alarms, and a dashboard: what an operator sees of a stack."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import pulumi
import pulumi_aws as aws
from pulumi import ResourceOptions

from infra.components.alarms import Alarm
from infra.components.dashboard import Shown, dashboard_body
from infra.components.place import Place
from infra.components.tags import holds
from infra.documents import names
from infra.documents.statements import text
from infra.documents.topic import alarm_topic_policy


@dataclass(frozen=True, kw_only=True, slots=True)
class NodeLogArgs:
    """``group`` is its name; ``days``: how long lines are kept. Audit logs are protected."""

    group: str
    holding: Literal["logs", "audit"] = "logs"
    key_arn: pulumi.Input[str]
    days: int


class NodeLog(pulumi.ComponentResource):
    """A log group that nodes ship to: the lines of Inland's services, or their audit logs.

    The former are JSON with fields from an allow-list (``edge/logs.py``); everything else that a
    machine writes stays in its own memory. Made before any node, and apart from the alarms, which
    are made after them.
    """

    def __init__(self, name: str, args: NodeLogArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("inland:region:NodeLog", name, None, opts)
        self.group = aws.cloudwatch.LogGroup(
            name,
            name=args.group,
            kms_key_id=args.key_arn,
            retention_in_days=args.days,
            tags=holds(args.holding),
            opts=ResourceOptions(parent=self, protect=args.holding == "audit"),
        )
        self.register_outputs({})


@dataclass(frozen=True, kw_only=True, slots=True)
class ObservabilityArgs:
    """Without ``alarm_email`` alarms go to a topic that nobody is told of."""

    place: Place
    key_arn: pulumi.Input[str]
    alarm_email: str | None
    alarms: Sequence[Alarm]
    shown: Shown


class Observability(pulumi.ComponentResource):
    """The topic, the alarms that go to it, and the dashboard."""

    def __init__(
        self, name: str, args: ObservabilityArgs, opts: ResourceOptions | None = None
    ) -> None:
        super().__init__("inland:region:Observability", name, None, opts)
        child = ResourceOptions(parent=self)
        topic_name = names.prefixed(args.place, "alarms")
        self.topic = aws.sns.Topic(
            name,
            name=topic_name,
            kms_master_key_id=args.key_arn,
            tags=holds("alarms"),
            opts=child,
        )
        aws.sns.TopicPolicy(
            name,
            arn=self.topic.arn,
            policy=text(alarm_topic_policy(args.place, topic_name)),
            opts=child,
        )
        if args.alarm_email is not None:
            aws.sns.TopicSubscription(
                name,
                topic=self.topic.arn,
                protocol="email",
                endpoint=args.alarm_email,
                opts=child,
            )
        for alarm in args.alarms:
            _watch(f"{name}-{alarm.name}", alarm, args.place, self.topic.arn, child)
        aws.cloudwatch.Dashboard(
            name,
            dashboard_name=names.prefixed(args.place),
            dashboard_body=dashboard_body(args.shown),
            opts=child,
        )
        self.register_outputs({})


def _watch(
    name: str, alarm: Alarm, place: Place, topic: pulumi.Input[str], opts: ResourceOptions
) -> None:
    periods = alarm.minutes // alarm.period_minutes
    aws.cloudwatch.MetricAlarm(
        name,
        name=names.prefixed(place, alarm.name),
        alarm_description=alarm.words,
        namespace=alarm.namespace,
        metric_name=alarm.metric,
        dimensions=dict(alarm.dimensions),
        statistic=alarm.statistic,
        comparison_operator=alarm.comparison,
        threshold=alarm.threshold,
        period=60 * alarm.period_minutes,
        evaluation_periods=periods,
        datapoints_to_alarm=periods,
        treat_missing_data=alarm.silence,
        alarm_actions=[topic],
        ok_actions=[topic],
        opts=opts,
    )
