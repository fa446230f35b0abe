"""How a provisioned stack is: read from the cloud by the names that its graph gives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from infra.rules.model import Graph
from inland.provision.cloud import Cloud, in_words
from inland.provision.placed import Placed, alarms_of, groups_of, secrets_of, targets_of

OK, BAD, ABSENT = "ok", "BAD", "absent"


@dataclass(frozen=True, slots=True)
class Line:
    """One thing looked at. ``state`` is ``ok``, ``BAD`` or ``absent`` (the stack is not up)."""

    region: str
    what: str
    name: str
    state: str
    detail: str


def read_status(cloud: Cloud, graph: Graph) -> tuple[Line, ...]:
    """Everything that tells whether the stack takes calls. Raises ``CloudFailed``."""
    return (
        *_groups(cloud, groups_of(graph)),
        *_targets(cloud, targets_of(graph)),
        *_alarms(cloud, alarms_of(graph)),
        *_secrets(cloud, secrets_of(graph)),
    )


def _groups(cloud: Cloud, groups: Sequence[Placed]) -> Iterator[Line]:
    for group in groups:
        client = cloud.client("autoscaling", group.region)
        with in_words(f"asking for group {group.name}"):
            answer = client.describe_auto_scaling_groups(AutoScalingGroupNames=[group.name])
        if not answer["AutoScalingGroups"]:
            yield Line(group.region, "nodes", group.name, ABSENT, "no such group")
            continue
        found = answer["AutoScalingGroups"][0]
        states = Counter(
            node["LifecycleState"] if node["HealthStatus"] == "Healthy" else "Unhealthy"
            for node in found["Instances"]
        )
        serving = states["InService"]
        enough = serving >= found["MinSize"]
        others = ", ".join(f"{count} {name}" for name, count in sorted(states.items()))
        detail = f"{serving} in service of at least {found['MinSize']} ({others or 'none'})"
        yield Line(group.region, "nodes", group.name, OK if enough else BAD, detail)


def _targets(cloud: Cloud, groups: Sequence[Placed]) -> Iterator[Line]:
    for group in groups:
        client = cloud.client("elbv2", group.region)
        with in_words(f"asking for target group {group.name}"):
            try:
                arn = client.describe_target_groups(Names=[group.name])["TargetGroups"][0][
                    "TargetGroupArn"
                ]
            except client.exceptions.TargetGroupNotFoundException:
                yield Line(group.region, "targets", group.name, ABSENT, "no such target group")
                continue
            health = client.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
        states = Counter(target["TargetHealth"]["State"] for target in health)
        detail = ", ".join(f"{count} {name}" for name, count in sorted(states.items()))
        state = OK if states["healthy"] else BAD
        yield Line(group.region, "targets", group.name, state, detail or "none registered")


def _alarms(cloud: Cloud, alarms: Sequence[Placed]) -> Iterator[Line]:
    for alarm in alarms:
        client = cloud.client("cloudwatch", alarm.region)
        with in_words(f"asking for alarm {alarm.name}"):
            found = client.describe_alarms(AlarmNames=[alarm.name])["MetricAlarms"]
        if not found:
            yield Line(alarm.region, "alarm", alarm.name, ABSENT, "no such alarm")
        else:
            value = found[0]["StateValue"]
            yield Line(alarm.region, "alarm", alarm.name, BAD if value == "ALARM" else OK, value)


def _secrets(cloud: Cloud, names: Sequence[Placed]) -> Iterator[Line]:
    for secret in names:
        client = cloud.client("secretsmanager", secret.region)
        with in_words(f"asking for secret {secret.name}"):
            try:
                found = client.describe_secret(SecretId=secret.name)
            except client.exceptions.ResourceNotFoundException:
                yield Line(secret.region, "secret", secret.name, ABSENT, "no such secret")
                continue
        if found.get("VersionIdsToStages"):
            yield Line(secret.region, "secret", secret.name, OK, "has a value")
        else:
            yield Line(
                secret.region, "secret", secret.name, BAD, "empty: inland regions supply fills it"
            )
