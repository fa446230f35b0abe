"""The caller's side of a phone call, in virtual time: frames go in, sound and keys come out."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edge.media.frames import LISTEN_RATE, Samples, frame_samples
from edge.media.playout import Playout
from edge.transport.rtp.packet import RtpPacket
from inland.caller.meter import audible
from inland.caller.records import Note, Said, Wire
from inland.caller.script import BargeIn, HangUp, Line, Pause, Press, Script, Speak
from inland.caller.talk import Rendered
from inland.phone.records import KeyHeard, Moved, PhoneRecord
from inland.phone.talk import PhoneTalk
from tests.fakes.clock import FakeClock
from tests.inland.phone.answering import tone

RATE = 8_000
FRAME = frame_samples(LISTEN_RATE)


class Leg:
    """Keeps what is sent."""

    def __init__(self, *, keys: bool = True) -> None:
        self.playout = Playout(RATE)
        self.on_audio: Callable[[Samples], None] = lambda frame: None
        self.on_digit: Callable[[str], None] = lambda key: None
        self.pressed = ""
        self._keys = keys

    def send_digits(self, digits: str) -> None:
        if not self._keys:
            raise ValueError("the far end takes no keys")
        self.pressed += digits


class Call:
    """A talk with its leg; :meth:`run` lets time pass."""

    def __init__(self, *lines: Line, keys: bool = True, record: bool = False) -> None:
        self.clock = FakeClock()
        self.records: list[PhoneRecord] = []
        self.over: list[str] = []
        self.sent: list[bool] = []
        """Of each frame that left: whether it was audible."""
        sound = {line: Rendered(tone(0.5, 24_000), tone(0.5, RATE)) for line in lines}
        self.talk = PhoneTalk(
            Script(lines), {RATE: sound}, self.clock, self.records.append, self.over.append,
            record=record,
        )  # fmt: skip
        self.leg = Leg(keys=keys)
        self.talk.listen(self.leg)

    def run(self, seconds: float, *, loud: bool = False) -> None:
        """The agent is audible, or not, for so long."""
        wave = tone(0.02, LISTEN_RATE) if loud else np.zeros(FRAME, np.int16)
        for _ in range(round(seconds / 0.02)):
            self.clock.advance(0.02)
            self.leg.on_audio(wave)
            frame = self.leg.playout.pull()
            self.sent.append(frame is not None and audible(frame))
            self.talk.tick()

    def said(self) -> list[str]:
        return [record.text for record in self.records if isinstance(record, Said)]

    def wires(self) -> list[tuple[str, int]]:
        return [(r.kind, round(r.ms)) for r in self.records if isinstance(r, Wire)]


def test_nothing_is_said_before_the_call_stands() -> None:
    call = Call(Speak("hello"))
    call.run(1.0, loud=True)  # an announcement before the answer
    call.run(2.0)
    assert call.said() == []
    call.talk.begin(RATE)
    call.run(1.0, loud=True)
    call.run(1.0)
    assert call.said() == ["hello"]


def test_each_line_waits_for_the_answer_to_the_line_before() -> None:
    call = Call(Speak("one"), Speak("two"))
    call.talk.begin(RATE)
    call.run(1.0, loud=True)
    call.run(0.7)
    assert call.said() == []
    call.run(0.2)
    assert call.said() == ["one"]
    call.run(3.0)
    assert call.said() == ["one"], "the agent has not answered yet"
    call.run(0.5, loud=True)
    call.run(1.0)
    assert call.said() == ["one", "two"]
    assert call.talk.answers == 2


def test_the_answer_is_measured_from_the_last_audible_frame_sent() -> None:
    call = Call(Speak("one"))
    call.talk.begin(RATE)
    call.run(0.5, loud=True)
    call.run(0.8)
    while not call.sent[-1]:
        call.run(0.02)
    while call.sent[-1]:
        call.run(0.02)
    call.run(0.3)
    call.run(0.5, loud=True)
    ((kind, ms),) = call.wires()
    assert kind == "answer"
    assert abs(ms - 340) <= 40
    assert call.talk.wire_ms == [ms]


def test_after_the_last_line_the_agent_may_end_the_call_itself_then_the_caller_does() -> None:
    call = Call(Speak("bye"))
    call.talk.begin(RATE)
    call.run(0.5, loud=True)
    call.run(1.6)
    call.run(0.5, loud=True)
    call.run(1.4)
    assert call.over == []
    call.run(0.4)
    assert call.over == ["hangup"]
    call.run(5.0)
    assert call.over == ["hangup"], "told once"


def test_a_barge_in_is_said_while_the_agent_speaks_and_its_silence_is_measured() -> None:
    call = Call(BargeIn(0.4, "wait"), Speak("next"))
    call.talk.begin(RATE)
    call.run(0.3, loud=True)
    assert call.said() == []
    call.run(0.3, loud=True)
    assert call.said() == ["wait"]
    call.run(2.0)
    assert [kind for kind, _ in call.wires()] == ["silence"]
    assert call.said() == ["wait"], "what was cut off is no answer"
    call.run(0.4, loud=True)
    call.run(1.0)
    assert call.said() == ["wait", "next"]


def test_keys_are_pressed_in_turn_and_told() -> None:
    call = Call(Press("12#"))
    call.talk.begin(RATE)
    call.run(0.5, loud=True)
    call.run(1.0)
    assert call.leg.pressed == "12#"
    assert [(r.text, r.how) for r in call.records if isinstance(r, Said)] == [("12#", "keyed")]


def test_a_far_end_that_takes_no_keys_is_told_of() -> None:
    call = Call(Press("1"), Speak("then"), keys=False)
    call.talk.begin(RATE)
    call.run(0.5, loud=True)
    call.run(1.0)
    assert [r.text for r in call.records if isinstance(r, Note)] == [
        "not pressed: the far end takes no keys"
    ]


def test_a_pause_and_a_hangup_of_the_script_are_kept() -> None:
    call = Call(Pause(2.0), HangUp(), Speak("never"))
    call.talk.begin(RATE)
    call.run(0.5, loud=True)
    call.run(2.5)
    assert call.over == []
    call.run(1.0)
    assert (call.over, call.said()) == (["hangup"], [])


def test_nothing_is_said_while_on_hold() -> None:
    call = Call(Speak("hello"))
    call.talk.begin(RATE)
    call.run(0.5, loud=True)
    call.talk.pause()
    call.run(20.0)
    assert call.said() == []
    call.talk.go_on()
    call.run(0.7)
    assert call.said() == []
    call.run(0.3)
    assert call.said() == ["hello"]


def test_a_move_is_told_with_the_silence_when_the_first_packet_is_there() -> None:
    call = Call()
    call.talk.begin(RATE)
    call.talk.packet(RtpPacket(0, 1, 160, 7, b"x"), call.clock.monotonic())
    call.clock.advance(1.2)
    call.talk.moved("192.0.2.1:4000", "192.0.2.1:4002")
    assert call.records == []
    call.clock.advance(0.3)
    call.talk.packet(RtpPacket(0, 1, 160, 8, b"x"), call.clock.monotonic())
    (moved,) = call.records
    assert isinstance(moved, Moved)
    assert (moved.from_media, moved.to_media) == ("192.0.2.1:4000", "192.0.2.1:4002")
    assert moved.silent_ms == 1500.0


def test_keys_of_the_far_end_are_told() -> None:
    call = Call()
    call.leg.on_digit("5")
    assert [r.key for r in call.records if isinstance(r, KeyHeard)] == ["5"]


def test_both_sides_are_recorded_at_24_khz() -> None:
    call = Call(Speak("hello"), record=True)
    call.talk.begin(RATE)
    call.run(0.5, loud=True)
    call.run(2.0)
    recording = call.talk.recording
    assert recording is not None
    assert abs(recording.agent.end - 2.5 * 24_000) < 2_400
    assert recording.caller.end > 24_000


def test_another_leg_is_heard_in_place_of_the_first() -> None:
    call = Call(Speak("one"), Speak("two"))
    call.talk.begin(RATE)
    call.run(0.5, loud=True)
    call.run(0.9)
    assert call.said() == ["one"]
    first, call.leg = call.leg, Leg()
    call.talk.listen(call.leg)
    call.talk.begin(RATE)
    first.on_digit("1")
    call.run(0.5, loud=True)
    while first.playout.pull() is not None:
        pass  # the end of what was said there says nothing here
    call.run(1.0)
    assert call.said() == ["one", "two"]
    assert not [record for record in call.records if isinstance(record, KeyHeard)]
