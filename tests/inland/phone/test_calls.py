"""The caller's telephone calls another telephone over loopback."""

from __future__ import annotations

import asyncio
import wave
from pathlib import Path

import numpy as np
import pytest

from edge.transport.rtp.codec import CodecName
from edge.transport.sip.core.session import Session
from edge.transport.sip.media.agreement import MediaPolicy
from edge.transport.sip.net.settings import PeerTls, ServerTls
from edge.transport.sip.wire.digest import Credentials
from inland.caller.errors import UnreachableError
from inland.caller.records import Said
from inland.caller.script import Press, Script, Speak
from inland.phone.call import PhoneCaller
from inland.phone.options import Srtp
from inland.phone.records import (
    Dialled,
    Held,
    KeyHeard,
    Moved,
    PhoneAnswered,
    PhoneRecord,
    Redirected,
    Ringing,
    Transferred,
)
from inland.phone.telephone import PhoneLine, Telephone
from tests.inland.phone.answering import Agent, Taken, answering, call, tone
from tests.peers.certificates import make_certificates


@pytest.fixture(autouse=True)
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    """A caller that does not wait as long as people have to."""
    monkeypatch.setattr("inland.phone.ear.SILENCE", 0.4)
    monkeypatch.setattr("inland.caller.player.FAREWELL", 0.1)
    monkeypatch.setattr("inland.caller.player.PATIENCE", 2.5)


def of(records: list[PhoneRecord], kind: type[PhoneRecord]) -> list[PhoneRecord]:
    return [record for record in records if isinstance(record, kind)]


def kinds(records: list[PhoneRecord]) -> list[str]:
    return [type(record).__name__ for record in records]


async def test_a_call_rings_is_answered_talks_and_is_hung_up(tmp_path: Path) -> None:
    agents = []

    def ring(phone: Telephone, session: Session) -> None:
        session.ring()
        agents.append(Agent(phone.pick_up(session)))
        agents[0].say()

    async with answering(ring) as phone:
        ended, records = await call(
            phone.address(), Script((Speak("four words are said"),)), record=tmp_path / "c.wav"
        )
        assert (await agents[0].line.over()).cause == "remote_bye"
    assert kinds(records) == [
        "Dialled", "Ringing", "PhoneAnswered", "Said", "Wire", "PhoneEnded",
    ]  # fmt: skip
    assert (ended.reason, ended.exit_status, ended.answers) == ("hangup", 0, 2)
    assert ended.script_finished
    assert ended.packets > 50
    assert ended.wire_ms[0] > 0
    with wave.open(str(tmp_path / "c.wav")) as file:
        both = np.frombuffer(file.readframes(file.getnframes()), np.int16).reshape(-1, 2)
    assert all(int(np.abs(side.astype(int)).max()) > 1000 for side in both.T)


@pytest.mark.parametrize("status", [486, 603, 404])
async def test_a_refusal_is_told_with_the_far_ends_words(status: int) -> None:
    reason = 'X-Inland;cause=403;text="no_region_allowed"'

    def ring(phone: Telephone, session: Session) -> None:
        session.reject(status, headers=[("reason", reason)])

    async with answering(ring) as phone:
        ended, _ = await call(phone.address(), Script((Speak("hello"),)))
    assert (ended.status, ended.exit_status, ended.lines_left) == (status, 3, 1)
    assert ended.reason == {486: "busy", 603: "refused", 404: "unknown_number"}[status]
    assert "X-Inland 403 no_region_allowed" in ended.why


async def test_a_far_end_that_wants_a_password_is_told_of() -> None:
    def ring(phone: Telephone, session: Session) -> None:
        session.reject(401, headers=[("www-authenticate", 'Digest realm="r", nonce="n"')])

    async with answering(ring) as phone:
        ended, _ = await call(phone.address())
        assert "wants --user and --password-env" in ended.why
        ended, _ = await call(phone.address(), credentials=Credentials("u", "p"))
        assert "does not take these credentials" in ended.why
    assert (ended.reason, ended.exit_status) == ("refused", 3)


