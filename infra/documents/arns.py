"""ARNs computed from names: what a policy says of a resource that does not exist yet.

Forms: AWS Service Authorization Reference, one page per service (read 2026-11-21).
"""

from __future__ import annotations

from infra.components.place import Place
from infra.documents import names


def regional(place: Place, service: str, resource: str) -> str:
    """A resource of one region."""
    return f"arn:{place.partition}:{service}:{place.region}:{place.account_id}:{resource}"


def account_root(place: Place) -> str:
    """Whom a resource policy names to mean the account's own IAM policies."""
    return f"arn:{place.partition}:iam::{place.account_id}:root"


def role(place: Place, name: str) -> str:
    """A role of IAM, at the root path."""
    return f"arn:{place.partition}:iam::{place.account_id}:role/{name}"


def policy(place: Place, name: str) -> str:
    """A customer managed policy."""
    return f"arn:{place.partition}:iam::{place.account_id}:policy/{name}"


def keys(place: Place) -> str:
    """Every key of the region: key ids are random, so policies tell keys by their alias."""
    return regional(place, "kms", "key/*")


def bucket(place: Place, name: str) -> str:
    """A bucket of S3, whose names are the world's."""
    return f"arn:{place.partition}:s3:::{name}"


def objects(place: Place, bucket_name: str, prefix: str = "") -> str:
    """The objects of a bucket whose key begins with ``prefix``."""
    return f"{bucket(place, bucket_name)}/{prefix}*"


def secret(place: Place, name: str) -> str:
    """A secret by its whole name: Secrets Manager adds a dash and six random characters."""
    return regional(place, "secretsmanager", f"secret:{name}-??????")


def store(place: Place) -> str:
    """The replication group that holds the sessions."""
    return regional(place, "elasticache", f"replicationgroup:{names.prefixed(place)}")


def store_user(place: Place, tenant: str) -> str:
    """The store's user of a tenant."""
    return regional(place, "elasticache", f"user:{names.store_user(tenant)}")


def scaling_group(place: Place, name: str) -> str:
    """An Auto Scaling group by its name; the id in the middle is random."""
    return regional(place, "autoscaling", f"autoScalingGroup:*:autoScalingGroupName/{name}")


def topic(place: Place, name: str) -> str:
    """A topic of SNS."""
    return regional(place, "sns", name)


def log_group(place: Place, name: str) -> str:
    """A log group and the streams in it."""
    return regional(place, "logs", f"log-group:{name}:*")


def certificates(place: Place) -> str:
    """Every certificate of the region: their ids are random, so policies tell them by tag."""
    return regional(place, "acm", "certificate/*")


def hosted_zone(place: Place, zone_id: str) -> str:
    """A zone of Route 53, which belongs to no region."""
    return f"arn:{place.partition}:route53:::hostedzone/{zone_id}"
