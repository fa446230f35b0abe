"""A softphone calls Inland, and both speak: over every transport, in every codec."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.peers.audio import loud_frames, spoken
from tests.peers.baresip import Account, Baresip
from tests.peers.node import PhoneNode

pytestmark = pytest.mark.asyncio(loop_scope="package")

KEYS = "459201"
QUESTION = "what are your opening hours"


def phone_of(
    node: PhoneNode, folder: Path, transport: str, encryption: str | None, codec: str
) -> Baresip:
    """A phone that has this codec and no other."""
    account = Account(transport=transport, encryption=encryption, codecs=(codec,))
    return Baresip(folder, account, certificates=node.certificates)


over_every_transport = pytest.mark.parametrize(
    ("transport", "encryption", "codec"),
    [
        ("udp", None, "PCMU/8000/1"),
        ("tcp", None, "G722/16000/1"),
        ("tls", "srtp-mand", "PCMA/8000/1"),
        ("tls", "srtp-mand", "opus/48000/2"),
    ],
)


@over_every_transport
async def test_a_phone_presses_keys_and_asks_and_hears_the_answer(
    node: PhoneNode, tmp_path: Path, transport: str, encryption: str | None, codec: str
) -> None:
    before = node.sessions()
    question = spoken(QUESTION, tmp_path)
    async with phone_of(node, tmp_path / "phone", transport, encryption, codec) as phone:
        await phone.dial(node.uri(transport=transport))
        await phone.event("CALL_ESTABLISHED")
        await phone.press(f"{KEYS}#")
        await phone.hears_out(1.0)
        await phone.say(question)
        await phone.hears_out(1.0)
        await phone.hang_up()
        await phone.event("CALL_CLOSED")
        samples, rate = phone.heard()
    assert rate == int(codec.split("/")[1])
    frames = loud_frames(samples, rate)
    assert 2.0 < sum(frames) / 50 < len(frames) / 50 < 40.0
    history = await node.journal(await node.session(before))
    assert [turn.caller for turn in history.turns if turn.caller] == [KEYS, QUESTION]
    assert "open" in history.turns[-1].agent.lower()


@over_every_transport
async def test_a_phone_holds_and_resumes_and_the_agent_ends_the_call(
    node: PhoneNode, tmp_path: Path, transport: str, encryption: str | None, codec: str
) -> None:
    before = node.sessions()
    ended = await node.metric("inland_calls_total", reason="completed")
    goodbye = spoken("goodbye", tmp_path)
    async with phone_of(node, tmp_path / "phone", transport, encryption, codec) as phone:
        await phone.dial(node.uri(transport=transport))
        await phone.hears(1.0)
        await phone.hold()
        await phone.event("CALL_REMOTE_SDP", 2)
        await phone.receives_no_more()
        held = await phone.received()
        await phone.resume()
        await phone.event("CALL_REMOTE_SDP", 3)
        await phone.receives(held + 25)
        await phone.press("#")
        await phone.say(goodbye)
        await phone.event("CALL_CLOSED")
    history = await node.journal(await node.session(before))
    assert [turn.caller for turn in history.turns if turn.caller] == ["goodbye"]
    assert history.turns[-1].agent == "Thank you for calling. Goodbye."
    assert not history.turns[-1].interrupted
    await node.counts("inland_calls_total", ended + 1, reason="completed")
