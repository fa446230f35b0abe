"""The peers do what our tests take from them: they call one another."""

from __future__ import annotations

import os
from pathlib import Path

import psutil
import pytest

from edge.media.frames import LISTEN_RATE
from tests.peers import answerers, callers
from tests.peers.audio import strength, tone, write_capture, write_ulaw
from tests.peers.baresip import Account, Baresip
from tests.peers.certificates import Certificates
from tests.peers.kamailio import Kamailio
from tests.peers.program import until
from tests.peers.scenarios import Scenario, outside
from tests.peers.sipp import Sipp

HERTZ = 440.0


async def test_sipp_calls_sipp_and_counts(tmp_path: Path) -> None:
    async with Sipp(tmp_path / "b", answerers.answers(), calls=5) as called:
        target = f"127.0.0.1:{called.port}"
        async with Sipp(tmp_path / "a", callers.talks(0.2), target, calls=5, rate=10) as caller:
            counts = await caller.finished()
        answered = await called.finished()
    assert (counts.calls, counts.successes, counts.failures) == (5, 5, 0)
    assert counts.retransmissions == 0
    assert answered.successes == 5
    assert "INVITE sip:agent@" in caller.messages


@pytest.mark.parametrize(
    ("caller", "called"),
    [
        (callers.is_refused(486), answerers.refuses(486, "Busy Here")),
        (callers.is_refused(603), answerers.refuses(603, "Decline", rings=False)),
        (callers.gives_up(), answerers.never_answers()),
        (callers.talks(0.2), answerers.plays_early()),
        (callers.waits_for_bye(), answerers.hangs_up(0.2)),
        (callers.holds(0.1), None),
        (callers.refreshes(), answerers.is_refreshed()),
        (callers.asks_options(), answerers.is_asked()),
        (callers.offers_late(), answerers.answers()),
        (callers.is_refused(302), answerers.redirects("sip:other@127.0.0.1:9")),
        (callers.rings_reliably(), answerers.rings_reliably()),
    ],
    ids=lambda scenario: scenario.name if scenario else "",
)
async def test_each_scenario_meets_its_match(
    tmp_path: Path, caller: Scenario, called: Scenario | None
) -> None:
    if called is None:
        async with Baresip(tmp_path / "b", Account(answers=True)) as phone:
            target = f"127.0.0.1:{phone.port}"
            async with Sipp(tmp_path / "a", caller, target, service="phone") as calling:
                assert (await calling.finished()).failures == 0
        return
    async with Sipp(tmp_path / "b", called) as waiting:
        async with Sipp(tmp_path / "a", caller, f"127.0.0.1:{waiting.port}") as calling:
            assert (await calling.finished()).failures == 0
        assert (await waiting.finished()).failures == 0


async def test_a_lost_ack_brings_the_answer_a_second_time(tmp_path: Path) -> None:
    async with Baresip(tmp_path / "b", Account(answers=True)) as phone:
        target = f"127.0.0.1:{phone.port}"
        scenario = callers.loses_its_ack()
        async with Sipp(tmp_path / "a", scenario, target, service="phone") as caller:
            await caller.finished()
    assert caller.messages.count("SIP/2.0 200 Answering") >= 2
    assert "\nACK " in caller.messages


async def test_a_capture_of_speech_and_keys_is_heard(tmp_path: Path) -> None:
    capture = write_capture(tmp_path / "call.pcap", tone(HERTZ, 1.0, 8_000), "159#")
    async with Baresip(tmp_path / "b", Account(answers=True)) as phone:
        target = f"127.0.0.1:{phone.port}"
        talks = callers.talks(callers.LISTENS, capture=capture)
        async with Sipp(tmp_path / "a", talks, target, service="phone") as caller:
            await caller.finished()
        await phone.event("CALL_CLOSED")
        samples, rate = phone.heard()
    assert phone.keys == "159#"
    assert strength(samples, rate, HERTZ) > 0.5


@pytest.mark.parametrize(
    ("transport", "encryption", "codec"),
    [
        ("udp", None, "PCMU/8000/1"),
        ("tcp", None, "G722/16000/1"),
        ("tls", "srtp-mand", "opus/48000/2"),
    ],
)
async def test_baresip_speaks_holds_and_presses_over_every_transport(
    tmp_path: Path,
    certificates: Certificates,
    transport: str,
    encryption: str | None,
    codec: str,
) -> None:
    def account(user: str, *, answers: bool) -> Account:
        return Account(
            user, transport=transport, encryption=encryption, codecs=(codec,), answers=answers
        )

    called = Baresip(tmp_path / "b", account("b", answers=True), certificates=certificates)
    caller = Baresip(
        tmp_path / "a",
        account("a", answers=False),
        certificates=certificates,
        says=tone(HERTZ, 10.0),
    )
    async with called, caller:
        await caller.dial(called.uri)
        await caller.event("CALL_ESTABLISHED")
        await called.event("CALL_ESTABLISHED")
        await caller.press("42")
        await called.event("CALL_DTMF_START", 2)
        await caller.hold()
        await called.event("CALL_REMOTE_SDP", 2)
        await caller.resume()
        await called.event("CALL_REMOTE_SDP", 3)
        await caller.hang_up()
        await called.event("CALL_CLOSED")
    samples, rate = called.heard()
    assert called.keys == "42"
    assert rate == int(codec.split("/")[1])
    assert strength(samples, rate, HERTZ) > 0.5


