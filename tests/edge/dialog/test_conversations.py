"""Whole conversations: what a caller says, turn by turn, and what the agent then says or does."""

from __future__ import annotations

import pytest

from edge.dialog.conductor import Conductor
from edge.events import Expect, Handover, HangUp, ToolCalled
from tests.fakes.dialog import Desk, acts_of, desk, heard, results, words

BOOKED = "It is booked. Your reference is"

CONVERSATIONS: dict[str, list[tuple[str, str]]] = {
    "step by step": [
        ("book an appointment", "General practice, or dentist?"),
        ("dentist", "Dentist. Which day?"),
        ("next tuesday", "Tuesday the 24th of November. At what time?"),
        ("half past nine", "Nine thirty. Please spell your last name."),
        ("s m i t h", "for Smith, spelled S M I T H. Shall I book it?"),
        ("yes", BOOKED),
        ("no thanks", "Goodbye."),
    ],
    "much in one sentence": [
        (
            "i'd like to book an appointment with the dentist on monday at ten",
            "Dentist, Monday the 23rd of November, ten o'clock. Please spell",
        ),
        ("Smith", "Dentist, Monday the 23rd of November, at ten o'clock, for Smith"),
        ("yes please", BOOKED),
    ],
    "typed": [
        ("Book an appointment!", "General practice"),
        ("The dentist, please.", "Which day?"),
        ("11/24", "Tuesday the 24th"),
        ("3:30 PM", "Three thirty."),
        ("My name is Mukherjee", "for Mukherjee"),
        ("Yes.", BOOKED),
    ],
    "corrections": [
        ("book an appointment with the dentist on tuesday", "At what time?"),
        ("no on friday", "Friday the 27th of November. At what time?"),
        ("ten", "spell"),
        ("wrong date", "Which day?"),
        ("wednesday", "Wednesday the 25th of November. Please spell"),
        ("s m i t h", "Wednesday the 25th of November, at ten o'clock"),
        ("no at eleven", "at eleven o'clock"),
        ("change the date to thursday", "Thursday the 26th"),
        ("no", "What should I change: the department, the date, the time or the name?"),
        ("the name", "Please spell your last name."),
        ("Jones", "for Jones"),
        ("yes", BOOKED),
    ],
    "refusals": [
        ("book an appointment", "General practice"),
        ("general practice", "Which day?"),
        ("tomorrow", "Sunday is not possible. Which day?"),
        ("monday at seven", "Times go from eight o'clock to five o'clock. At what time?"),
        ("nine fifteen", "Times go in steps of 30 minutes. At what time?"),
        ("nine", "spell"),
    ],
    "help and repeat": [
        ("help", "You can say: book an appointment, or cancel an appointment"),
        ("book an appointment", "General practice, or dentist?"),
        ("sorry", "General practice, or dentist?"),
        ("dentist", "Dentist. Which day?"),
        ("say that again please", "Dentist. Which day?"),
        ("what can i say", "You can say: tomorrow, or next tuesday. Which day?"),
    ],
    "never mind": [
        ("book an appointment", "General practice"),
        ("dentist", "Which day?"),
        ("never mind", "All right, I leave it. Anything else?"),
        ("what are your opening hours", "We are open Monday to Friday"),
        ("start over", "All right, from the start. How can I help?"),
        ("what does it cost", "forty euros"),
        ("no", "Goodbye."),
    ],
    "not understood": [
        ("blah", "Sorry, I did not get that. How can I help?"),
        ("blah", "You can say: book an appointment"),
        ("blah", "Shall I put you through to a person?"),
        ("no", "How can I help?"),
        ("book an appointment", "General practice"),
    ],
    "an unknown reference": [
        ("cancel my appointment", "It has six digits."),
        ("one two three four five six", "Cancel the appointment 1 2 3 4 5 6?"),
        ("yes", "I found no appointment with that reference. Shall I put you through"),
        ("no", "Cancel the appointment 1 2 3 4 5 6?"),
        ("no", "What should I change: the reference?"),
    ],
}


@pytest.mark.parametrize("name", CONVERSATIONS)
async def test_the_receptionist_holds_this_conversation(name: str) -> None:
    async with desk("clinic-reception") as clinic:
        conductor = clinic.conductor()
        await acts_of(conductor.open(1))
        for turn, (said, expected) in enumerate(CONVERSATIONS[name], 2):
            acts = await acts_of(conductor.respond(heard(said), turn))
            assert expected in words(acts), f"turn {turn}: {said!r}: {words(acts)!r}"
            assert isinstance(acts[-1], Expect | HangUp)


async def booked(clinic: Desk, conductor: Conductor, when: str = "on monday at ten") -> str:
    lines = (f"book an appointment with the dentist {when}", "s m i t h", "yes")
    *_, last = await clinic.say(conductor, *lines)
    (result,) = results(last)
    assert result.ok
    assert isinstance(result.output, dict)
    return str(result.output["reference"])


