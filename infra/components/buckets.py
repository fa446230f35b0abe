"""The two buckets of a region: recordings of calls, and the software that nodes install."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.components.place import Place


@dataclass(frozen=True)
class RecordingsArgs:
    """``tenant_keys``: tenant to the ARN of the key that its prefix must be sealed with."""

    place: Place
    key_arn: pulumi.Input[str]
    tenant_keys: Mapping[str, pulumi.Input[str]]
    endpoint_id: pulumi.Input[str]
    """The S3 gateway endpoint, the only way in and out."""
    days: int


class Recordings(pulumi.ComponentResource):
    """``<tenant>/...``."""

    def __init__(
        self, name: str, args: RecordingsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("inland:region:Recordings", name, None, opts)
        self.bucket: aws.s3.Bucket
        self.name: pulumi.Output[str]
        raise NotImplementedError


@dataclass(frozen=True)
class SoftwareArgs:
    """See ``RecordingsArgs``."""

    place: Place
    key_arn: pulumi.Input[str]
    endpoint_id: pulumi.Input[str]


class Software(pulumi.ComponentResource):
    """``software/<sha256>.tar``."""

    def __init__(
        self, name: str, args: SoftwareArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("inland:region:Software", name, None, opts)
        self.bucket: aws.s3.Bucket
        self.name: pulumi.Output[str]
        raise NotImplementedError