async def test_a_stream_of_sipps_own_pacing_is_heard(tmp_path: Path) -> None:
    raw = write_ulaw(tmp_path / "tone.ul", tone(HERTZ, 1.0, 8_000))
    async with Baresip(tmp_path / "b", Account(answers=True)) as phone:
        target = f"127.0.0.1:{phone.port}"
        async with Sipp(tmp_path / "a", callers.streams(raw), target, service="phone") as caller:
            await caller.finished()
        await phone.event("CALL_CLOSED")
        samples, rate = phone.heard()
    assert strength(samples, rate, HERTZ) > 0.5


async def test_sipp_gives_a_phone_its_own_words_back(tmp_path: Path) -> None:
    async with Sipp(tmp_path / "b", answerers.answers(), echoes=True) as echo:
        async with Baresip(tmp_path / "a", says=tone(HERTZ, 30.0)) as phone:
            await phone.dial(echo.uri)
            await phone.event("CALL_ESTABLISHED")
            await phone.hears(1.0, HERTZ)
            await phone.hang_up()
            await echo.finished()
            await phone.event("CALL_CLOSED")
        samples, rate = phone.heard()
    assert strength(samples, rate, HERTZ) > 0.5


async def test_a_phone_speaks_what_it_is_given_during_a_call(tmp_path: Path) -> None:
    called = Baresip(tmp_path / "b", Account("b", answers=True))
    async with called, Baresip(tmp_path / "a", Account("a")) as caller:
        await caller.dial(called.uri)
        await called.event("CALL_ESTABLISHED")
        await caller.say(tone(HERTZ, 5.0))
        await called.hears(1.0, HERTZ)


async def test_a_phone_is_put_on_hold_by_sipp(tmp_path: Path) -> None:
    called = Sipp(tmp_path / "b", answerers.holds(0.3))
    async with called, Baresip(tmp_path / "a") as phone:
        await phone.dial(called.uri)
        await phone.event("CALL_REMOTE_SDP", 3)
        await phone.hang_up()
        await called.finished()


async def test_a_phone_calls_over_ipv6(tmp_path: Path) -> None:
    called = Baresip(tmp_path / "b", Account("b", answers=True), host="::1")
    caller = Baresip(tmp_path / "a", Account("a"), host="::1", says=tone(HERTZ, 5.0))
    async with called, caller:
        await caller.dial(called.uri)
        await called.event("CALL_ESTABLISHED")
        await called.hears(0.5, HERTZ)


@pytest.mark.parametrize(("status", "reason"), [(200, "OK"), (486, "Busy Here")])
async def test_sipp_tells_how_a_transfer_went(tmp_path: Path, status: int, reason: str) -> None:
    async with Baresip(tmp_path / "b", Account(answers=True)) as phone:
        scenario = callers.is_transferred(status, reason)
        target = f"127.0.0.1:{phone.port}"
        async with Sipp(tmp_path / "a", scenario, target, service="phone") as caller:
            await phone.event("CALL_ESTABLISHED")
            await phone.transfer("sip:third@127.0.0.1:9")
            await caller.finished()


async def test_baresip_refers_a_caller_to_a_third_that_rings(tmp_path: Path) -> None:
    target = Baresip(tmp_path / "c", Account("c"))
    called = Baresip(tmp_path / "b", Account("b", answers=True))
    caller = Baresip(tmp_path / "a", Account("a"))
    async with target, called, caller:
        await caller.dial(called.uri)
        await called.event("CALL_ESTABLISHED")
        await called.transfer(target.uri)
        await target.event("CALL_INCOMING")
        await target.answer()
        await target.event("CALL_ESTABLISHED")


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_kamailio_stays_in_the_path(tmp_path: Path, transport: str) -> None:
    async with Baresip(tmp_path / "b", Account(answers=True)) as phone:
        uri = f"sip:127.0.0.1:{phone.port};transport={transport}"
        async with Kamailio(tmp_path / "proxy", routes={"phone": uri}) as proxy:
            target = f"127.0.0.1:{proxy.port}"
            talks = callers.talks(0.3)
            caller = Sipp(
                tmp_path / "a",
                talks,
                target,
                service="phone",
                transport="tcp" if transport == "tcp" else "udp",
            )
            async with caller:
                await caller.finished()
            assert proxy.count("routed ACK") == proxy.count("routed BYE") == 1
            assert proxy.count("strayed") == 0


