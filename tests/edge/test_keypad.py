"""Keys become entries."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.keypad import KEYS, MAX_ENTRY, PAUSE_SECONDS, Keypad


def press(keypad: Keypad, keys: str, now: float = 0.0, wanted: int = 0) -> list[str]:
    """What ended at these keys, one after the other at the same moment."""
    return [e for key in keys if (e := keypad.press(key, now, wanted)) is not None]


@pytest.mark.parametrize(
    ("keys", "wanted", "entries"),
    [
        ("4592#", 0, ["4592"]),
        ("4592", 4, ["4592"]),
        ("45921", 4, ["4592"]),
        ("45#", 4, ["45"]),
        ("12*4592#", 0, ["", "4592"]),
        ("0", 1, ["0"]),
        ("#", 0, [""]),
        ("*", 4, [""]),
        ("A", 0, [""]),
        ("4A5#", 0, ["45"]),
        ("1" * 40, 0, ["1" * MAX_ENTRY]),
        ("1" * 40, 99, ["1" * MAX_ENTRY]),
    ],
)
def test_an_entry_ends_where_it_should(keys: str, wanted: int, entries: list[str]) -> None:
    assert press(Keypad(), keys, wanted=wanted) == entries


def test_a_pause_ends_an_entry_and_each_key_puts_it_off() -> None:
    keypad = Keypad()
    assert keypad.due is None
    assert keypad.press("4", 10.0) is None
    assert keypad.press("5", 11.0) is None
    assert keypad.due == 11.0 + PAUSE_SECONDS
    assert keypad.poll(12.9) is None
    assert keypad.poll(13.0) == "45"
    assert keypad.due is None
    assert keypad.poll(99.0) is None


def test_what_was_taken_back_is_not_waited_for() -> None:
    keypad = Keypad()
    keypad.press("4", 10.0)
    assert keypad.press("*", 10.5) == ""
    assert keypad.due is None


@settings(deadline=None, max_examples=200)
@given(st.text(st.sampled_from(sorted(KEYS)), max_size=100), st.integers(0, 40))
def test_no_figure_is_lost_or_invented(keys: str, wanted: int) -> None:
    keypad = Keypad()
    entries = press(keypad, keys, wanted=wanted)
    rest = keypad.poll(PAUSE_SECONDS) or ""
    kept = "".join(entries) + rest
    if "*" not in keys:
        assert kept == "".join(key for key in keys if key.isdecimal())
    assert all(len(entry) <= min(wanted or MAX_ENTRY, MAX_ENTRY) for entry in [*entries, rest])
    assert (keypad.due is None) == (keypad.poll(1e9) is None)
