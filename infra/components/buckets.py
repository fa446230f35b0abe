"""The two buckets of a region: recordings of calls, and the software that nodes install."""

from __future__ import annotations

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
    """``key_arn`` is the key for recordings."""

    place: Place
    key_arn: pulumi.Input[str]
    days: int
    """How long a recording is kept."""


class Recordings(pulumi.ComponentResource):
    """``<fleet>/<tenant>/...``, sealed by the nodes before S3 seals them again.

    ``name`` is known in a preview. No bucket key: KMS sees every object's name.
    """

    def __init__(
        self, name: str, args: RecordingsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("inland:region:Recordings", name, None, opts)
        bucket_name = names.recordings_bucket(args.place)
        self.bucket, ready = sealed_bucket(
            self,
            name,
            BucketArgs(
                name=bucket_name,
                holding="recordings",
                key_arn=args.key_arn,
                policy=text(recordings_policy(args.place)),
                bucket_key=False,
                expire_days=args.days,
                protect=True,
            ),
        )
        self.name = known(bucket_name, self.bucket, ready)
        self.register_outputs({"name": self.name})


@dataclass(frozen=True, kw_only=True, slots=True)
class SoftwareArgs:
    """``key_arn`` is the region's key."""

    place: Place
    key_arn: pulumi.Input[str]


class Software(pulumi.ComponentResource):
    """``software/<sha256>.tar``: nothing of a caller. ``name`` is known in a preview."""

    def __init__(
        self, name: str, args: SoftwareArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("inland:region:Software", name, None, opts)
        bucket_name = names.software_bucket(args.place)
        self.bucket, ready = sealed_bucket(
            self,
            name,
            BucketArgs(
                name=bucket_name,
                holding="software",
                key_arn=args.key_arn,
                policy=text(software_policy(args.place)),
                bucket_key=True,
                expire_days=None,
                protect=False,
            ),
        )
        self.name = known(bucket_name, self.bucket, ready)
        self.register_outputs({"name": self.name})
