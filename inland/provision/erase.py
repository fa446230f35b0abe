"""What stands in the way of destroying a stack: full buckets and protected load balancers."""

from __future__ import annotations

from collections.abc import Iterator

from infra.rules.model import Graph
from inland.provision.cloud import Cloud, in_words
from inland.provision.placed import buckets_of, region_of

LOAD_BALANCER = "aws:lb/loadBalancer:LoadBalancer"
BATCH = 1_000
"""Most objects that one request deletes (S3 API, DeleteObjects)."""


def empty_buckets(cloud: Cloud, graph: Graph) -> Iterator[str]:
    """Delete every version of every object of the stack's buckets; yields a line per bucket."""
    for holds in ("recordings", "software"):
        for bucket in buckets_of(graph, holds):
            client = cloud.client("s3", bucket.region)
            deleted = 0
            with in_words(f"emptying {bucket.name}"):
                try:
                    for page in client.get_paginator("list_object_versions").paginate(
                        Bucket=bucket.name, PaginationConfig={"PageSize": BATCH}
                    ):
                        found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
                        objects = [
                            {"Key": one["Key"], "VersionId": one["VersionId"]} for one in found
                        ]
                        if objects:
                            answer = client.delete_objects(
                                Bucket=bucket.name, Delete={"Objects": objects, "Quiet": True}
                            )
                            deleted += len(objects) - len(answer.get("Errors", []))
                except client.exceptions.NoSuchBucket:
                    yield f"{bucket.name}: is not there"
                    continue
            yield f"{bucket.name}: {deleted} object versions deleted"


def open_load_balancers(cloud: Cloud, graph: Graph) -> None:
    """Take the deletion protection off the stack's load balancers."""
    for balancer in graph.of(LOAD_BALANCER):
        client = cloud.client("elbv2", region_of(graph, balancer))
        name = str(balancer.properties["name"])
        with in_words(f"opening load balancer {name}"):
            try:
                arn = client.describe_load_balancers(Names=[name])["LoadBalancers"][0][
                    "LoadBalancerArn"
                ]
            except client.exceptions.LoadBalancerNotFoundException:
                continue
            client.modify_load_balancer_attributes(
                LoadBalancerArn=arn,
                Attributes=[{"Key": "deletion_protection.enabled", "Value": "false"}],
            )