@pytest.mark.parametrize("called", [answerers.answers(), answerers.hangs_up(0.3)])
async def test_a_call_through_kamailio_ends_from_each_side(
    tmp_path: Path, called: Scenario
) -> None:
    async with Sipp(tmp_path / "b", called) as far:
        routes = {"agent": f"sip:127.0.0.1:{far.port}"}
        async with Kamailio(tmp_path / "proxy", routes=routes) as proxy:
            account = Account(proxy=f"sip:127.0.0.1:{proxy.port};transport=tcp")
            async with Baresip(tmp_path / "a", account) as phone:
                await phone.dial("sip:agent@127.0.0.1:9")
                await phone.event("CALL_ESTABLISHED")
                if called.name == "answers":
                    await phone.hang_up()
                await phone.event("CALL_CLOSED")
                await far.finished()
            assert proxy.count("routed BYE") == 1
            assert proxy.count("strayed") == 0


async def test_kamailio_challenges_a_stale_nonce_again(tmp_path: Path) -> None:
    async with Kamailio(tmp_path / "proxy", users={"alice": "secret"}, nonce_expires=5) as proxy:
        target = f"127.0.0.1:{proxy.port}"
        scenario = callers.registers("alice", "secret", waits=7.0)
        async with Sipp(tmp_path / "a", scenario, target, service="alice") as phone:
            await phone.finished()
        assert proxy.count("registered") == 2
        assert proxy.count("challenged -5") == proxy.count("challenged anew") == 1
        assert "stale=true" in phone.messages


async def test_kamailio_challenges_with_sha_256(tmp_path: Path) -> None:
    users = {"alice": "secret"}
    async with Kamailio(tmp_path / "proxy", users=users, algorithm="SHA-256") as proxy:
        scenario = Scenario("asks").send(outside("REGISTER"), retransmits=True).receive(401)
        target = f"127.0.0.1:{proxy.port}"
        async with Sipp(tmp_path / "a", scenario, target, service="alice") as phone:
            await phone.finished()
    assert "algorithm=SHA-256" in phone.messages


async def test_kamailio_registers_challenges_anew_and_finds(tmp_path: Path) -> None:
    users = {"alice": "secret", "bob": "hidden"}
    async with Kamailio(
        tmp_path / "proxy", users=users, expires=6, nonce_expires=3, challenges_calls=True
    ) as proxy:
        at = f"127.0.0.1:{proxy.port}"
        bob = Account("bob", registrar=at, password="hidden", answers=True, expires=6)
        alice = Account("alice", registrar=at, password="secret")
        async with Baresip(tmp_path / "b", bob) as called, Baresip(tmp_path / "a", alice) as caller:
            await called.event("REGISTER_OK")
            await caller.event("REGISTER_OK")
            await caller.dial(f"sip:bob@{at}")
            await called.event("CALL_ESTABLISHED")
            assert proxy.count("call challenged") == 1
            await proxy.logged("registered", 4)
            await caller.hang_up()
            await called.event("CALL_CLOSED")
        assert proxy.count("challenged -") >= 3


async def test_a_wrong_password_is_not_let_in(tmp_path: Path) -> None:
    async with Kamailio(tmp_path / "proxy", users={"alice": "secret"}) as proxy:
        account = Account("alice", registrar=f"127.0.0.1:{proxy.port}", password="guess")
        async with Baresip(tmp_path / "a", account) as phone:
            await phone.event("REGISTER_FAIL")
        assert proxy.count("registered") == 0


def test_a_tone_is_told_from_another() -> None:
    assert strength(tone(HERTZ, 1.0), LISTEN_RATE, HERTZ) > 0.9
    assert strength(tone(2 * HERTZ, 1.0), LISTEN_RATE, HERTZ) < 0.01


async def test_no_process_of_a_peer_outlives_it(tmp_path: Path) -> None:
    async with Kamailio(tmp_path / "proxy") as proxy:
        group = proxy.pid
        assert [pid for pid in psutil.pids() if group_of(pid) == group and pid != group]
    await until(lambda: group not in map(group_of, psutil.pids()), "the end of its children")


def group_of(pid: int) -> int | None:
    """Its process group; None when it is gone, or a zombie that its new parent has yet to reap."""
    try:
        gone = psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
        return None if gone else os.getpgid(pid)
    except (psutil.NoSuchProcess, ProcessLookupError):
        return None
