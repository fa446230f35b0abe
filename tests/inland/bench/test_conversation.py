"""What the callers of a bench say."""

from __future__ import annotations

from inland.bench.conversation import QUESTIONS, conversation
from inland.caller.player import AgentView, Finished, Move, Player
from inland.caller.script import Speak


def said(player: Player, agent: str) -> str | None:
    """What the caller answers to these words; None when it hangs up."""
    view = AgentView(5.0, True, 5.0, None, agent, False)
    decision = player.decide(view, 0.0)
    if isinstance(decision, Finished):
        return None
    assert isinstance(decision, Move)
    assert isinstance(decision.line, Speak)
    return decision.line.text


def test_every_question_of_the_agent_has_an_answer_however_often_it_asks() -> None:
    player = Player(conversation(0, 1))
    for _ in range(3):
        for question in (
            "General practice, or dentist?",
            "Which day?",
            "At what time?",
            "Please spell your last name.",
            "Shall I book it?",
            "Sorry, that is not free. Which one?",
        ):
            assert said(player, question) not in (None, *QUESTIONS, "no thank you")


def test_a_round_asks_twice_and_books_once_and_the_end_is_a_goodbye() -> None:
    player = Player(conversation(0, 2))
    lines = [said(player, "Anything else?") for _ in range(7)]
    one_round = [*QUESTIONS, "i would like to book an appointment"]
    assert lines == [*one_round, *one_round, "no thank you"]
    assert said(player, "Goodbye.") is None


def test_callers_do_not_all_want_the_same_time() -> None:
    wishes = {
        (said(player, "Which day?"), said(player, "At what time?"))
        for player in (Player(conversation(caller, 1)) for caller in range(5))
    }
    assert len(wishes) == 5
