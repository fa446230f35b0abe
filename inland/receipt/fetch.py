"""Asks an edge for receipts and for the key that they are signed with."""

from __future__ import annotations

import ipaddress
from urllib.parse import quote, urlsplit

import aiohttp

from inland.receipt.errors import UnusableInput
from inland.receipt.files import MAX_FILE_BYTES

SECONDS = 15.0


async def fetch_keys(edge: str) -> bytes:
    """The region's public key. Raises ``UnusableInput``."""
    return await _get(edge, "/v1/receipt-keys", None)


async def fetch_receipts(edge: str, session_id: str, tenant: str | None, token: str) -> bytes:
    """A session's receipts, as JSON. Raises ``UnusableInput``."""
    query = "" if tenant is None else f"?tenant={quote(tenant, safe='')}"
    return await _get(edge, f"/v1/sessions/{quote(session_id, safe='')}/receipt{query}", token)


async def _get(edge: str, path: str, token: str | None) -> bytes:
    address = edge.rstrip("/") + path
    _check(edge)
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    timeout = aiohttp.ClientTimeout(total=SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, trust_env=False) as http,
            http.get(address, headers=headers, allow_redirects=False) as answer,
        ):
            body = bytearray()
            async for chunk in answer.content.iter_any():
                body += chunk
                if len(body) > MAX_FILE_BYTES:
                    raise UnusableInput(f"{edge}: the answer is too long")
            if answer.status != 200:
                raise UnusableInput(f"{edge}: {_refusal(answer.status, bytes(body))}")
            return bytes(body)
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise UnusableInput(f"{edge}: no answer: {error or type(error).__name__}") from error


def _check(edge: str) -> None:
    """A secret, and the key that decides, go over HTTPS, or stay on this machine."""
    url = urlsplit(edge)
    if url.scheme == "https" and url.hostname:
        return
    if url.scheme == "http" and url.hostname and _loopback(url.hostname):
        return
    raise UnusableInput(f"--edge {edge}: write https://HOST[:PORT] (http only for loopback)")


def _loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _refusal(status: int, body: bytes) -> str:
    """The words of a problem document (RFC 9457), if it is one."""
    from pydantic import ValidationError

    from control_plane.contract import Problem

    try:
        problem = Problem.model_validate_json(body)
    except ValidationError:
        return f"status {status}"
    return f"{problem.code}: {problem.detail}"
