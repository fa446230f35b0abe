"""Events in, records and the state of the talk out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.events import JsonValue
from inland.caller.conversation import Conversation
from inland.caller.records import AgentSaid, Note, Tool


def feed(conversation: Conversation, kind: str, **fields: JsonValue) -> tuple[object, ...]:
    return conversation.feed({"type": kind, "event_id": "e", **fields}, 1.0)


def answer(conversation: Conversation, name: str, text: str, status: str = "completed") -> object:
    feed(conversation, "response.created", response={"id": name, "status": "in_progress"})
    feed(conversation, "response.output_audio_transcript.delta", response_id=name, delta=text)
    (said,) = feed(conversation, "response.done", response={"id": name, "status": status})
    return said


def test_an_answer_without_its_final_transcript_is_what_was_played_of_it() -> None:
    assert answer(Conversation(), "r1", "hello  there") == AgentSaid(1.0, "hello there", False)


def test_several_answers_to_one_move_are_one_string_of_words() -> None:
    conversation = Conversation()
    answer(conversation, "r1", "one moment")
    answer(conversation, "r2", "what day?")
    assert (conversation.words, conversation.answers) == ("one moment what day?", 2)


def test_an_answer_that_a_barge_in_cut_off_is_not_the_answer_to_it() -> None:
    conversation = Conversation()
    feed(conversation, "response.created", response={"id": "r1", "status": "in_progress"})
    conversation.moved()
    feed(conversation, "response.done", response={"id": "r1", "status": "cancelled"})
    assert (conversation.words, conversation.answers) == ("", 0)
    answer(conversation, "r2", "sorry")
    assert (conversation.words, conversation.answers) == ("sorry", 1)


def test_a_tool_result_is_joined_with_its_call() -> None:
    conversation = Conversation()
    feed(
        conversation, "response.function_call_arguments.done",
        response_id="r", call_id="t", name="book", arguments='{"day": 1}',
    )  # fmt: skip
    (tool,) = feed(
        conversation, "inland.tool.result", call_id="t", name="book", ok=False, output="full"
    )
    assert tool == Tool(1.0, "book", {"day": 1}, False, "full")


def test_a_result_without_a_call_and_arguments_that_are_no_json_are_still_told() -> None:
    conversation = Conversation()
    (tool,) = feed(conversation, "inland.tool.result", call_id="x", name="n", ok=True, output=None)
    assert isinstance(tool, Tool)
    assert tool.arguments is None
    feed(
        conversation, "response.function_call_arguments.done",
        response_id="r", call_id="t", name="book", arguments="{broken",
    )  # fmt: skip
    (tool,) = feed(conversation, "inland.tool.result", call_id="t", name="n", ok=True, output=[1])
    assert isinstance(tool, Tool)
    assert tool.arguments == "{broken"


def test_a_refused_event_is_a_note() -> None:
    (note,) = feed(Conversation(), "error", error={"code": "bad_text", "message": "too long"})
    assert note == Note(1.0, "the edge refused an event: bad_text: too long")


def test_events_of_a_newer_edge_are_skipped() -> None:
    assert feed(Conversation(), "inland.something.new", x=1) == ()
    assert Conversation().feed({"no": "type"}, 1.0) == ()


@pytest.mark.parametrize(
    "fields",
    [{}, {"state": 7}, {"state": None}, {"state": "x" * 1000}],
)
def test_an_event_that_breaks_the_protocol_is_a_note_and_changes_nothing(
    fields: dict[str, JsonValue],
) -> None:
    conversation = Conversation()
    (note,) = feed(conversation, "inland.state", **fields)
    assert isinstance(note, Note)
    assert conversation.state == ""


json_values: st.SearchStrategy[JsonValue] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
kinds = st.sampled_from(
    ["session.created", "response.done", "inland.tool.result", "inland.turn.timings", "error"]
)


@given(kinds, st.dictionaries(st.sampled_from(["response", "inland", "session"]), json_values))
def test_no_event_raises(kind: str, fields: dict[str, JsonValue]) -> None:
    Conversation().feed({"type": kind, **fields}, 1.0)
