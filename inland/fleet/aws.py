"""The AWS API from an asyncio program: boto3 in threads, with deadlines, errors as codes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from threading import Lock
from typing import Any, TypeVar

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

from inland.fleet.clock import WaitingClock, backoff
from inland.fleet.errors import AwsError, MetadataAway

CONNECT_SECONDS = 3
READ_SECONDS = 10
THREADS = 4
CREDENTIAL_TRIES = 3

log = logging.getLogger(__name__)
T = TypeVar("T")


NOT_MODIFIED = frozenset({"304", "NotModified"})
"""How boto3 calls the answer to a condition that does not hold (RFC 9110, section 15.4.5)."""


@dataclass(frozen=True, slots=True)
class Object:
    """What S3 had: its entity tag, and its bytes."""

    version: str
    body: bytes


class Aws:
    """Calls the API of one region with the role of the machine.

    With ``endpoint`` everything, the role's credentials included, is asked there instead.
    """

    def __init__(self, region: str, endpoint: str | None = None) -> None:
        core = botocore.session.Session()
        core.set_config_variable("metadata_service_timeout", CONNECT_SECONDS)
        core.set_config_variable("metadata_service_num_attempts", CREDENTIAL_TRIES)
        if endpoint is not None:
            core.set_config_variable("ec2_metadata_service_endpoint", endpoint)
        self._session = boto3.Session(botocore_session=core, region_name=region)
        self._endpoint = endpoint
        self._config = Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={
                "mode": "standard",
                "total_max_attempts": 1,
            },  # every caller tries again itself
        )
        self._clients: dict[str, Any] = {}
        self._making = Lock()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="aws")

    async def call(self, service: str, operation: str, **request: object) -> dict[str, Any]:
        """One operation, named as boto3 names it. Raises :class:`AwsError`.

        A cancelled call goes on in its thread until the API's deadline; its answer is dropped.
        """
        work = partial(self._call, service, operation, request)
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    async def newer_object(
        self, bucket: str, key: str, *, than: str | None, most: int
    ) -> Object | None:
        """An object of S3, unless it is the version ``than``. Raises :class:`AwsError`, with the
        code ``TooLong`` for one of more than ``most`` bytes."""
        work = partial(self._newer, bucket, key, than, most)
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def close(self) -> None:
        """Take no further calls; those under way end by their deadline."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _newer(self, bucket: str, key: str, than: str | None, most: int) -> Object | None:
        request: dict[str, Any] = {"Bucket": bucket, "Key": key}
        if than is not None:
            request["IfNoneMatch"] = than
        try:
            answer = self._call("s3", "get_object", request)
        except AwsError as error:
            if error.code in NOT_MODIFIED:
                return None
            raise
        try:
            with answer["Body"] as body:
                found = bytes(body.read(most + 1))
        except (BotoCoreError, HTTPClientError, OSError) as error:
            raise AwsError(type(error).__name__) from None
        if len(found) > most:
            raise AwsError("TooLong")
        return Object(str(answer["ETag"]), found)

    def _call(self, service: str, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        try:
            found: dict[str, Any] = getattr(self._client(service), operation)(**request)
        except ClientError as error:
            raise AwsError(str(error.response.get("Error", {}).get("Code", "Unknown"))) from None
        except BotoCoreError as error:
            # Neither is chained: their texts quote requests, and those hold secrets' names.
            raise AwsError(type(error).__name__) from None
        return found

    def _client(self, service: str) -> Any:
        with self._making:  # making one is not safe in two threads, using one is
            if service not in self._clients:
                self._clients[service] = self._session.client(
                    service, endpoint_url=self._endpoint, config=self._config
                )
            return self._clients[service]


async def insist(clock: WaitingClock, work: Callable[[], Awaitable[T]]) -> T:
    """``work`` again and again until it succeeds; what failed is logged as its code."""
    failures = 0
    while True:
        try:
            return await work()
        except AwsError as error:
            code = error.code
        except MetadataAway:
            code = "MetadataAway"
        failures += 1
        log.warning("the cloud refused or did not answer; trying again", extra={"code": code})
        await clock.sleep(backoff(failures))
