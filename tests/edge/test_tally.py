"""What passes over a leg is in the ledger: audio both ways, words, what tools said, transfers."""

from __future__ import annotations

from typing import cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.events import JsonValue
from edge.ledger import Entry, Ledger, Place
from edge.leg import Leg, TransferRequest, TransferResult
from edge.media.playout import Playout
from edge.realtime import event, function_call
from edge.tally import LegTally
from regions.models import DataClass, Operation
from tests.fakes.clock import FakeClock

HOST = Place("host", "eu-central-1-a", "eu-central-1")
FRAME = np.zeros(320, np.int16)


class BareLeg:
    """A leg that keeps what it is given."""

    can_transfer = True

    def __init__(self, kind: str = "webrtc", *, takes: bool = True, trunk: str = "") -> None:
        self.kind = kind
        self.trunk = trunk
        self.takes = takes
        self.playout = Playout(24_000)
        self.sent: list[object] = []

    def send(self, event: object) -> None:
        self.sent.append(event)

    async def transfer(self, request: TransferRequest) -> TransferResult:
        return TransferResult(self.takes, 202 if self.takes else 486, "")


class Stage:
    def __init__(self, kind: str = "webrtc", *, takes: bool = True, trunk: str = "") -> None:
        self.clock = FakeClock()
        self.ledger = Ledger(self.clock)
        self.leg = BareLeg(kind, takes=takes, trunk=trunk)
        self.tally = LegTally(self.ledger, HOST, cast(Leg, self.leg))
        self.heard = self.tally.counted(lambda samples: None)

    def entry(self, kind: str, data_class: DataClass) -> Entry:
        self.tally.settle()
        (found,) = (
            entry
            for entry in self.ledger.entries
            if (entry.place.kind, entry.data_class) == (kind, data_class)
        )
        return found


@given(st.lists(st.sampled_from(["hear", "speak", "settle"]), max_size=60))
def test_every_frame_of_both_ways_is_counted_once_however_often_it_is_asked(
    acts: list[str],
) -> None:
    stage = Stage()
    stage.tally.begin()
    for act in acts:
        match act:
            case "hear":
                stage.heard(FRAME)
            case "speak":
                stage.leg.playout.push(np.ones(480, np.int16))
                stage.leg.playout.pull()
            case _:
                stage.tally.settle()
    heard, spoken = acts.count("hear") * 640, acts.count("speak") * 960
    caller, host = (stage.entry(kind, DataClass.AUDIO) for kind in ("caller", "host"))
    assert (caller.received, caller.sent) == (heard, spoken)
    assert (host.sent, host.received) == (heard, spoken)


def test_a_call_that_never_connected_had_no_audio_anywhere() -> None:
    stage = Stage()
    stage.tally.settle()
    assert stage.ledger.entries == ()


def test_audio_is_there_from_the_connection_to_the_end() -> None:
    stage = Stage()
    stage.tally.begin()
    stage.clock.advance(60)
    host = stage.entry("host", DataClass.AUDIO)
    assert host.last - host.first == 60


@pytest.mark.parametrize(
    ("told", "data_class", "size"),
    [
        (event("response.output_audio_transcript.delta", delta="grüß"), DataClass.TRANSCRIPT, 6),
        (event("response.output_audio_transcript.done", transcript="ab"), DataClass.TRANSCRIPT, 2),
        (event("inland.transcript.partial", text="abc"), DataClass.TRANSCRIPT, 3),
        (
            event("conversation.item.input_audio_transcription.completed", transcript="a\ud800"),
            DataClass.TRANSCRIPT,
            4,
        ),
        (function_call("r", "c", "book", {"day": 1}), DataClass.VARIABLES, len('{"day": 1}')),
        (
            event("inland.tool.result", output={"ok": "ü"}),
            DataClass.VARIABLES,
            len('{"ok": "ü"}') + 1,
        ),
        (event("session.created", inland={"turns": [{"a": 1}]}), DataClass.TRANSCRIPT, 10),
    ],
)
def test_what_the_far_end_is_told_is_counted_by_its_class(
    told: dict[str, JsonValue], data_class: DataClass, size: int
) -> None:
    stage = Stage()
    stage.tally.begin()
    stage.tally.send(told)
    assert stage.leg.sent == [told]
    assert stage.entry("caller", data_class).sent == size


