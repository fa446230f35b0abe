"""Whatever is sent to a node: a clear answer that blames the sender, and no call left behind."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Callable
from urllib.parse import urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from control_plane.contract import Problem, RouteClaims
from control_plane.tokens import TokenSigner
from edge.clock import SystemClock
from edge.logs import short
from inland.caller.webrtc import WebRtcPeer
from tests.system.line import Exchange
from tests.system.world import HANG_SECONDS, World

pytestmark = pytest.mark.system

EU = "eu-central-1"
SDP = {"Content-Type": "application/sdp"}


@pytest.fixture
async def node(callers: Exchange) -> AsyncIterator[Node]:
    """A node to be sent bad things; it must come out of it as it went in."""
    world = callers.world
    before = world.faults()
    yield Node(callers)
    for region in world.edges:
        await callers.idle(region)
    assert world.faults() == before
    line = await callers.call("DE")
    await callers.hang_up(line)


class Node:
    """The node in Frankfurt, by plain HTTP."""

    def __init__(self, callers: Exchange) -> None:
        self.callers = callers
        self.edge = callers.world.edges[EU]

    async def post(
        self, body: bytes | str, token: str | None = None, **headers: str
    ) -> tuple[int, Problem]:
        """Offer ``body``; the answer must be a problem document for people."""
        token = token if token is not None else self.callers.token("eea", [EU])
        given = SDP | {"Authorization": f"Bearer {token}"} | headers
        async with self.callers.http.post(
            f"{self.edge}/v1/realtime/calls", data=body, headers=given
        ) as answer:
            assert answer.content_type == "application/problem+json"
            return answer.status, Problem.model_validate_json(await answer.read())

    async def offer(self) -> str:
        """A good offer."""
        peer = WebRtcPeer("opus", self.callers.ticker, SystemClock())
        try:
            return await peer.offer()
        finally:
            await peer.close()


def without(offer: str, *starts: str) -> str:
    lines = [line for line in offer.splitlines() if not line.startswith(starts)]
    return "\r\n".join(lines) + "\r\n"


def sections(offer: str) -> tuple[str, str, str]:
    """Session, audio section, data section."""
    session, audio, data = re.split(r"(?=^m=)", offer, flags=re.MULTILINE)
    return session, audio, data


def video_only(offer: str) -> str:
    session, audio, _ = sections(offer)
    return session + re.sub("^m=audio", "m=video", audio).replace("opus/48000/2", "VP8/90000")


def only_g729(offer: str) -> str:
    session, audio, data = sections(offer)
    kept = without(audio, "a=rtpmap", "a=fmtp", "a=rtcp-fb")
    port = re.match(r"m=audio (\d+) (\S+)", kept)
    assert port is not None
    return session + re.sub(r"^m=.*", f"m=audio {port[1]} {port[2]} 18", kept) + data


MALFORMED: dict[str, tuple[Callable[[str], str], str, str]] = {
    "empty": (lambda offer: "", "bad_sdp", "empty"),
    "truncated in a line": (lambda offer: offer[:40], "bad_sdp", "audio"),
    "truncated before its audio": (lambda offer: sections(offer)[0], "bad_sdp", "no audio"),
    "no audio": (lambda offer: sections(offer)[0] + sections(offer)[2], "bad_sdp", "no audio"),
    "video only": (video_only, "bad_sdp", "no audio"),
    "only G.729": (only_g729, "no_common_codec", "Opus nor PCMU"),
    "garbage": (lambda offer: "\x7f?{%" * (63 * 256), "bad_sdp", "line 1"),
    "lines of garbage": (lambda offer: "v=0\r\n" + "a=x\r\n" * 12_000, "bad_sdp", "lines"),
    "NULs": (lambda offer: offer.replace("a=mid", "a=\0mid"), "bad_sdp", "form"),
    "only NULs": (lambda offer: "\0" * 4096, "bad_sdp", "line 1"),
    "JSON": (lambda offer: json.dumps({"sdp": offer}), "bad_sdp", "line 1"),
    "no fingerprint": (lambda offer: without(offer, "a=fingerprint"), "bad_sdp", "fingerprint"),
    "no ufrag": (lambda offer: without(offer, "a=ice-ufrag"), "bad_sdp", "ice-ufrag"),
    "no password": (lambda offer: without(offer, "a=ice-pwd"), "bad_sdp", "ice-pwd"),
    "no setup": (lambda offer: without(offer, "a=setup"), "bad_sdp", "a=setup"),
    "no mux": (lambda offer: without(offer, "a=rtcp-mux"), "bad_sdp", "rtcp-mux"),
    "plain RTP": (lambda offer: offer.replace("UDP/TLS/RTP/SAVPF", "RTP/AVP"), "bad_sdp", "SRTP"),
    "port of words": (lambda offer: offer.replace("m=audio ", "m=audio x"), "bad_sdp", "m-line"),
}


@pytest.mark.parametrize("name", MALFORMED)
async def test_offer_that_is_none_is_told_what_it_lacks(node: Node, name: str) -> None:
    spoil, code, words = MALFORMED[name]
    status, problem = await node.post(spoil(await node.offer()))
    assert problem.code == code
    assert status == problem.status == (406 if code == "no_common_codec" else 400)
    assert words in problem.detail


@pytest.mark.parametrize("ending", ["\r\n", "\n", "\r"])
async def test_call_hung_up_before_its_media_ends_for_that(node: Node, ending: str) -> None:
    """And not because its media never came. Line endings are of every kind: RFC 8866, section 5,
    asks parsers to take a bare LF."""
    offer = (await node.offer()).replace("\r\n", ending)
    async with node.callers.http.post(
        f"{node.edge}/v1/realtime/calls",
        data=offer,
        headers=SDP | {"Authorization": f"Bearer {node.callers.token('eea', [EU])}"},
    ) as answer:
        assert answer.status == 201
        resource = node.edge + answer.headers["Location"]
    async with node.callers.http.delete(resource) as answer:
        assert answer.status == 200
    await node.callers.idle(EU)
    name = short(resource.rpartition("/")[2])
    log = node.callers.world.log(EU).splitlines()
    (ended,) = [line for line in log if name in line and "call ended" in line]
    assert json.loads(ended)["reason"] == "hangup"


async def test_body_that_is_not_text_is_refused(node: Node) -> None:
    status, problem = await node.post(b"\xff\xfe\x00\x01" * 100)
    assert (status, problem.code) == (400, "bad_request")
    assert "UTF-8" in problem.detail


async def test_tokens_are_refused_each_for_its_own_reason(node: Node) -> None:
    offer, callers = await node.offer(), node.callers
    now = int(time.time())
    stranger = TokenSigner(Ed25519PrivateKey.generate())
    good = callers.token("eea", [EU])
    header, payload, signature = good.split(".")
    refused = {
        "": (401, "bad_token"),
        "x": (401, "bad_token"),
        "rs_" + "A" * 200: (401, "bad_token"),
        "A" * 5000: (401, "bad_token"),
        f"{header}.{payload}.{signature[::-1]}": (401, "bad_token"),
        f"{header}.{payload}.": (401, "bad_token"),
        stranger_token(stranger, good): (401, "bad_token"),
        callers.token("eea", [EU], iat=now - 120, nbf=now - 120, exp=now - 60): (
            401,
            "token_expired",
        ),
        callers.token("eea", ["eu-west-1"]): (403, "wrong_region"),
        callers.token("in", [EU]): (403, "wrong_region"),
        callers.token("eea", [EU], pol="2020-01-01.1#000000000000"): (409, "wrong_policy"),
        callers.token("eea", [EU], agent="nobody-home"): (404, "unknown_agent"),
    }
    for token, expected in refused.items():
        status, problem = await node.post(offer, token)
        assert (status, problem.code) == expected, problem
        assert len(problem.detail) > 20


def stranger_token(signer: TokenSigner, like: str) -> str:
    """The claims of a good token, signed by somebody else."""
    claims = jwt.decode(like, options={"verify_signature": False})
    return signer.sign(RouteClaims.model_validate(claims, strict=False))


async def test_token_opens_one_call(node: Node) -> None:
    token = node.callers.token("eea", [EU])
    line = await node.callers.dial(node.edge, token)
    status, problem = await node.post(await node.offer(), token)
    assert (status, problem.code) == (409, "token_used")
    await node.callers.hang_up(line)


async def test_other_content_and_other_paths_are_answered_in_words(node: Node) -> None:
    status, problem = await node.post("v=0", **{"Content-Type": "text/plain"})
    assert (status, problem.code) == (415, "unsupported_media_type")
    form = {"Content-Type": "multipart/form-data; boundary=x"}
    for body in ("", "--x\r\n", "--x\r\n\r\n\r\n--x--\r\n", "nonsense"):
        status, problem = await node.post(body, **form)
        assert status in (400, 413), problem
    http = node.callers.http
    for method, path in (
        ("GET", "/v1/realtime/calls"),
        ("PUT", "/whip"),
        ("DELETE", "/v1/realtime/calls/rtc_w0_x"),
        ("DELETE", "/v1/realtime/calls/rtc_w99999999999_x"),
        ("DELETE", "/v1/realtime/calls/..%2f..%2fetc"),
        ("POST", "/v1/realtime/calls/rtc_w0_x/drill"),
        ("GET", "/" + "x" * 2000),
    ):
        async with http.request(method, node.edge + path) as answer:
            assert 400 <= answer.status < 500, (method, path)
            Problem.model_validate_json(await answer.read())


async def test_body_of_a_megabyte_is_refused_without_being_read(node: Node) -> None:
    status, problem = await node.post(b"v=0\r\n" * 200_000)
    assert (status, problem.code) == (413, "body_too_large")
    assert "65536" in problem.detail


async def test_client_that_never_finishes_is_hung_up_on(node: Node) -> None:
    head = b"POST /v1/realtime/calls HTTP/1.1\r\nHost: edge\r\nContent-Type: application/sdp\r\n"
    token = node.callers.token("eea", [EU]).encode()
    whole = head + b"Authorization: Bearer " + token + b"\r\nContent-Length: 900\r\n\r\nv=0\r\n"
    async with asyncio.TaskGroup() as group:
        for start in (b"", head[:60], head):
            group.create_task(until_hung_up(node.edge, start))
        body = group.create_task(until_hung_up(node.edge, whole))
    assert body.result().startswith(b"HTTP/1.1 408")
    assert b"too_slow" in body.result()


async def until_hung_up(edge: str, start: bytes) -> bytes:
    """Send ``start`` and then a byte now and then; what came back until the connection closed."""
    host = urlsplit(edge)
    reader, writer = await asyncio.open_connection(host.hostname, host.port)
    writer.write(start)
    try:
        async with asyncio.timeout(HANG_SECONDS), asyncio.TaskGroup() as group:
            dripping = group.create_task(drip(writer))
            answer = await reader.read()
            dripping.cancel()
    finally:
        writer.close()
    return answer


async def drip(writer: asyncio.StreamWriter) -> None:
    """A byte now and then, for as long as the other side takes them."""
    try:
        while True:
            await asyncio.sleep(0.5)  # this is what a slow client does
            writer.write(b"a")
            await writer.drain()
    except ConnectionError:
        return


async def test_trickle_that_is_none_leaves_the_call_alone(node: Node) -> None:
    line = await node.callers.dial(node.edge, node.callers.token("eea", [EU]))
    for body, kind, status in (
        ("nonsense", "application/trickle-ice-sdpfrag", 400),
        ("a=ice-ufrag:other\r\n", "application/trickle-ice-sdpfrag", 409),
        ("a=candidate:\r\n" * 5000, "application/trickle-ice-sdpfrag", 413),
        ("{}", "application/json", 415),
    ):
        async with node.callers.http.patch(
            line.url, data=body, headers={"Content-Type": kind}
        ) as answer:
            assert answer.status == status
            Problem.model_validate_json(await answer.read())
    await line.audio()
    await node.callers.hang_up(line)


async def test_garbage_on_the_media_port_does_not_touch_the_call(node: Node) -> None:
    line = await node.callers.dial(node.edge, node.callers.token("eea", [EU]))
    await line.audio()
    ports = media_ports(node.callers.world)
    assert ports
    loop = asyncio.get_running_loop()
    for port in ports:
        transport, _ = await loop.create_datagram_endpoint(
            asyncio.DatagramProtocol, remote_addr=("127.0.0.1", port)
        )
        for datagram in GARBAGE:
            transport.sendto(datagram)
        transport.close()
    line.type("what are your opening hours")
    said = ""
    while "eight" not in said:
        said += (await line.event("response.output_audio_transcript.delta"))["delta"]
    await line.audio()
    await node.callers.hang_up(line)


GARBAGE = [
    b"",
    b"\0",
    bytes(range(256)) * 5,
    b"\x80\x6f" + b"\0" * 10,  # RTP without a call
    b"\x80\xc8" + b"\xff" * 60,  # RTCP of nobody
    b"\x16\xfe\xfd" + b"\xff" * 100,  # DTLS that is none
    b"\x00\x01\x00\x08\x21\x12\xa4\x42" + b"t" * 12 + b"\x00\x06\x00\x04user",  # STUN of nobody
    b"\x00\x01\xff\xff\x21\x12\xa4\x42" + b"t" * 12,  # STUN that claims more than it has
    *(bytes([first]) * 1200 for first in range(0, 256, 3)),
]


def media_ports(world: World) -> list[int]:
    """The UDP ports of the region's workers."""
    return [
        each.laddr.port
        for worker in world.workers(EU)
        for each in worker.net_connections("udp")
        if each.laddr
    ]
