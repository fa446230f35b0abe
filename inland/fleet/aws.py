"""The AWS API from an asyncio program: boto3 in threads, with deadlines, errors as codes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Lock
from typing import Any, TypeVar

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from inland.fleet.clock import WaitingClock, backoff
from inland.fleet.errors import AwsError, MetadataAway

CONNECT_SECONDS = 3
READ_SECONDS = 10
THREADS = 4
CREDENTIAL_TRIES = 3

log = logging.getLogger(__name__)
T = TypeVar("T")


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

    def close(self) -> None:
        """Take no further calls; those under way end by their deadline."""
        self._threads.shutdown(wait=False, cancel_futures=True)

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
