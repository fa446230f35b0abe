"""When the caller speaks, and why."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from inland.caller.player import FAREWELL, PATIENCE, AgentView, Finished, Move, Player, Stay
from inland.caller.script import BargeIn, Script, Speak, parse_plain

DONE = AgentView(
    listening_for=FAREWELL,
    answered=True,
    quiet_for=1.0,
    speaking_for=3.0,
    words="How can I help?",
    misheard=False,
)


def player(text: str) -> Player:
    return Player(parse_plain(text, Path("a.txt")))


def test_a_line_is_said_when_the_agent_has_finished() -> None:
    assert player("hello").decide(DONE, 0.0) == Move(Speak("hello"), "next line")


@pytest.mark.parametrize(
    "view",
    [
        replace(DONE, listening_for=None),
        replace(DONE, listening_for=0.1),
        replace(DONE, answered=False),
        replace(DONE, quiet_for=0.1),
    ],
    ids=["not listening", "listening for an instant", "no answer yet", "still audible"],
)
def test_nothing_is_said_while_the_agent_is_not_done(view: AgentView) -> None:
    assert isinstance(player("hello").decide(view, 0.0), Stay)


def test_a_mute_agent_is_waited_for_and_then_spoken_to() -> None:
    mute = replace(DONE, answered=False, listening_for=PATIENCE, quiet_for=PATIENCE)
    assert player("hello").decide(mute, 0.0) == Move(Speak("hello"), "the agent is silent")


def test_a_rule_comes_before_the_next_line_and_is_used_once() -> None:
    caller = player("line\nhelp => by rule")
    assert caller.decide(DONE, 0.0) == Move(Speak("by rule"), "rule help")
    assert caller.decide(DONE, 0.0) == Move(Speak("line"), "next line")
    assert isinstance(caller.decide(DONE, 0.0), Finished)


def test_a_starred_rule_is_used_any_number_of_times() -> None:
    caller = player("help *=> by rule")
    moves = [caller.decide(DONE, 0.0) for _ in range(5)]
    assert moves == [Move(Speak("by rule"), "rule help")] * 5


def test_a_used_rule_makes_way_for_the_next_that_matches() -> None:
    caller = player("help => first\nhelp => second")
    assert [caller.decide(DONE, 0.0) for _ in range(2)] == [
        Move(Speak("first"), "rule help"),
        Move(Speak("second"), "rule help"),
    ]


def test_after_the_last_line_the_agent_may_end_the_call_itself() -> None:
    caller = player("")
    assert isinstance(caller.decide(replace(DONE, listening_for=FAREWELL - 0.1), 0.0), Stay)
    assert isinstance(caller.decide(DONE, 0.0), Finished)


def test_a_pause_holds_the_next_line_back() -> None:
    caller = player("!wait 2s\nhello")
    assert isinstance(caller.decide(DONE, 10.0), Stay)
    assert isinstance(caller.decide(DONE, 11.9), Stay)
    assert isinstance(caller.decide(DONE, 12.0), Move)


def test_a_barge_in_comes_so_long_after_the_agent_began() -> None:
    caller = Player(Script((BargeIn(0.4, "stop"),)))
    speaking = replace(DONE, listening_for=None, answered=False, quiet_for=0.0)
    assert isinstance(caller.decide(replace(speaking, speaking_for=None), 0.0), Stay)
    assert isinstance(caller.decide(replace(speaking, speaking_for=0.38), 0.0), Stay)
    assert caller.decide(replace(speaking, speaking_for=0.4), 0.0) == Move(
        BargeIn(0.4, "stop"), "barge-in"
    )
    assert caller.lines_left == 0


def test_a_barge_in_that_came_too_late_is_said_in_turn() -> None:
    caller = Player(Script((BargeIn(5.0, "stop"),)))
    assert caller.decide(DONE, 0.0) == Move(BargeIn(5.0, "stop"), "next line")


def test_a_misheard_line_is_repeated_before_anything_else_but_not_for_ever() -> None:
    caller = player("!repeat 1\none\ntwo\nhelp => rule")
    assert caller.decide(replace(DONE, words="x"), 0.0) == Move(Speak("one"), "next line")
    misheard = replace(DONE, misheard=True)
    again = caller.decide(misheard, 0.0)
    assert isinstance(again, Move) and again.line == Speak("one")
    assert caller.decide(misheard, 0.0) == Move(Speak("rule"), "rule help")
    assert caller.repeats == 1


def test_a_lost_move_is_made_again_and_only_once() -> None:
    caller = player("one\ntwo")
    caller.decide(DONE, 0.0)
    caller.lost()
    again = caller.decide(DONE, 0.0)
    assert isinstance(again, Move) and again.line == Speak("one")
    assert caller.decide(DONE, 0.0) == Move(Speak("two"), "next line")


def test_nothing_was_lost_before_the_first_move() -> None:
    caller = player("one")
    caller.lost()
    assert caller.decide(DONE, 0.0) == Move(Speak("one"), "next line")
