"""What an operator is told: logs that are kept sealed and not for ever, alarms that can go off."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pulumi import ResourceOptions

from infra.components.alarms import (
    Alarm,
    certificate_alarm,
    fleet_alarms,
    store_alarms,
    target_alarm,
)
from infra.components.dashboard import Shown
from infra.components.observability import (
    NodeLog,
    NodeLogArgs,
    Observability,
    ObservabilityArgs,
)
from infra.rules.model import Graph
from tests.infra.components.harness import KEY_ARN, PLACE, graph_of, only

ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
TOPIC = "aws:sns/topic:Topic"
SUBSCRIPTION = "aws:sns/topicSubscription:TopicSubscription"
ALARMS = [
    *fleet_alarms("edge", "inland-eu-central-1-edge", 60),
    *fleet_alarms("turn", "inland-eu-central-1-turn", None),
    *store_alarms("inland-eu-central-1-001"),
    target_alarm("sip", "net/inland-ingress/1", "targetgroup/inland-sip/1"),
    certificate_alarm("arn:aws:acm:eu-central-1:111122223333:certificate/one"),
]
LONGEST_SECONDS = 86_400
"""Of an alarm's window (CloudWatch API reference, PutMetricAlarm)."""


def observed(folder: Path, email: str | None = "oncall@example.org") -> Graph:
    args = ObservabilityArgs(
        place=PLACE,
        key_arn=KEY_ARN,
        alarm_email=email,
        alarms=ALARMS,
        shown=Shown(
            region="eu-central-1",
            edges=["inland-eu-central-1-edge"],
            groups=["inland-eu-central-1-edge", "inland-eu-central-1-turn"],
            targets=[("sip", "net/inland-ingress/1", "targetgroup/inland-sip/1")],
            members=["inland-eu-central-1-001"],
        ),
    )

    def make(opts: ResourceOptions) -> None:
        NodeLog("node-log", NodeLogArgs(group="/inland/x/node", key_arn=KEY_ARN, days=30), opts)
        Observability("observability", args, opts)

    return graph_of(folder, make)


def test_nodes_logs_are_sealed_and_end(tmp_path: Path) -> None:
    group = only(observed(tmp_path), "aws:cloudwatch/logGroup:LogGroup").properties
    assert group["name"] == "/inland/x/node"
    assert group["kmsKeyId"] == KEY_ARN
    assert group["retentionInDays"] == 30
    assert group["tags"] == {"inland:holds": "logs"}


def test_every_alarm_is_told_when_it_goes_off_and_when_it_is_over(tmp_path: Path) -> None:
    graph = observed(tmp_path)
    topic = f"arn:aws:sns:eu-central-1:111122223333:{only(graph, TOPIC).properties['name']}"
    found = graph.of(ALARM)
    assert len(found) == len(ALARMS)
    for alarm in found:
        assert alarm.properties["alarmActions"] == [topic]
        assert alarm.properties["okActions"] == [topic]


def test_alarms_have_names_of_their_own(tmp_path: Path) -> None:
    names = [alarm.properties["name"] for alarm in observed(tmp_path).of(ALARM)]
    assert len(set(names)) == len(names)
    assert all(name.startswith("inland-eu-central-1-") for name in names)


@pytest.mark.parametrize("alarm", ALARMS, ids=lambda alarm: alarm.name)
def test_alarm_says_what_to_do_in_a_window_that_cloudwatch_takes(alarm: Alarm) -> None:
    assert alarm.words.count(".") >= 2
    assert 60 * alarm.minutes <= LONGEST_SECONDS
    assert alarm.minutes % alarm.period_minutes == 0


def silent(name: str) -> str:
    (found,) = [alarm.silence for alarm in ALARMS if alarm.name == name]
    return found


def test_nodes_that_stop_to_report_are_told_of() -> None:
    assert silent("edge-none-in-service") == "breaching"
    assert silent("edge-capacity") == "breaching"
    assert silent("store-001-memory") == "breaching"


def test_a_quiet_fleet_is_no_alarm() -> None:
    assert silent("edge-late-media") == "notBreaching"
    assert silent("sip-unhealthy") == "notBreaching"


def test_fleet_warns_above_what_it_scales_at() -> None:
    (capacity,) = [alarm for alarm in ALARMS if alarm.name == "edge-capacity"]
    assert capacity.threshold == 51
    assert capacity.dimensions == {"AutoScalingGroupName": "inland-eu-central-1-edge"}


def test_relays_have_no_alarm_on_calls() -> None:
    assert [alarm.name for alarm in ALARMS if alarm.name.startswith("turn")] == [
        "turn-none-in-service"
    ]


def test_topic_is_sealed_and_mail_goes_where_the_stack_says(tmp_path: Path) -> None:
    graph = observed(tmp_path)
    assert only(graph, TOPIC).properties["kmsMasterKeyId"] == KEY_ARN
    mail = only(graph, SUBSCRIPTION).properties
    assert (mail["protocol"], mail["endpoint"]) == ("email", "oncall@example.org")


def test_without_an_address_nobody_is_mailed(tmp_path: Path) -> None:
    assert observed(tmp_path, email=None).of(SUBSCRIPTION) == []


def test_dashboard_shows_this_region_without_gaps_or_overlaps(tmp_path: Path) -> None:
    dashboard = only(observed(tmp_path), "aws:cloudwatch/dashboard:Dashboard").properties
    widgets = json.loads(dashboard["dashboardBody"])["widgets"]
    assert {widget["properties"]["region"] for widget in widgets} == {"eu-central-1"}
    places = [(widget["x"], widget["y"]) for widget in widgets]
    assert len(set(places)) == len(places)
    assert all(widget["x"] + widget["width"] <= 24 for widget in widgets)
    shown = {metric[1] for widget in widgets for metric in widget["properties"]["metrics"]}
    assert {
        "ActiveCallsPerNode",
        "LateMediaTicks",
        "ResponseSeconds",
        "Refusals",
        "GroupInServiceInstances",
        "NetworkIn",
        "NetworkOut",
        "HealthyHostCount",
        "DatabaseMemoryUsagePercentage",
    } <= shown