async def test_who_does_not_answer_is_rung_no_longer_than_asked() -> None:
    ringing: list[Session] = []

    def ring(phone: Telephone, session: Session) -> None:
        session.ring()
        ringing.append(session)

    async with answering(ring) as phone:
        ended, records = await call(phone.address(), ring=4.0)
    assert (ended.reason, ended.exit_status) == ("no_answer", 3)
    assert kinds(records) == ["Dialled", "Ringing", "PhoneEnded"]
    assert ringing[0].state == "ended"


async def test_an_interrupted_call_is_cancelled_and_not_done() -> None:
    def ring(phone: Telephone, session: Session) -> None:
        session.ring()

    def interrupt(caller: PhoneCaller, record: PhoneRecord) -> None:
        if isinstance(record, Ringing):
            caller.stop()

    async with answering(ring) as phone:
        ended, _ = await call(phone.address(), on_record=interrupt)
    assert (ended.reason, ended.exit_status) == ("interrupted", 5)


async def test_a_call_interrupted_while_it_talks_is_hung_up() -> None:
    taken = Taken()

    def interrupt(caller: PhoneCaller, record: PhoneRecord) -> None:
        if isinstance(record, PhoneAnswered):
            caller.stop()

    async with answering(taken) as phone:
        ended, _ = await call(phone.address(), Script((Speak("x"),)), on_record=interrupt)
        assert (await taken.agents[0].line.over()).cause == "remote_bye"
    assert (ended.reason, ended.exit_status) == ("interrupted", 5)
    assert "1 line of the script unsaid" in ended.why


async def test_a_call_is_no_longer_than_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    # A pause that the machine makes is not the end of what the agent says.
    monkeypatch.setattr("inland.phone.ear.SILENCE", 60.0)
    monkeypatch.setattr("inland.caller.player.PATIENCE", 60.0)
    async with answering(Taken(word=20.0)) as phone:
        ended, _ = await call(phone.address(), timeout=4.0)
    assert (ended.reason, ended.exit_status) == ("timeout", 5)


async def test_what_is_heard_before_the_answer_is_told() -> None:
    def ring(phone: Telephone, session: Session) -> None:
        assert session.sdp is not None
        leg, description = phone.media.answer(session.sdp, phone.policy)
        line = PhoneLine(session, leg, ringing=True)
        session.ring(183, description)
        leg.establish()
        leg.playout.push(tone(0.2, leg.playout.rate))

        def answer() -> None:
            leg.playout.on_drained = lambda: None
            line.pick_up(description)
            agents.append(Agent(line))
            agents[0].say()

        leg.playout.on_drained = answer

    agents: list[Agent] = []
    async with answering(ring) as phone:
        ended, records = await call(phone.address(), Script((Speak("hello"),)))
        await agents[0].line.leg.close()
    assert kinds(records)[:4] == ["Dialled", "EarlyMedia", "PhoneAnswered", "Said"]
    assert ended.exit_status == 0


@pytest.mark.parametrize("srtp", ["off", "optional", "required"])
async def test_every_codec_is_heard_both_ways(srtp: Srtp) -> None:
    codecs: tuple[CodecName, ...] = ("pcmu", "pcma", "g722", "opus")
    taken = Taken()
    async with (
        answering(taken, MediaPolicy(srtp="optional")) as phone,
        asyncio.TaskGroup() as group,
    ):
        calls = [
            group.create_task(
                call(phone.address(), Script((Speak("hello there"),)), codecs=(codec,), srtp=srtp)
            )
            for codec in codecs
        ]
    for codec, each in zip(codecs, calls, strict=True):
        ended, records = each.result()
        (answered,) = of(records, PhoneAnswered)
        assert isinstance(answered, PhoneAnswered)
        assert (answered.codec, bool(answered.encryption)) == (codec, srtp != "off")
        assert (ended.answers, ended.exit_status) == (2, 0)
    assert all(agent.loud >= 8 for agent in taken.agents)


async def test_no_common_codec_is_told() -> None:
    async with answering(_offended, MediaPolicy(codecs=("pcma",))) as phone:
        ended, _ = await call(phone.address(), codecs=("pcmu",))
    assert (ended.status, ended.exit_status) == (488, 3)
    assert "488 Not Acceptable Here" in ended.why


def _offended(phone: Telephone, session: Session) -> None:
    try:
        phone.pick_up(session)
    except ValueError:
        session.reject(488)


