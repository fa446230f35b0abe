"""What goes into the journal comes out of it."""

from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.events import ToolRecord, Turn
from edge.session.codec import (
    decode,
    decode_outcome,
    decode_turn,
    encode,
    encode_outcome,
    encode_turn,
)

text = st.text(max_size=40)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=12,
)
tools = st.builds(ToolRecord, text, text, st.dictionaries(text, values), st.booleans(), values)
turns = st.builds(
    Turn,
    st.integers(1, 999),
    text,
    text,
    st.booleans(),
    st.floats(0, 2e9),
    st.lists(tools, max_size=3).map(tuple),
)


@given(turns)
def test_a_turn_survives_the_round_trip(turn: Turn) -> None:
    assert decode_turn(encode_turn(turn)) == turn


@given(tools)
def test_a_tool_record_survives_the_round_trip(record: ToolRecord) -> None:
    assert decode_outcome(encode_outcome(record)) == record


def test_equal_values_give_equal_bytes() -> None:
    assert encode({"a": 1, "b": [2]}) == encode(MappingProxyType({"b": [2], "a": 1}))


def test_half_a_surrogate_pair_is_kept() -> None:
    assert decode(encode("\ud83d")) == "\ud83d"


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_json_cannot_say_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        encode({"x": value})


def test_an_object_has_no_place_in_a_journal() -> None:
    with pytest.raises(TypeError, match="no place in a journal"):
        encode({"x": object()})  # type: ignore[dict-item]
