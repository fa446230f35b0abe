"""A small stack in moto's cloud, and the graph that describes it."""

from __future__ import annotations

from typing import Any

import boto3

from infra.rules.model import Graph, Resource
from inland.provision.placed import ALARM, BUCKET, GROUP, SECRET, TARGETS

REGION = "eu-central-1"
ACCOUNT = "123456789012"
"""The one that moto takes credentials for by default."""
PROVIDER = "urn:pulumi:eu-central-1::inland-region::pulumi:providers:aws::region"
SECRETS = ("node-secret", "region-key", "turn", "phone")
RECORDINGS, SOFTWARE = "inland-recordings", "inland-software"


def resource(kind: str, label: str, **properties: Any) -> Resource:
    urn = f"urn:pulumi:eu-central-1::inland-region::{kind}::{label}"
    return Resource(urn, kind, label, properties, provider=PROVIDER)


def graph(*more: Resource) -> Graph:
    """A provider, the secrets of a region, its two buckets, and ``more``."""
    found = [
        Resource(PROVIDER, "pulumi:providers:aws", "region", {"region": REGION}),
        *(resource(SECRET, name, name=f"inland/{REGION}/{name}") for name in SECRETS),
        resource(BUCKET, "recordings", bucket=RECORDINGS, tags={"inland:holds": "recordings"}),
        resource(BUCKET, "software", bucket=SOFTWARE, tags={"inland:holds": "software"}),
        *more,
    ]
    return Graph("inland-region", REGION, {one.urn: one for one in found})


def group(name: str = "inland-edge") -> Resource:
    return resource(GROUP, name, name=name)


def alarm(name: str = "inland-capacity") -> Resource:
    return resource(ALARM, name, name=name)


def targets(name: str = "inland-sip") -> Resource:
    return resource(TARGETS, name, name=name)


def client(service: str) -> Any:
    return boto3.client(service, region_name=REGION)


def make(wanted: Graph) -> None:
    """Make secrets (empty) and buckets (versioned) of the graph."""
    for secret in wanted.of(SECRET):
        client("secretsmanager").create_secret(Name=secret.properties["name"])
    for bucket in wanted.of(BUCKET):
        name = bucket.properties["bucket"]
        client("s3").create_bucket(
            Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION}
        )
        client("s3").put_bucket_versioning(
            Bucket=name, VersioningConfiguration={"Status": "Enabled"}
        )


def value(name: str) -> str | None:
    """Of a secret; None while it has none."""
    secrets = client("secretsmanager")
    try:
        found = secrets.get_secret_value(SecretId=f"inland/{REGION}/{name}")
    except secrets.exceptions.ResourceNotFoundException:
        return None
    return str(found["SecretString"])