async def test_a_booked_appointment_can_be_cancelled_by_its_reference() -> None:
    async with desk("clinic-reception") as clinic:
        conductor = clinic.conductor()
        reference = await booked(clinic, conductor)
        *_, last = await clinic.say(
            conductor, "cancel my appointment", " ".join(reference), "yes", first=10
        )
        assert "It is cancelled: 2026-11-23." in words(last)


@pytest.mark.parametrize(
    ("answer", "time"), [("the first one", "09:00"), ("half past ten", "10:30"), ("noon", "12:00")]
)
async def test_a_taken_slot_is_answered_with_alternatives(answer: str, time: str) -> None:
    async with desk("clinic-reception") as clinic:
        await booked(clinic, clinic.conductor())
        conductor = clinic.conductor()
        lines = ("book an appointment with the dentist on monday at ten", "Doe", "yes")
        *_, refused = await clinic.say(conductor, *lines, first=20)
        offered = "Sorry, that is not free. I have nine o'clock, nine thirty or ten thirty."
        assert offered in words(refused)
        again, last = await clinic.say(conductor, answer, "yes", first=23)
        assert "Shall I book it?" in words(again)
        (result,) = results(last)
        assert isinstance(result.output, dict)
        assert result.output["time"] == time


async def test_when_no_alternative_suits_another_day_is_asked() -> None:
    async with desk("clinic-reception") as clinic:
        await booked(clinic, clinic.conductor())
        conductor = clinic.conductor()
        lines = ("book an appointment with the dentist on monday at ten", "Doe", "yes", "neither")
        *_, last = await clinic.say(conductor, *lines, first=20)
        assert words(last) == "All right, another day. Which day?"
        *_, last = await clinic.say(conductor, "tuesday", "nine", "yes", first=30)
        assert BOOKED in words(last)


async def test_a_person_is_given_on_request_with_a_summary() -> None:
    async with desk("clinic-reception") as clinic:
        conductor = clinic.conductor()
        *_, last = await clinic.say(
            conductor, "book an appointment", "dentist", "can i talk to a person please"
        )
        assert words(last) == "I am putting you through to a person."
        assert last[-1] == Handover(
            "requested", "Wants: book an appointment (department: dentist)."
        )


async def test_after_five_misunderstandings_a_person_takes_over() -> None:
    async with desk("clinic-reception") as clinic:
        *_, last = await clinic.say(clinic.conductor(), *["blah"] * 5)
        assert isinstance(last[-1], Handover)
        assert last[-1].reason == "not_understood"


async def test_speech_outside_the_grammar_is_never_taken_for_an_answer() -> None:
    async with desk("clinic-reception") as clinic:
        conductor = clinic.conductor()
        acts = await acts_of(conductor.respond(heard("book an appointment", understood=False), 2))
        assert "did not get that" in words(acts)


async def test_silence_is_reprompted_twice_and_then_ends_the_call() -> None:
    async with desk("clinic-reception") as clinic:
        conductor = clinic.conductor()
        await clinic.say(conductor, "book an appointment")
        first = await acts_of(conductor.quiet(3))
        second = await acts_of(conductor.quiet(4))
        third = await acts_of(conductor.quiet(5))
        assert words(first) == "General practice, or dentist?"
        assert words(second).startswith("You can say: general practice")
        assert third[-1] == HangUp("idle")


async def test_the_bank_arranges_a_callback_for_a_customer_number() -> None:
    async with desk("bank-callback") as bank:
        conductor = bank.conductor()
        lines = ("a callback please", "one two three four five six", "monday at ten", "yes")
        *_, confirm, last = await bank.say(conductor, *lines)
        assert "for customer 1 2 3 4 5 6" in words(confirm)
        (called,) = [act for act in last if isinstance(act, ToolCalled)]
        assert called.arguments == {
            "department": "callback",
            "date": "2026-11-23",
            "time": "10:00",
            "name": "123456",
        }
        assert "We will call you." in words(last)


@pytest.mark.parametrize(
    "text",
    [
        "a " * 5000,
        "yes " * 5000,
        "9" * 20_000,
        "monday " * 3000,
        "\0" * 500,
        "",
        " ",
        "double " * 900,
    ],
)
@pytest.mark.parametrize("lines", [(), ("book an appointment",), ("cancel my appointment",)])
async def test_absurd_input_is_answered_at_once(text: str, lines: tuple[str, ...]) -> None:
    async with desk("clinic-reception") as clinic:
        conductor = clinic.conductor()
        await clinic.say(conductor, *lines)
        acts = await acts_of(conductor.respond(heard(text), 9))
        assert isinstance(acts[-1], Expect | HangUp)
        assert len(words(acts)) < 1000
