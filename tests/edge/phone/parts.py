"""Settings, trunks and requests for the tests of phone calls."""

from __future__ import annotations

from typing import Any

from edge.phone.settings import PhoneSettings
from edge.phone.trunk import Trunk
from edge.transport.sip.wire.message import Request, parse_message

ROUTES = ("eu-central-1", "eu-west-1")
NUMBER = "+496912345678"


def trunk(name: str = "carrier", **changes: Any) -> Trunk:
    values: dict[str, Any] = {"name": name, "routes": ROUTES, "networks": ("198.51.100.0/24",)}
    return Trunk.model_validate(values | changes)


def number(text: str = NUMBER, **changes: Any) -> dict[str, Any]:
    return {"number": text, "tenant": "demo-clinic", "agent": "clinic-reception"} | changes


def phone(**changes: Any) -> PhoneSettings:
    values: dict[str, Any] = {"trunks": [trunk()], "numbers": [number()]}
    return PhoneSettings.model_validate(values | changes)


def invite(uri: str = f"sip:{NUMBER}@edge.example.org", *headers: str, **fields: str) -> Request:
    """An INVITE; ``fields`` replace From and To."""
    lines = [
        f"INVITE {uri} SIP/2.0",
        "Via: SIP/2.0/UDP 198.51.100.7;branch=z9hG4bKx",
        f"From: {fields.get('from_', '<sip:nobody@carrier.example>')};tag=1",
        f"To: {fields.get('to', '<sip:somebody@carrier.example>')}",
        "Call-ID: a@b",
        "CSeq: 1 INVITE",
        *headers,
    ]
    message = parse_message(("\r\n".join(lines) + "\r\n\r\n").encode())
    assert isinstance(message, Request)
    return message
