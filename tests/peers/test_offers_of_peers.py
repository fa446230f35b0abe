"""What real peers offer and answer, read by our side of the negotiation."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.transport.sip.media.agreement import LocalMedia, MediaPolicy
from edge.transport.sip.media.negotiate import accept, answer, offer
from tests.peers import answerers
from tests.peers.baresip import Account, Baresip
from tests.peers.program import HOST
from tests.peers.scenarios import Scenario, inside, outside
from tests.peers.sipp import Sipp

LOCAL = LocalMedia(HOST, 40_000, 40_001)


def last_description(messages: str) -> bytes:
    """The last SDP among sipp's messages."""
    body = messages[messages.rindex("v=0") :]
    return body.partition("\n\n")[0].encode()


@pytest.mark.parametrize(
    ("codec", "name", "encryption"),
    [
        ("PCMU/8000/1", "pcmu", None),
        ("PCMA/8000/1", "pcma", "srtp"),
        ("G722/16000/1", "g722", "srtp-mand"),
        ("opus/48000/2", "opus", "srtp-mandf"),
    ],
)
async def test_an_offer_of_baresip_is_understood(
    tmp_path: Path, codec: str, name: str, encryption: str | None
) -> None:
    refuses = answerers.refuses(486, "Busy Here", rings=False)
    account = Account(codecs=(codec,), encryption=encryption)
    async with Sipp(tmp_path / "b", refuses) as called, Baresip(tmp_path / "a", account) as phone:
        await phone.dial(called.uri)
        await called.finished()
    _, agreed = answer(last_description(called.messages), LOCAL, MediaPolicy())
    assert agreed.codec.name == name
    assert agreed.dtmf is not None
    assert agreed.remote is not None
    assert agreed.remote[0] == HOST
    assert (agreed.crypto is not None) == (encryption is not None)


@pytest.mark.parametrize(("srtp", "encryption"), [("off", None), ("required", "srtp-mand")])
@pytest.mark.parametrize(("codec", "name"), [("PCMA/8000/1", "pcma"), ("opus/48000/2", "opus")])
async def test_our_offer_is_understood_by_baresip(
    tmp_path: Path, srtp: str, encryption: str | None, codec: str, name: str
) -> None:
    body, state = offer(LOCAL, MediaPolicy(srtp=srtp))  # type: ignore[arg-type]
    scenario = Scenario("offers ours")
    text = body.decode().replace("\r\n", "\n")
    scenario.send(outside("INVITE", body=text), retransmits=True)
    scenario.receive(180, optional=True).receive(200, routes=True)
    scenario.send(inside("ACK", 1)).send(inside("BYE", 2), retransmits=True).receive(200)
    account = Account(codecs=(codec,), encryption=encryption, answers=True)
    async with Baresip(tmp_path / "b", account) as phone:
        target = f"{HOST}:{phone.port}"
        async with Sipp(tmp_path / "a", scenario, target, service="phone") as caller:
            await caller.finished()
    agreed = accept(state, last_description(caller.messages))
    assert agreed.codec.name == name
    assert agreed.dtmf is not None
    assert (agreed.crypto is not None) == (srtp == "required")
