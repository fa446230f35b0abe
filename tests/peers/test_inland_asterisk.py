"""The optional tier: Inland as an extension of Asterisk, where Asterisk is installed."""

from __future__ import annotations

import io
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inland.caller.options import AGENT
from inland.demo.phone import TENANT
from tests.peers.asterisk import EXTENSION, PASSWORD, Asterisk
from tests.peers.node import PhoneNode, phone_node, trunk
from tests.peers.program import HOST

AUDIBLE = 300
"""Mean magnitude of speech in a recording; silence has a tenth of it."""


def extension(asterisk: Asterisk) -> dict[str, Any]:
    """The settings that make a node its extension."""
    return {
        "trunks": [trunk(name="pbx", address=f"sip:{HOST}:{asterisk.port}")],
        "numbers": [],
        "registrations": [
            {
                "name": "pbx-201",
                "trunk": "pbx",
                "username": EXTENSION,
                "password_env": "PBX_PASSWORD",
                "tenant": TENANT,
                "agent": AGENT,
                "country": "DE",
            }
        ],
    }


async def heard(asterisk: Asterisk, node: PhoneNode) -> float:
    """How loud the agent was on a call that Asterisk placed."""
    await asterisk.registered()
    await asterisk.dial()
    with wave.open(io.BytesIO(await asterisk.recorded())) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    await node.counts("inland_phone_calls_established_total", 1)
    return float(np.abs(samples.astype(np.int32)).mean())


@pytest.mark.parametrize(
    ("codecs", "encryption"), [("alaw", "no"), ("g722", "no"), ("ulaw", "sdes")]
)
async def test_asterisk_reaches_the_agent_at_its_extension(
    tmp_path: Path, codecs: str, encryption: str
) -> None:
    async with (
        Asterisk(tmp_path / "pbx", codecs=codecs, encryption=encryption) as asterisk,
        phone_node(
            tmp_path / "node", passwords={"PBX_PASSWORD": PASSWORD}, **extension(asterisk)
        ) as node,
    ):
        assert await heard(asterisk, node) > AUDIBLE
        assert node.faults() == []
