"""Whatever a library raises while a call connects or closes, it ends that call and nothing else."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from aiortc import RTCCertificate, RTCDtlsFingerprint
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL, crypto

from edge.clock import SystemClock
from edge.events import JsonValue
from edge.leg import LegError
from edge.media.ticker import Ticker
from edge.transport.webrtc import caller as caller_module
from edge.transport.webrtc.caller import CallerPeer
from edge.transport.webrtc.endpoint import WebRtcEndpoint
from edge.transport.webrtc.leg import WebRtcLeg
from tests.edge.transport.rtp.ears import PATIENCE
from tests.edge.transport.webrtc.conftest import LOOPBACK, call

V3 = bytes.fromhex("a003020102")
V2 = bytes.fromhex("a003020101")
"""The version field of a certificate (RFC 5280 section 4.1.2.1)."""

SECRET = "what a stranger sent"


class Version2Certificate(RTCCertificate):
    """A certificate that says it is of X.509 version 2; OpenSSL takes it, cryptography does not."""

    def _der(self) -> bytes:
        der = self._cert.public_bytes(Encoding.DER)
        assert der.count(V3) == 1
        return der.replace(V3, V2)

    def getFingerprints(self) -> list[RTCDtlsFingerprint]:  # noqa: N802
        digest = hashlib.sha256(self._der()).hexdigest().upper()
        value = ":".join(digest[i : i + 2] for i in range(0, len(digest), 2))
        return [RTCDtlsFingerprint("sha-256", value)]

    def _create_ssl_context(self, srtp_profiles: Any) -> SSL.Context:
        context = super()._create_ssl_context(srtp_profiles)
        context.use_certificate(crypto.load_certificate(crypto.FILETYPE_ASN1, self._der()))
        context.use_privatekey(self._key)
        return context


def test_the_odd_certificate_is_one_that_cryptography_refuses() -> None:
    with pytest.raises(x509.InvalidVersion):
        x509.load_der_x509_certificate(Version2Certificate.generateCertificate()._der())


async def assert_all_is_free(endpoint: WebRtcEndpoint, before: set[asyncio.Task[Any]]) -> None:
    assert (endpoint.legs, endpoint._mux.calls, endpoint._mux.addresses) == (0, 0, 0)
    if left := asyncio.all_tasks() - before:
        # What was cancelled needs a step to end.
        _, pending = await asyncio.wait(left, timeout=PATIENCE)
        assert not pending
    assert not any(endpoint._ticker._phases)


async def ended(side: CallerPeer | WebRtcLeg) -> str | None:
    try:
        await side.connected()
    except LegError as error:
        return str(error)
    return None


async def test_a_certificate_of_version_2_fails_its_own_call_only(
    endpoint: WebRtcEndpoint,
    ticker: Ticker,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    before = asyncio.all_tasks()
    monkeypatch.setattr(caller_module, "RTCCertificate", Version2Certificate)
    caller = CallerPeer(ticker=ticker, clock=SystemClock(), host=LOOPBACK)
    leg, answer = await endpoint.answer(await caller.offer())
    await caller.accept(answer)
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        edge_side = group.create_task(ended(leg))
        group.create_task(ended(caller))
    assert edge_side.result() == "the handshake failed"
    assert await leg.closed() == "failed"
    await leg.close()
    await caller.close()
    await assert_all_is_free(endpoint, before)
    assert "InvalidVersion" not in caplog.text
    assert [vars(record).get("code") for record in caplog.records] == ["InvalidVersion"]


def breaking(original: Callable[..., Any] | None = None) -> Callable[..., Any]:
    async def broken(*arguments: Any) -> None:
        if original is not None:
            await original(*arguments)
        raise ValueError(SECRET)

    return broken


@pytest.mark.parametrize("part", ["_ice", "_dtls", "sctp"])
async def test_a_fault_in_any_handshake_is_a_leg_error_without_its_text(
    endpoint: WebRtcEndpoint, ticker: Ticker, caplog: pytest.LogCaptureFixture, part: str
) -> None:
    before = asyncio.all_tasks()
    caller = CallerPeer(ticker=ticker, clock=SystemClock(), host=LOOPBACK, timeout=0.5)
    leg, answer = await endpoint.answer(await caller.offer())
    await caller.accept(answer)
    broken_part: Any = getattr(leg._peer, part)
    broken_part.start = breaking()
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        edge_side = group.create_task(ended(leg))
        group.create_task(ended(caller))
    assert edge_side.result() == "the handshake failed"
    assert await ended(leg) == "the leg is over"
    assert await leg.closed() == "failed"
    await leg.close()
    await caller.close()
    await assert_all_is_free(endpoint, before)
    assert SECRET not in caplog.text


async def test_a_cancelled_handshake_is_no_leg_error(
    endpoint: WebRtcEndpoint, ticker: Ticker
) -> None:
    caller = CallerPeer(ticker=ticker, clock=SystemClock(), host=LOOPBACK)
    leg, _ = await endpoint.answer(await caller.offer())
    connecting = asyncio.ensure_future(leg.connected())
    await asyncio.sleep(0)
    connecting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await connecting
    await leg.close()
    await caller.close()


@pytest.mark.parametrize(
    "step",
    [
        "_peer.sctp.stop",
        "_peer.sctp._send_chunk",
        "_peer._dtls.stop",
        "_peer._ice.stop",
        "_peer._connection.close",
        "_media.goodbye",
        "_media.close",
        "_events.close",
    ],
)
async def test_a_step_of_closing_that_fails_keeps_no_other_from_freeing(
    endpoint: WebRtcEndpoint, ticker: Ticker, caplog: pytest.LogCaptureFixture, step: str
) -> None:
    before = asyncio.all_tasks()
    async with call(endpoint, ticker) as one:
        one.leg.send({"type": "hello"})
        await one.caller_inbox.take(1)
        *path, name = step.split(".")
        owner: Any = one.leg
        for attribute in path:
            owner = getattr(owner, attribute)
        original = getattr(owner, name)

        def broken_now() -> None:
            original()
            raise ValueError(SECRET)

        setattr(owner, name, broken_now if path[0] != "_peer" else breaking(original))
        if path[0] == "_peer":
            await one.leg._peer.close()
        await one.leg.close()
        assert await one.leg.closed() == "closed"
        assert one.leg._peer.sctp.state == "closed"  # its timers are stopped
    await assert_all_is_free(endpoint, before)
    assert SECRET not in caplog.text


@pytest.mark.parametrize("step", ["_dtls.stop", "_ice.stop", "_connection.close"])
async def test_a_peer_closes_although_a_step_did_nothing_but_fail(
    endpoint: WebRtcEndpoint, ticker: Ticker, step: str
) -> None:
    before = asyncio.all_tasks()
    async with call(endpoint, ticker) as one:
        part, name = step.split(".")
        owner: Any = getattr(one.leg._peer, part)
        original = getattr(owner, name)
        fails_first = iter([breaking()])

        async def once() -> None:
            await next(fails_first, original)()

        setattr(owner, name, once)
        await one.leg._peer.close()
    await assert_all_is_free(endpoint, before)


async def test_a_close_that_is_cancelled_leaves_the_port(
    endpoint: WebRtcEndpoint, ticker: Ticker
) -> None:
    async with call(endpoint, ticker) as one:

        async def hangs() -> None:
            await asyncio.Event().wait()

        ice: Any = one.leg._peer._ice
        original, ice.stop = ice.stop, hangs
        closing = asyncio.ensure_future(one.leg.close())
        for _ in range(5):
            await asyncio.sleep(0)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        assert (endpoint.legs, endpoint._mux.calls) == (0, 0)
        await original()


async def test_a_leg_that_was_hung_up_while_it_connected_hears_nothing(
    endpoint: WebRtcEndpoint, ticker: Ticker
) -> None:
    caller = CallerPeer(ticker=ticker, clock=SystemClock(), host=LOOPBACK)
    leg, answer = await endpoint.answer(await caller.offer())
    await caller.accept(answer)
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        edge_side = group.create_task(ended(leg))
        group.create_task(ended(caller))
        await asyncio.sleep(0)
        leg.hangup()
    assert edge_side.result() == "the leg is over"
    assert not leg.media._running
    await leg.close()
    await caller.close()


async def test_an_event_that_is_no_json_does_not_escape_send(
    endpoint: WebRtcEndpoint, ticker: Ticker, caplog: pytest.LogCaptureFixture
) -> None:
    async with call(endpoint, ticker) as one:
        deep: list[JsonValue] = []
        for _ in range(100_000):
            deep = [deep]
        one.leg.send({"type": "deep", "of": deep})
        one.leg.send({"type": "odd", "of": {SECRET}})  # type: ignore[dict-item]
        one.leg.send({"type": "half", "of": "\ud800"})
        one.leg.send({"type": "fine"})
        assert [event["type"] for event in await one.caller_inbox.take(1)] == ["fine"]
    assert SECRET not in caplog.text


async def test_an_offer_that_nobody_follows_up_holds_its_place_five_seconds(
    endpoint: WebRtcEndpoint, ticker: Ticker
) -> None:
    caller = CallerPeer(ticker=ticker, clock=SystemClock(), host=LOOPBACK)
    leg, _ = await endpoint.answer(await caller.offer())
    assert leg._timeout == 5.0
    await leg.close()
    await caller.close()
