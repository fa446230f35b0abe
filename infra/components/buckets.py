"""The two buckets of a region: recordings of calls, and the software that nodes install."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from infra.components.bucket import BucketArgs, sealed_bucket
from infra.components.known import known
from infra.components.place import Place
from infra.documents import names
from infra.documents.buckets import recordings_policy, software_policy
from infra.documents.statements import text


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordingsArgs:
    """``tenant_keys``: tenant to the ARN of the key that its prefix must be sealed with."""

    place: Place
    key_arn: pulumi.Input[str]
    tenant_keys: Mapping[str, pulumi.Input[str]]
    endpoint_id: pulumi.Input[str]
    """The S3 gateway endpoint, the only way in and out."""
    days: int


class Recordings(pulumi.ComponentResource):
    """``<tenant>/...``, each tenant's with its own key.

    ``name`` is known in a preview. No bucket key: KMS sees every object's name, and a tenant's key
    opens no object of another tenant.
    """

    def __init__(
        self, name: str, args: RecordingsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("inland:region:Recordings", name, None, opts)
        place = args.place
        bucket_name = names.recordings_bucket(place)
        policy = pulumi.Output.all(endpoint=args.endpoint_id, keys=dict(args.tenant_keys)).apply(
            lambda made: text(
                recordings_policy(place, endpoint_id=made["endpoint"], tenant_keys=made["keys"])
            )
        )
        self.bucket, ready = sealed_bucket(
            self,
            name,
            BucketArgs(
                name=bucket_name,
                holding="recordings",
                key_arn=args.key_arn,
                policy=policy,
                bucket_key=False,
                expire_days=args.days,
                protect=True,
            ),
        )
        self.name = known(bucket_name, self.bucket, ready)
        self.register_outputs({"name": self.name})


@dataclass(frozen=True, kw_only=True, slots=True)
class SoftwareArgs:
    """See ``RecordingsArgs``."""

    place: Place
    key_arn: pulumi.Input[str]
    endpoint_id: pulumi.Input[str]


class Software(pulumi.ComponentResource):
    """``software/<sha256>.tar``: nothing of a caller. ``name`` is known in a preview."""

    def __init__(
        self, name: str, args: SoftwareArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("inland:region:Software", name, None, opts)
        place = args.place
        bucket_name = names.software_bucket(place)
        policy = pulumi.Output.from_input(args.endpoint_id).apply(
            lambda endpoint: text(software_policy(place, endpoint_id=endpoint))
        )
        self.bucket, ready = sealed_bucket(
            self,
            name,
            BucketArgs(
                name=bucket_name,
                holding="software",
                key_arn=args.key_arn,
                policy=policy,
                bucket_key=True,
                expire_days=None,
                protect=False,
            ),
        )
        self.name = known(bucket_name, self.bucket, ready)
        self.register_outputs({"name": self.name})