def test_words_are_entered_with_the_time_of_the_first_of_them() -> None:
    stage = Stage()
    stage.tally.begin()
    stage.tally.send(event("inland.transcript.partial", text="abc"))
    stage.clock.advance(30)
    found = stage.entry("caller", DataClass.TRANSCRIPT)
    assert found.last - found.first == 30


def test_what_says_nothing_of_the_conversation_counts_for_nothing() -> None:
    stage = Stage()
    stage.tally.begin()
    for told in (event("inland.alive"), event("session.created", inland={"turns": []})):
        stage.tally.send(told)
    stage.tally.settle()
    classes = {one.data_class for one in stage.ledger.entries if one.place.kind == "caller"}
    assert classes == {DataClass.AUDIO}


def test_what_the_caller_typed_came_from_the_caller() -> None:
    stage = Stage()
    stage.tally.begin()
    stage.tally.typed("hi")
    stage.tally.settle()
    stage.tally.settle()
    assert stage.entry("caller", DataClass.TRANSCRIPT).received == 2


def test_a_telephone_is_reached_by_a_carrier_and_is_told_no_words() -> None:
    stage = Stage("sip")
    stage.tally.begin()
    stage.tally.send(event("inland.transcript.partial", text="abc"))
    stage.heard(FRAME)
    assert stage.entry("carrier", DataClass.AUDIO).received == 640
    kinds = {(one.place.kind, one.data_class) for one in stage.ledger.entries}
    assert ("carrier", DataClass.TRANSCRIPT) not in kinds
    assert "caller" not in {kind for kind, _ in kinds}


@pytest.mark.parametrize("takes", [True, False])
async def test_a_transfer_tells_the_carrier_whom_and_maybe_gives_it_the_caller(
    takes: bool,
) -> None:
    stage = Stage("sip", takes=takes)
    result = await stage.tally.transfer(TransferRequest("+4930", "blind", "abc"))
    assert result.ok is takes
    found = {one.data_class: one for one in stage.ledger.entries}
    assert found[DataClass.ROUTING].sent == len("+4930abc")
    assert (DataClass.AUDIO in found) is takes
    assert {one.operation for one in found.values()} == {Operation.EXPORT}
    assert not any("4930" in str(one.place) for one in found.values())


async def test_nobody_is_asked_to_take_a_caller_whom_the_law_keeps_from_here() -> None:
    """What a call was about to do when the law came goes on until it is cut, a moment later."""
    stage = Stage("sip")
    stage.tally.begin()
    assert stage.tally.can_transfer
    stage.tally.hush()
    assert not stage.tally.can_transfer
    result = await stage.tally.transfer(TransferRequest("+4930", "blind", "abc"))
    assert not result.ok, "this line gives whoever asks"
    assert all(one.place.name != "transfer" for one in stage.ledger.entries)


async def test_a_telephones_lines_name_the_trunk_and_nothing_else_of_who_called() -> None:
    stage = Stage("sip", trunk="carrier-a")
    stage.tally.begin()
    await stage.tally.transfer(TransferRequest("+4930", "attended", "abc"))
    places = {one.place for one in stage.ledger.entries if one.place.kind == "carrier"}
    assert places == {Place("carrier", name, "", "trunk:carrier-a") for name in ("sip", "transfer")}


async def test_a_line_of_no_trunk_names_none() -> None:
    phone, browser = Stage("sip"), Stage()
    for stage, place in (
        (phone, Place("carrier", "sip", "")),
        (browser, Place("caller", "webrtc", "")),
    ):
        stage.tally.begin()
        assert place in {one.place for one in stage.ledger.entries}
