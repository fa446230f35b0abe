"""AWS KMS as moto doubles it, for tests that run inside ``mock_aws``."""

from __future__ import annotations

from functools import cache
from typing import Any

import boto3

from edge.session.kms_client import AwsKms

ACCOUNT = "123456789012"
"""moto's."""


@cache
def _client(region: str) -> Any:
    return AwsKms.open(region)._client  # making one takes half a second


def service(region: str) -> AwsKms:
    """As a node opens it."""
    return AwsKms(_client(region))


def admin(region: str) -> Any:
    """As an operator has it."""
    return _admin(region)


@cache
def _admin(region: str) -> Any:
    return boto3.client("kms", region_name=region)


def new_key(region: str, **more: object) -> str:
    """The ARN of a new key."""
    told = {"KeyUsage": "ENCRYPT_DECRYPT"} | more  # which moto leaves out, and AWS never does
    arn: str = admin(region).create_key(**told)["KeyMetadata"]["Arn"]
    return arn
