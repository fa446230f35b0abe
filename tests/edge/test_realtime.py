"""What clients may say on the data channel."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.events import Turn
from edge.realtime import (
    MAX_TYPED,
    Carry,
    Event,
    HangUpRequest,
    Moving,
    Pressed,
    Refused,
    SessionFacts,
    StopSpeaking,
    Typed,
    UpdateSession,
    function_call,
    parse_client_event,
    session_created,
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
        ("inland.carry", Carry()),
        ("inland.hangup", HangUpRequest()),
    ],
)
def test_known_events_are_understood(kind: str, expected: object) -> None:
    assert parse_client_event({"type": kind}) == expected


def test_a_client_that_moves_says_with_which_replica() -> None:
    assert parse_client_event({"type": "inland.call.moving", "number": 3}) == Moving(3)
    for number in (None, 0, -1, "3", [3]):
        refused = parse_client_event({"type": "inland.call.moving", "number": number})  # type: ignore[dict-item]
        assert isinstance(refused, Refused)


@pytest.mark.parametrize("digit", [*"0123456789*#ABCD"])
def test_a_key_of_a_telephone_is_understood(digit: str) -> None:
    assert parse_client_event({"type": "inland.dtmf", "digit": digit}) == Pressed(digit)


@pytest.mark.parametrize("digit", ["", "12", "x", "a", 5, None, "\u0664"])
def test_anything_else_is_no_key(digit: object) -> None:
    refused = parse_client_event({"type": "inland.dtmf", "digit": digit})  # type: ignore[dict-item]
    assert isinstance(refused, Refused)
    assert refused.code == "bad_digit"


def test_history_shows_how_much_was_keyed_in_and_not_what() -> None:
    turns = (Turn(1, "4592", "thank you", False, 0.0), Turn(2, "4 weeks", "", False, 0.0))
    facts = SessionFacts("s", "a", "en-US", "c", "r", "n", "p", ("eea",), "rs_", 0, True, turns)
    told = session_created(facts)["inland"]
    assert isinstance(told, dict)
    assert [turn["caller"] for turn in told["turns"]] == ["(4 keys)", "4 weeks"]


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
