"""How a tenant's user logs in to Redis: with a password from a file, or by AWS IAM."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from redis import AuthenticationError
from redis.credentials import CredentialProvider

from edge.session.errors import StoreBroken

TOKEN_SECONDS = 900
"""Longest validity of a token ("Authenticating with IAM", Amazon ElastiCache User Guide, read
2026-11-21); only logging in takes one."""
MAX_PASSWORD_BYTES = 4096


class PasswordFileLogin(CredentialProvider):
    """Reads the password whenever a connection is made, so that a changed one counts at once."""

    def __init__(self, username: str, path: Path) -> None:
        self._username = username
        self._path = path

    def get_credentials(self) -> tuple[str, str]:
        """Raises ``AuthenticationError`` when there is no password in the file."""
        try:
            with self._path.open(encoding="utf-8") as file:
                password = file.read(MAX_PASSWORD_BYTES).strip()
        except (OSError, UnicodeDecodeError) as error:
            raise AuthenticationError("the password file cannot be read") from error
        if not password:
            raise AuthenticationError("the password file is empty")
        return self._username, password

    async def get_credentials_async(self) -> tuple[str, str]:
        return await asyncio.to_thread(self.get_credentials)


class IamLogin(CredentialProvider):
    """Signs a token per connection with the machine's role (``botocore``'s credential chain).

    The token is a presigned request ``connect`` of the service ``elasticache`` (AWS Signature
    Version 4 in the query), without its scheme. The server ends such a connection after 12 hours;
    :mod:`edge.session.redis_connections` replaces it before.
    """

    def __init__(self, username: str, cache: str, region: str, session: Any) -> None:
        self._username = username
        self._cache = cache
        self._region = region
        self._session = session

    def get_credentials(self) -> tuple[str, str]:
        """May ask the instance's metadata service. Raises ``AuthenticationError``."""
        from botocore.auth import SigV4QueryAuth
        from botocore.awsrequest import AWSRequest
        from botocore.exceptions import BotoCoreError

        query = urlencode({"Action": "connect", "User": self._username})
        request = AWSRequest(method="GET", url=f"http://{self._cache}/?{query}")
        try:
            found = self._session.get_credentials()
            if found is None:
                raise AuthenticationError("this machine has no AWS credentials")
            sign = SigV4QueryAuth(
                found.get_frozen_credentials(), "elasticache", self._region, expires=TOKEN_SECONDS
            )
            sign.add_auth(request)
        except BotoCoreError as error:
            raise AuthenticationError("no AWS credentials to sign with") from error
        return self._username, request.url.removeprefix("http://")

    async def get_credentials_async(self) -> tuple[str, str]:
        return await asyncio.to_thread(self.get_credentials)


def aws_session() -> Any:
    """What tokens are signed with. Raises ``StoreBroken`` where botocore is not installed."""
    try:
        from botocore.session import get_session
    except ImportError as error:
        raise StoreBroken(
            "store.aws_cache: logging in by IAM takes botocore: install inland[aws]"
        ) from error
    return get_session()