async def test_an_answer_that_cannot_be_used_ends_the_call_and_says_why() -> None:
    def ring(phone: Telephone, session: Session) -> None:
        _, description = phone.media.answer(session.sdp or b"", phone.policy)
        session.accept(description.replace(b"RTP/AVP 0", b"RTP/AVP 8"))

    async with answering(ring) as phone:
        ended, records = await call(phone.address(), codecs=("pcmu",), srtp="off")
    assert ended.exit_status == 4
    assert ended.why
    assert not of(records, PhoneAnswered)


async def test_keys_go_both_ways() -> None:
    taken = Taken()

    def press_back(caller: PhoneCaller, record: PhoneRecord) -> None:
        if isinstance(record, Said):
            taken.agents[0].line.leg.send_digits("7")

    async with answering(taken) as phone:
        ended, records = await call(
            phone.address(), Script((Press("1#"), Speak("x"))), on_record=press_back
        )
    assert taken.agents[0].keys == "1#"
    assert [r.key for r in records if isinstance(r, KeyHeard)][:1] == ["7"]
    assert ended.exit_status == 0


async def test_the_caller_holds_and_resumes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inland.phone.call.HOLD_SECONDS", 0.5)
    taken = Taken(word=2.0)
    held: list[bool] = []

    def watch(caller: PhoneCaller, record: PhoneRecord) -> None:
        if isinstance(record, Held):
            held.append(taken.agents[0].line.leg.on_hold)

    async with answering(taken) as phone:
        ended, records = await call(phone.address(), hold_after=0.3, on_record=watch)
    assert [(r.by, r.on) for r in records if isinstance(r, Held)] == [
        ("caller", True),
        ("caller", False),
    ]
    assert held == [True, False]
    assert ended.exit_status == 0


async def test_a_hold_of_the_far_end_and_its_end_are_told() -> None:
    async def hold(line: PhoneLine) -> None:
        assert await line.reoffer("sendonly")
        assert await line.reoffer("sendrecv")

    taken = Taken(word=1.0)
    async with asyncio.TaskGroup() as group:

        def watch(caller: PhoneCaller, record: PhoneRecord) -> None:
            if isinstance(record, Said):
                group.create_task(hold(taken.agents[0].line))

        async with answering(taken) as phone:
            ended, records = await call(phone.address(), Script((Speak("hello"),)), on_record=watch)
    assert [(r.by, r.on) for r in records if isinstance(r, Held)] == [
        ("agent", True),
        ("agent", False),
    ]
    assert ended.exit_status == 0


async def test_media_that_moves_is_told() -> None:
    taken = Taken()
    async with answering(taken) as phone:

        def watch(caller: PhoneCaller, record: PhoneRecord) -> None:
            if isinstance(record, Said):
                line = taken.agents[0].line
                line.leg.hung_up()
                line.leg, description = phone.media.offer(phone.policy)
                line.on_event = lambda event: line.leg.establish()
                assert line.session.offer(description)
                taken.agents[0].say()

        _, records = await call(phone.address(), Script((Speak("hello"),)), on_record=watch)
        (answered,) = of(records, PhoneAnswered)
        (moved,) = of(records, Moved)
        assert isinstance(answered, PhoneAnswered)
        assert isinstance(moved, Moved)
        assert moved.from_media == answered.media != moved.to_media


async def test_a_redirection_is_followed_to_the_best_target() -> None:
    taken = Taken()
    async with answering(taken) as there:
        nowhere = there.address().replace("caller", "other")

        def ring(phone: Telephone, session: Session) -> None:
            session.redirect([there.address(), nowhere, "tel:+123"])

        async with answering(ring) as phone:
            ended, records = await call(phone.address())
    assert [r.target for r in records if isinstance(r, Redirected)] == [there.address(), nowhere]
    assert [r.target for r in records if isinstance(r, Dialled)] == [
        phone.address(),
        there.address(),
    ]
    assert ended.exit_status == 0


