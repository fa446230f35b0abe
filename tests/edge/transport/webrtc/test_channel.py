"""The event channel and its bounds."""

from __future__ import annotations

import json

import pytest
from aiortc.exceptions import InvalidStateError
from pyee.base import EventEmitter

from edge.transport.webrtc.channel import (
    FLOOD_EVENTS,
    FLOOD_SECONDS,
    LABEL,
    MAX_BACKLOG,
    MAX_BUFFERED,
    MAX_EVENT_BYTES,
    EventChannel,
)
from tests.edge.transport.rtp.ears import Inbox
from tests.fakes.clock import FakeClock


class FakeDataChannel(EventEmitter):
    """What is used of aiortc's data channel."""

    def __init__(self, label: str = LABEL, state: str = "connecting") -> None:
        super().__init__()
        self.label = label
        self.readyState = state
        self.bufferedAmount = 0
        self.sent: list[dict[str, object]] = []

    def send(self, text: str) -> None:
        if self.readyState != "open":
            raise InvalidStateError
        self.sent.append(json.loads(text))

    def opens(self) -> None:
        self.readyState = "open"
        self.emit("open")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def events(clock: FakeClock, inbox: Inbox) -> EventChannel:
    return EventChannel(clock, inbox)


@pytest.fixture
def channel(events: EventChannel) -> FakeDataChannel:
    channel = FakeDataChannel(state="open")
    events.attach(channel)
    return channel


def codes(channel: FakeDataChannel) -> list[object]:
    errors = [event["error"] for event in channel.sent]
    return [error["code"] for error in errors if isinstance(error, dict)]


def test_events_wait_for_the_channel_up_to_a_bound(events: EventChannel) -> None:
    for number in range(MAX_BACKLOG + 5):
        events.send({"number": number})
    channel = FakeDataChannel()
    events.attach(channel)
    assert not events.open
    channel.opens()
    assert [event["number"] for event in channel.sent] == list(range(MAX_BACKLOG))
    assert events.open
    assert events.dropped == 5


def test_only_the_first_channel_with_the_label_is_used(events: EventChannel, inbox: Inbox) -> None:
    other, first, second = FakeDataChannel("chat", "open"), FakeDataChannel(), FakeDataChannel()
    for channel in (other, first, second):
        events.attach(channel)
        channel.opens()
        channel.emit("message", '{"type":"a"}')
    assert len(inbox.events) == 1
    events.send({"type": "b"})
    assert (len(other.sent), len(first.sent), len(second.sent)) == (0, 1, 0)


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("{", "bad_event"),
        ("", "bad_event"),
        ("null", "bad_event"),
        ("[]", "bad_event"),
        ('"text"', "bad_event"),
        (b"\xff\xfe\xfd", "bad_event"),
        ("[" * 16_000, "bad_event"),
        ('{"n": ' + "9" * 5000 + "}", "bad_event"),
        ('{"t": "' + "x" * MAX_EVENT_BYTES + '"}', "event_too_large"),
        ('{"t": "' + "é" * (MAX_EVENT_BYTES // 2) + '"}', "event_too_large"),
    ],
    ids=range(10),
)
def test_a_bad_event_is_answered_with_an_error_and_not_delivered(
    channel: FakeDataChannel, inbox: Inbox, message: str | bytes, code: str
) -> None:
    channel.emit("message", message)
    assert inbox.events == []
    assert codes(channel) == [code]
    assert {"type", "event_id", "error"} == channel.sent[0].keys()


def test_an_object_in_binary_is_an_event_too(channel: FakeDataChannel, inbox: Inbox) -> None:
    channel.emit("message", '{"type":"ü"}'.encode())
    assert inbox.events == [{"type": "ü"}]


def test_twenty_events_a_second_are_taken_and_more_are_refused(
    channel: FakeDataChannel, inbox: Inbox, clock: FakeClock
) -> None:
    for _ in range(50):
        channel.emit("message", '{"type":"a"}')
    assert len(inbox.events) == 20
    assert codes(channel) == ["rate_limited"] * 20
    clock.advance(0.5)
    for _ in range(50):
        channel.emit("message", '{"type":"a"}')
    assert len(inbox.events) == 30


def test_a_far_end_that_does_not_read_costs_bounded_memory(
    events: EventChannel, channel: FakeDataChannel
) -> None:
    channel.bufferedAmount = MAX_BUFFERED + 1
    events.send({"type": "a"})
    assert (channel.sent, events.dropped) == ([], 1)


def test_sending_on_a_channel_that_closed_is_dropped(
    events: EventChannel, channel: FakeDataChannel
) -> None:
    channel.readyState = "closed"
    events.send({"type": "a"})
    assert events.dropped == 1


def test_after_close_nothing_is_delivered(
    events: EventChannel, channel: FakeDataChannel, inbox: Inbox
) -> None:
    events.close()
    channel.emit("message", '{"type":"a"}')
    assert inbox.events == []


def test_a_flood_is_reported_once_and_not_read_any_further(
    events: EventChannel, channel: FakeDataChannel, inbox: Inbox, clock: FakeClock
) -> None:
    floods: list[None] = []
    events.on_flood = lambda: floods.append(None)
    for _ in range(20 + FLOOD_EVENTS - 1):
        channel.emit("message", '{"type":"a"}')
    assert floods == []
    for _ in range(FLOOD_EVENTS):
        channel.emit("message", '{"type":"a"}')
    assert floods == [None]
    clock.advance(100.0)
    channel.emit("message", '{"type":"a"}')
    assert len(inbox.events) == 20


def test_refusals_spread_over_time_are_no_flood(
    events: EventChannel, channel: FakeDataChannel, clock: FakeClock
) -> None:
    floods: list[None] = []
    events.on_flood = lambda: floods.append(None)
    for _ in range(FLOOD_EVENTS * 3):
        channel.emit("message", "{")
        clock.advance(FLOOD_SECONDS / FLOOD_EVENTS * 1.1)
    assert floods == []
