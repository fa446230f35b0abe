"""A second Inland as the far end: what no other peer here speaks, and what both must agree on."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
import pytest_asyncio

from edge.clock import SystemClock
from edge.phone.line import Srtp
from edge.transport.rtp.codec import CodecName
from edge.transport.sip.core.events import Ended
from edge.transport.sip.media import negotiate
from edge.transport.sip.media.agreement import MediaPolicy
from edge.transport.sip.net.settings import PeerTls
from edge.transport.sip.wire.digest import Credentials
from inland.bench.private_node import REGION
from inland.phone.telephone import PhoneLine, Telephone, telephone
from tests.peers.agents import write_agent
from tests.peers.node import PhoneNode, phone_node, trunk
from tests.peers.program import HOST, HOST6, PATIENCE, free_ports
from tests.system.phone import Caller

pytestmark = pytest.mark.asyncio(loop_scope="module")

PASSWORD = "for-whom-no-network-speaks"
CREDENTIALS = Credentials("visitor", PASSWORD)
STRICT, VISITING = "127.0.0.2", "127.0.0.3"
"""Where calls come from that must be encrypted, and that prove by password who they are."""


def has_ipv6() -> bool:
    """Whether this machine has the loopback address of IPv6."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind((HOST6, 0))
    except OSError:
        return False
    return True


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def far_end(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[PhoneNode]:
    """A node that takes every codec and key."""
    folder = tmp_path_factory.mktemp("node")
    trunks = [
        trunk(networks=[f"{HOST}/32"]),
        trunk(name="strict", networks=[f"{STRICT}/32"], srtp="required"),
        {
            "name": "visitors",
            "inbound_auth": {"username": "visitor", "password_env": "VISITOR_PASSWORD"},
            "routes": [REGION],
        },
    ]
    async with phone_node(
        folder,
        passwords={"VISITOR_PASSWORD": PASSWORD},
        edge={"agents": str(write_agent(folder / "agents"))},
        trunks=trunks,
    ) as node:
        yield node
    assert node.faults() == []


@dataclass(frozen=True, slots=True)
class FarEnd6:
    """A node that listens over IPv6 only."""

    node: PhoneNode
    port: int

    def uri(self, transport: str) -> str:
        """What a phone dials."""
        port = self.port + (transport == "tls")
        return f"sip:clinic@[{HOST6}]:{port};transport={transport}"


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=[HOST6])
async def far_end6(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> AsyncIterator[FarEnd6]:
    """``param`` is the address of its media."""
    if not has_ipv6():
        pytest.skip("needs the loopback address of IPv6")
    folder, port = tmp_path_factory.mktemp("node6"), free_ports(2, HOST6)
    async with phone_node(
        folder,
        edge={"agents": str(write_agent(folder / "agents")), "media_host": request.param},
        trunks=[trunk(networks=[f"{HOST6}/128"])],
        listen=[
            f"udp://[{HOST6}]:{port}",
            f"tcp://[{HOST6}]:{port}",
            f"tls://[{HOST6}]:{port + 1}",
        ],
        public_uri=f"sip:[{HOST6}]:{port}",
    ) as node:
        yield FarEnd6(node, port)
    assert node.faults() == []


async def talks(line: PhoneLine) -> None:
    """Both directions work: the agent greets, and a key that asks for a person ends the call."""
    caller = Caller(line)
    await caller.answered()
    await caller.agent_finished()
    line.leg.send_digits("0")
    await caller.hears()
    assert (await ended(line)).cause == "remote_bye"


async def ended(line: PhoneLine) -> Ended:
    async with asyncio.timeout(PATIENCE):
        return await line.over()


@pytest.mark.parametrize("codec", ["g722", "opus", "pcmu", "pcma"])
async def test_every_codec_is_spoken(far_end: PhoneNode, codec: CodecName) -> None:
    policy = MediaPolicy(codecs=(codec,))
    async with telephone(host=HOST, policy=policy, clock=SystemClock()) as phone:
        line = phone.dial(far_end.uri())
        await talks(line)
        assert line.leg.media.receiver.codec.name == codec


@pytest.mark.parametrize(
    ("transport", "codec"), [("udp", "g722"), ("tcp", "opus"), ("tls", "pcmu")]
)
async def test_ipv6_carries_signalling_and_media(
    far_end6: FarEnd6, transport: str, codec: CodecName
) -> None:
    async with secured(far_end6.node, codec, host=HOST6) as phone:
        line = phone.dial(far_end6.uri(transport))
        await talks(line)
        assert line.leg.media.receiver.codec.name == codec
        assert line.session.sdp is not None
        assert b"c=IN IP6 ::1\r\n" in line.session.sdp
        assert b"a=crypto:" in line.session.sdp


@pytest.mark.parametrize("far_end6", [HOST], indirect=True)
async def test_a_caller_whose_media_is_of_another_family_is_not_left_in_silence(
    far_end6: FarEnd6,
) -> None:
    async with secured(far_end6.node, host=HOST6) as phone:
        end = await ended(phone.dial(far_end6.uri("udp")))
    assert end.status == 488


@pytest.mark.parametrize(
    "suite",
    [
        "AEAD_AES_256_GCM",
        "AEAD_AES_128_GCM",
        "AES_CM_128_HMAC_SHA1_80",
        "AES_CM_128_HMAC_SHA1_32",
    ],
)
async def test_every_suite_encrypts_a_call_over_tls(
    far_end: PhoneNode, monkeypatch: pytest.MonkeyPatch, suite: str
) -> None:
    # Asked for all of them, an Inland would take the first.
    monkeypatch.setitem(negotiate._PROFILES, "required", ("RTP/SAVP", (suite,)))
    async with secured(far_end, srtp="required") as phone:
        line = phone.dial(far_end.uri(transport="tls"))
        await talks(line)
        assert line.session.sdp is not None
        assert b"RTP/SAVP " in line.session.sdp
        assert f"a=crypto:1 {suite} inline:".encode() in line.session.sdp


async def test_the_best_suite_is_taken_when_encryption_may_be_had(far_end: PhoneNode) -> None:
    async with secured(far_end, srtp="optional") as phone:
        line = phone.dial(far_end.uri(transport="tls"))
        await talks(line)
        assert line.session.sdp is not None
        assert b"a=crypto:1 AEAD_AES_256_GCM inline:" in line.session.sdp


async def test_a_trunk_that_must_be_encrypted_takes_nothing_in_the_clear(
    far_end: PhoneNode,
) -> None:
    async with secured(far_end, host=STRICT, srtp="off") as phone:
        end = await ended(phone.dial(far_end.uri()))
        assert end.status == 488
    async with secured(far_end, host=STRICT, srtp="optional") as phone:
        line = phone.dial(far_end.uri())
        await talks(line)
        assert line.session.sdp is not None
        assert b"a=crypto:" in line.session.sdp


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_visitor_proves_by_sha_256_who_it_is(far_end: PhoneNode, transport: str) -> None:
    async with secured(far_end, host=VISITING) as phone:
        line = phone.dial(far_end.uri(transport=transport), credentials=CREDENTIALS)
        await talks(line)
        proof = line.session.request.headers.get("authorization")
    assert proof is not None
    assert "algorithm=SHA-256" in proof
    assert PASSWORD not in proof


@pytest.mark.parametrize(
    ("credentials", "status"),
    [(None, 401), (Credentials("visitor", "a guess"), 403), (Credentials("desk", PASSWORD), 403)],
)
async def test_a_stranger_is_not_let_in(
    far_end: PhoneNode, credentials: Credentials | None, status: int
) -> None:
    async with secured(far_end, host=VISITING) as phone:
        line = phone.dial(far_end.uri(transport="tcp"), credentials=credentials)
        end = await ended(line)
    assert (end.cause, end.status) == ("rejected", status)


@asynccontextmanager
async def secured(
    far_end: PhoneNode, codec: CodecName = "pcmu", *, host: str = HOST, srtp: Srtp = "optional"
) -> AsyncIterator[Telephone]:
    """A telephone that trusts the far end's authority."""
    async with telephone(
        host=host,
        policy=MediaPolicy(codecs=(codec,), srtp=srtp),
        clock=SystemClock(),
        tls=PeerTls(ca=far_end.certificates.authority),
        tls_host=HOST6 if host == HOST6 else HOST,
    ) as phone:
        yield phone
