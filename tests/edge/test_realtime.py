"""What clients may say on the data channel."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.realtime import (
    MAX_TYPED,
    Event,
    HangUpRequest,
    Refused,
    StopSpeaking,
    Typed,
    UpdateSession,
    function_call,
    parse_client_event,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def message(text: object) -> Event:
    content = [{"type": "input_text", "text": text}]
    item = {"type": "message", "role": "user", "content": content}
    return {"type": "conversation.item.create", "item": item}  # type: ignore[dict-item]


def test_typed_words_lose_their_extra_spaces() -> None:
    assert parse_client_event(message("  next \n tuesday ")) == Typed("next tuesday")


@pytest.mark.parametrize("text", ["", "   ", "x" * (MAX_TYPED + 1), 5, None, ["a"]])
def test_unusable_typed_text_is_refused(text: object) -> None:
    assert isinstance(parse_client_event(message(text)), Refused)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("response.cancel", StopSpeaking()),
        ("output_audio_buffer.clear", StopSpeaking()),
        ("session.update", UpdateSession()),
        ("inland.hangup", HangUpRequest()),
    ],
)
def test_known_events_are_understood(kind: str, expected: object) -> None:
    assert parse_client_event({"type": kind}) == expected


@given(st.dictionaries(st.sampled_from(["type", "item", "x"]) | st.text(), JSON))
def test_no_event_of_a_client_raises(event: dict[str, object]) -> None:
    parse_client_event(event)  # type: ignore[arg-type]


@given(JSON)
def test_no_item_of_a_client_raises(item: object) -> None:
    event: Event = {"type": "conversation.item.create", "item": item}  # type: ignore[dict-item]
    assert isinstance(parse_client_event(event), (Refused, Typed))


def test_unknown_event_names_are_quoted_shortly() -> None:
    refused = parse_client_event({"type": "x" * 10_000})
    assert isinstance(refused, Refused)
    assert len(refused.message) < 200


def test_tool_arguments_travel_as_a_json_string() -> None:
    event = function_call("r", "c", "book", {"day": "monday"})
    assert json.loads(str(event["arguments"])) == {"day": "monday"}
