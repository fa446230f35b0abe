"""Recordings in a bucket of the node's region, by S3's API: boto3, in threads, with deadlines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Self, TypeVar

from edge.ledger import Place
from edge.recording.archive import MAX_SEGMENT
from edge.recording.errors import ArchiveBroken, ArchiveBusy, NoRecording, RecordingError
from edge.recording.settings import RecordingsSettings
from edge.session.hands import Hands

CONNECT_SECONDS = 2.0
READ_SECONDS = 5.0
TRIES = 2
ANSWER_SECONDS = 15.0
"""What a question may take, its second try and the wait for a thread included."""
THREADS = 4
MOST_DELETED = 1000
"""Names in one request ("DeleteObjects", Amazon S3 API Reference, read 2026-11-21)."""
_FORMER_NAMES = {"": "us-east-1", "EU": "eu-west-1"}
"""What "GetBucketLocation" (same source) says of buckets in these regions."""
_PASSING = frozenset(
    {
        "InternalError",
        "OperationAborted",
        "RequestTimeout",
        "RequestTimeTooSkewed",
        "ServiceUnavailable",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
    }
)
_UNUSABLE = {
    "AccessDenied": "the node's role may not use the bucket, or it is of another account",
    "403": "the node's role may not use the bucket, or it is of another account",
    "NoSuchBucket": "there is no such bucket",
    "404": "there is no such bucket",
    "PermanentRedirect": "the bucket is in another region",
    "301": "the bucket is in another region",
    "InvalidAccessKeyId": "the service does not know this machine's credentials",
    "SignatureDoesNotMatch": "the service does not take this machine's credentials",
    "KMS.DisabledException": "the key of the bucket is disabled",
    "KMS.NotFoundException": "there is no such key",
}
T = TypeVar("T")


class BucketArchive:
    """An :class:`~edge.recording.archive.Archive` in a bucket.

    Nothing is written before the bucket was seen to be in the node's region: a node that starts
    while the service is away asks again before the first write. Objects are addressed by path, so
    that one host name is all that a barrier has to let through.
    """

    def __init__(self, client: Any, settings: RecordingsSettings, region: str) -> None:
        self.place = Place("bucket", settings.bucket or "", region, settings.origin(region))
        self._client = client
        self._region = region
        self._prefix = f"{settings.prefix}/"
        self._whose: dict[str, str] = {"Bucket": settings.bucket or ""}
        if settings.account is not None:
            self._whose["ExpectedBucketOwner"] = settings.account
        self._sealing: dict[str, str] = {}
        if settings.kms_key is not None:
            self._sealing = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": settings.kms_key}
        self._hands = Hands(
            "the place of recordings", ArchiveBusy, threads=THREADS, seconds=ANSWER_SECONDS
        )
        self._seen = False

    @classmethod
    def open(cls, settings: RecordingsSettings, region: str) -> Self:
        """Make the client; it asks nothing yet. Raises ``ArchiveBroken`` where boto3 is missing."""
        try:
            import boto3
            from botocore.config import Config
        except ImportError as error:
            raise ArchiveBroken("recordings.bucket takes boto3: install inland[aws]") from error
        config = Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"mode": "standard", "total_max_attempts": TRIES},
            max_pool_connections=THREADS,
            s3={"addressing_style": "path", "us_east_1_regional_endpoint": "regional"},
        )
        # The endpoint is written out: no variable and no profile of the machine leads elsewhere.
        client = boto3.Session().client(
            "s3", region_name=region, endpoint_url=settings.origin(region), config=config
        )
        return cls(client, settings, region)

    async def check(self) -> None:
        await self._ask(self._look)

    async def put(self, name: str, body: bytes) -> None:
        def put() -> None:
            if not self._seen:
                self._look()
            answer = self._client.put_object(
                **self._whose, Key=self._prefix + name, Body=body, **self._sealing
            )
            _require("ETag", answer)

        await self._ask(put)

    async def get(self, name: str) -> bytes:
        def get() -> bytes:
            answer = self._client.get_object(**self._whose, Key=self._prefix + name)
            with answer["Body"] as body:
                return bytes(body.read(MAX_SEGMENT + 1))

        return await self._ask(get)

    async def names(self, under: str, most: int | None = None) -> tuple[str, ...]:
        return await self._ask(lambda: tuple(self._names(under, most)))

    async def delete(self, names: tuple[str, ...]) -> None:
        for start in range(0, len(names), MOST_DELETED):
            objects = [{"Key": self._prefix + name} for name in names[start:][:MOST_DELETED]]
            await self._ask(partial(self._delete, objects))

    async def close(self) -> None:
        self._hands.close()

    def _look(self) -> None:
        """Hold the bucket to its region: by what it says of its place, and by who answers."""
        head = self._client.head_bucket(**self._whose)
        said = self._client.get_bucket_location(**self._whose).get("LocationConstraint") or ""
        places = {_FORMER_NAMES.get(said, said), head.get("BucketRegion") or self._region}
        if places != {self._region}:
            elsewhere = ", ".join(sorted(places - {self._region}))
            raise ArchiveBroken(
                f"recordings.bucket: is in region {elsewhere}, and this is {self._region}: name "
                "one of this region"
            )
        self._seen = True

    def _names(self, under: str, most: int | None) -> Iterator[str]:
        left, more = most, {"Prefix": self._prefix + under}
        while True:
            page = {} if left is None else {"MaxKeys": min(left, MOST_DELETED)}
            answer = self._client.list_objects_v2(**self._whose, **more, **page)
            _require("KeyCount", answer)
            for entry in answer.get("Contents", ()):
                yield str(entry["Key"]).removeprefix(self._prefix)
            if left is not None:
                left -= len(answer.get("Contents", ()))
            if not answer.get("IsTruncated") or left == 0:
                return
            more["ContinuationToken"] = answer["NextContinuationToken"]

    def _delete(self, objects: list[dict[str, str]]) -> None:
        answer = self._client.delete_objects(
            **self._whose, Delete={"Objects": objects, "Quiet": True}
        )
        for error in answer.get("Errors", ()):
            raise _error_of(str(error.get("Code", "")))

    async def _ask(self, question: Callable[[], T]) -> T:
        return await self._hands.ask(partial(_mapped, question))


def _mapped(question: Callable[[], T]) -> T:
    """The answer; errors of the client as this package's, without the names that they quote."""
    from botocore.exceptions import (
        BotoCoreError,
        ClientError,
        HTTPClientError,
        NoCredentialsError,
    )

    try:
        return question()
    except ClientError as error:
        raise _error_of(str(error.response.get("Error", {}).get("Code", ""))) from None
    except NoCredentialsError:
        raise ArchiveBroken("this machine has no credentials for the bucket") from None
    except (BotoCoreError, HTTPClientError, TimeoutError):
        raise ArchiveBusy("the bucket cannot be reached") from None
    except RecordingError:
        raise
    except Exception as error:
        # What the client raises at an answer of no form that it knows: some proxy's page.
        raise ArchiveBusy(f"the bucket's answer is none: {type(error).__name__}") from None


def _require(field: str, answer: dict[str, Any]) -> None:
    """What S3 always says: a success without it is of something else on the way."""
    if field not in answer:
        raise ArchiveBusy(f"the bucket's answer is none: no {field}")


def _error_of(code: str) -> RecordingError:
    if code in _PASSING or code.startswith("5"):
        return ArchiveBusy("the bucket has no time")
    if code == "NoSuchKey":
        return NoRecording("there is no such segment")
    if code in _UNUSABLE:
        return ArchiveBroken(f"recordings.bucket: {_UNUSABLE[code]}")
    return ArchiveBroken(f"recordings.bucket: failed: {code}")
