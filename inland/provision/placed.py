"""What a captured graph says of names and regions: where the commands look in the cloud."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from infra.rules.model import Graph, Resource

SECRET = "aws:secretsmanager/secret:Secret"
BUCKET = "aws:s3/bucket:Bucket"
GROUP = "aws:autoscaling/group:Group"
ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
TARGETS = "aws:lb/targetGroup:TargetGroup"


@dataclass(frozen=True, slots=True, order=True)
class Placed:
    """A resource of the cloud by its own name."""

    region: str
    name: str


def region_of(graph: Graph, resource: Resource) -> str:
    """The region that a resource is made in (pulumi-aws 7: its own beats its provider's)."""
    provider = graph.provider_of(resource)
    own = resource.properties.get("region")
    found = own or (provider.properties.get("region") if provider is not None else None)
    if not isinstance(found, str):
        raise ValueError(f"{resource.urn}: has no region")
    return found


def secrets_of(graph: Graph) -> list[Placed]:
    """The secrets that the stack makes, without values."""
    return sorted(_named(graph, SECRET, "name"))


def groups_of(graph: Graph) -> list[Placed]:
    """The Auto Scaling groups."""
    return sorted(_named(graph, GROUP, "name"))


def alarms_of(graph: Graph) -> list[Placed]:
    """The alarms."""
    return sorted(_named(graph, ALARM, "name"))


def targets_of(graph: Graph) -> list[Placed]:
    """The load balancers' target groups."""
    return sorted(_named(graph, TARGETS, "name"))


def buckets_of(graph: Graph, holds: str) -> list[Placed]:
    """The buckets whose tag ``inland:holds`` says so."""
    return sorted(
        Placed(region_of(graph, bucket), str(bucket.properties["bucket"]))
        for bucket in graph.of(BUCKET)
        if (bucket.properties.get("tags") or {}).get("inland:holds") == holds
    )


def _named(graph: Graph, kind: str, key: str) -> Iterator[Placed]:
    for found in graph.of(kind):
        yield Placed(region_of(graph, found), str(found.properties[key]))