async def test_a_password_goes_to_the_host_that_was_asked_for_and_to_no_other() -> None:
    here: list[str | None] = []
    there: list[str | None] = []
    challenge = [("www-authenticate", 'Digest realm="r", nonce="n", qop="auth"')]

    def stranger(phone: Telephone, session: Session) -> None:
        there.append(session.request.headers.get("authorization"))
        session.reject(401, headers=challenge)

    async with answering(stranger, host="127.0.0.2") as elsewhere:

        def home(phone: Telephone, session: Session) -> None:
            here.append(session.request.headers.get("authorization"))
            if here[-1] is None:
                session.reject(401, headers=challenge)
            else:
                session.redirect([elsewhere.address()])

        async with answering(home) as phone:
            ended, _ = await call(phone.address(), credentials=Credentials("u", "p"))
    assert [given is not None for given in here] == [False, True]
    assert there == [None]
    assert ended.status == 401


async def test_redirections_in_a_circle_end() -> None:
    def ring(phone: Telephone, session: Session) -> None:
        session.redirect([phone.address()])

    async with answering(ring) as phone:
        ended, records = await call(phone.address())
    assert len(of(records, Dialled)) == 1
    assert (ended.status, ended.exit_status) == (302, 3)


async def test_a_transfer_is_followed_and_reported() -> None:
    first, second = Taken(), Taken()
    async with answering(second) as there, answering(first) as phone:

        def refer(caller: PhoneCaller, record: PhoneRecord) -> None:
            if isinstance(record, Said) and record.text == "a person please":
                first.agents[0].line.session.refer(there.address())
                first.agents[0].line.leg.on_audio = lambda frame: None

        script = Script((Speak("a person please"), Speak("hello person")))
        ended, records = await call(phone.address(), script, on_record=refer)
        line = first.agents[0].line
        assert [(r.status, r.final) for r in line.transfers] == [(100, False), (200, True)]
        assert (await line.over()).cause == "remote_bye"
    assert [r.status for r in records if isinstance(r, Transferred)] == [None, 200]
    assert second.agents[0].loud >= 8
    assert (ended.reason, ended.exit_status) == ("hangup", 0)


async def test_after_a_transfer_that_fails_the_call_goes_on() -> None:
    first = Taken()

    def busy(phone: Telephone, session: Session) -> None:
        session.reject(486)

    async with answering(busy) as there, answering(first) as phone:

        def refer(caller: PhoneCaller, record: PhoneRecord) -> None:
            if isinstance(record, Said) and record.text == "one":
                first.agents[0].line.session.refer(there.address())

        ended, records = await call(
            phone.address(), Script((Speak("one"), Speak("two"))), on_record=refer
        )
        assert first.agents[0].line.transfers[-1].status == 486
    assert [r.status for r in records if isinstance(r, Transferred)] == [None, 486]
    assert [r.text for r in records if isinstance(r, Said)] == ["one", "two"]
    assert ended.exit_status == 0


async def test_tls_with_the_right_authority_is_answered_and_with_none_is_not(
    tmp_path: Path,
) -> None:
    files = make_certificates(tmp_path)
    own = ServerTls(files.chain, files.key)
    async with answering(Taken(), own_tls=own) as phone:
        target = phone.address("tls")
        ended, _ = await call(target, tls=PeerTls(ca=files.authority), srtp="required")
        assert ended.exit_status == 0
        ended, _ = await call(target, tls=PeerTls(verify=False))
        assert ended.exit_status == 0
        ended, _ = await call(target)
    assert (ended.reason, ended.exit_status) == ("unreachable", 4)
    assert "certificate" in ended.why


async def test_an_answer_of_silence_is_no_success() -> None:
    def ring(phone: Telephone, session: Session) -> None:
        phone.pick_up(session)

    async with answering(ring) as phone:
        ended, _ = await call(phone.address())
    assert (ended.reason, ended.exit_status) == ("silent", 4)


async def test_a_late_offer_is_answered() -> None:
    taken = Taken()
    async with answering(taken) as phone, answering(taken) as caller:
        line = caller.dial(phone.address(), late_offer=True)
        async with asyncio.timeout(60):
            await line.answered()
            assert line.stands
            agent = Agent(line)
            agent.say()
            heard = asyncio.Event()
            taken.agents[0].line.leg.on_audio = lambda frame: heard.set()
            await heard.wait()
        line.hang_up()
        assert (await line.over()).cause == "local_bye"


async def test_a_name_that_does_not_exist_cannot_be_called() -> None:
    with pytest.raises(UnreachableError, match="no-such"):
        await call("sip:x@no-such.invalid")
