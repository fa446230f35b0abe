"""The AWS API as the operator's commands use it: one account, errors in words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from inland.provision.errors import CloudFailed

if TYPE_CHECKING:
    import boto3

TIMEOUT_SECONDS = 20


class Cloud:
    """Clients of one account. The credentials are those that the AWS tools would use."""

    def __init__(self, session: boto3.Session | None = None) -> None:
        import boto3
        from botocore.config import Config

        self._session = session or boto3.Session()
        self._config = Config(
            connect_timeout=TIMEOUT_SECONDS,
            read_timeout=TIMEOUT_SECONDS,
            retries={"mode": "standard", "max_attempts": 5},
        )
        self._clients: dict[tuple[str, str], Any] = {}

    def client(self, service: str, region: str) -> Any:
        """The client for ``service`` in ``region``."""
        key = (service, region)
        if key not in self._clients:
            self._clients[key] = self._session.client(
                service, region_name=region, config=self._config
            )
        return self._clients[key]

    def require_account(self, account_id: str, region: str) -> None:
        """Raises ``CloudFailed`` when the credentials are another account's."""
        with in_words("asking whose credentials these are"):
            found = self.client("sts", region).get_caller_identity()["Account"]
        if found != account_id:
            raise CloudFailed(
                f"these credentials are of account {found}, the stack belongs to {account_id}: "
                "choose the profile of that account (AWS_PROFILE)"
            )


@contextmanager
def in_words(doing: str) -> Iterator[None]:
    """Turns what boto3 raises into ``CloudFailed``: what was done, and the API's own code."""
    from botocore.exceptions import (
        BotoCoreError,
        ClientError,
        NoCredentialsError,
        TokenRetrievalError,
    )

    try:
        yield
    except (NoCredentialsError, TokenRetrievalError) as error:
        raise CloudFailed(
            f"{doing}: no AWS credentials: log in (aws sso login) or set AWS_PROFILE"
        ) from error
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "unknown")
        raise CloudFailed(f"{doing}: AWS says {code}") from error
    except BotoCoreError as error:
        raise CloudFailed(f"{doing}: {type(error).__name__}") from error
