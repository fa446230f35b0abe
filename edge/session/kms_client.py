"""AWS KMS by boto3, in threads, with deadlines; its errors become this package's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Self, TypeVar

from edge.session.errors import KeyRefused, SealError, SessionError, StoreBroken, StoreBusy
from edge.session.hands import Hands
from edge.session.kms import KeyFacts

CONNECT_SECONDS = 1.0
READ_SECONDS = 1.5
TRIES = 2
ANSWER_SECONDS = 4.0
"""What a question may take, its second try and the wait for a thread included."""
THREADS = 8
MAX_WAITING = 200

_PASSING = frozenset(
    {
        "ThrottlingException",
        "Throttling",
        "TooManyRequestsException",
        "RequestLimitExceeded",
        "LimitExceededException",
        "DependencyTimeoutException",
        "KMSInternalException",
        "KeyUnavailableException",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "InternalFailure",
        "RequestTimeout",
    }
)
_UNUSABLE = {
    "DisabledException": "the key is disabled",
    "KMSInvalidStateException": "the key is to be deleted, or not in a state to be used",
    "NotFoundException": "there is no such key in this region and account",
    "AccessDeniedException": "the node's role may not use the key, or it is of another account",
    "InvalidKeyUsageException": "the key is not one for encryption",
}
_CHANGED = frozenset({"InvalidCiphertextException", "IncorrectKeyException"})
T = TypeVar("T")


class AwsKms:
    """A :class:`~edge.session.kms.KeyService` at one region's endpoint, as this machine's role.

    A question that is cancelled goes on in its thread until its deadline; its answer is dropped.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self._hands = Hands(
            "the key service",
            StoreBusy,
            threads=THREADS,
            seconds=ANSWER_SECONDS,
            most=MAX_WAITING,
        )

    @classmethod
    def open(cls, region: str) -> Self:
        """Make the client; it asks nothing yet. Raises ``StoreBroken`` where boto3 is missing."""
        try:
            import boto3
            from botocore.config import Config
        except ImportError as error:
            raise StoreBroken("keys.kms takes boto3: install inland[aws]") from error
        config = Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"mode": "standard", "total_max_attempts": TRIES},
            max_pool_connections=THREADS,
        )
        # The endpoint is written out: no variable and no profile of the machine leads elsewhere.
        endpoint = f"https://kms.{region}.amazonaws.com"
        return cls(
            boto3.Session().client("kms", region_name=region, endpoint_url=endpoint, config=config)
        )

    async def encrypt(
        self, key: str, plain: bytes, context: Mapping[str, str]
    ) -> tuple[str, bytes]:
        answer = await self._ask(
            lambda: self._client.encrypt(
                KeyId=key, Plaintext=plain, EncryptionContext=dict(context)
            )
        )
        return str(answer["KeyId"]), bytes(answer["CiphertextBlob"])

    async def decrypt(self, key: str, blob: bytes, context: Mapping[str, str]) -> bytes:
        answer = await self._ask(
            lambda: self._client.decrypt(
                KeyId=key, CiphertextBlob=blob, EncryptionContext=dict(context)
            )
        )
        return bytes(answer["Plaintext"])

    async def describe(self, key: str) -> KeyFacts:
        answer = await self._ask(lambda: self._client.describe_key(KeyId=key))
        found = answer["KeyMetadata"]
        usable = (
            found["KeyState"] == "Enabled"
            and found.get("KeyUsage") == "ENCRYPT_DECRYPT"
            and found.get("KeySpec") == "SYMMETRIC_DEFAULT"
        )
        return KeyFacts(str(found["Arn"]), usable, str(found["KeyState"]))

    async def close(self) -> None:
        self._hands.close()

    async def _ask(self, question: Callable[[], T]) -> T:
        return await self._hands.ask(partial(_mapped, question))


def _mapped(question: Callable[[], T]) -> T:
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

    # Nothing is chained: botocore's texts quote requests.
    try:
        return question()
    except ClientError as error:
        raise _error_of(str(error.response.get("Error", {}).get("Code", ""))) from None
    except NoCredentialsError:
        raise StoreBroken("this machine has no AWS credentials for the key service") from None
    except BotoCoreError:
        raise StoreBusy("the key service cannot be reached") from None


def _error_of(code: str) -> SessionError:
    name = code.rpartition("#")[2]
    if name in _PASSING:
        return StoreBusy("the key service has no time")
    if name in _UNUSABLE:
        return KeyRefused(_UNUSABLE[name])
    if name in _CHANGED:
        return SealError("the key service does not open the key under this residency tag")
    return StoreBroken(f"the key service failed: {name}")
