from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.dialog.normalise import normalise
from edge.dialog.slots import (
    DateSlot,
    DigitsSlot,
    Moment,
    NameSlot,
    Rejected,
    SlotBase,
    TimeSlot,
    Understood,
)
from edge.grammar import Grammar

SATURDAY = dt.date(2026, 11, 21)
DATE = DateSlot(kind="date", id="date", label="date", ask="Which day?", within_days=3650)
TIME = TimeSlot(kind="time", id="time", label="time", ask="When?", opens="08:00", closes="17:00")
NAME = NameSlot(kind="name", id="name", label="name", ask="Name?", names=("garcia",))
DIGITS = DigitsSlot(kind="digits", id="n", label="number", ask="Number?", least=6, most=6)


def read(slot: SlotBase, text: str, today: dt.date = SATURDAY, part: str | None = None) -> object:
    words = normalise(text, digit_by_digit=slot.digit_by_digit)
    match = Grammar("slot", slot.node).parse(words)
    assert match is not None, f"not in the grammar: {words}"
    reading = slot.read(match, Moment(today, part))
    return reading.value if isinstance(reading, Understood) else reading


@pytest.mark.parametrize(
    ("said", "day"),
    [
        ("today", "2026-11-21"),
        ("tomorrow", "2026-11-22"),
        ("the day after tomorrow", "2026-11-23"),
        ("on monday", "2026-11-23"),
        ("saturday", "2026-11-28"),
        ("next tuesday", "2026-11-24"),
        ("the twenty third of december", "2026-12-23"),
        ("december twenty third", "2026-12-23"),
        ("may the fifth", "2027-05-05"),
        ("fifth of may", "2027-05-05"),
        ("the twentieth", "2026-12-20"),
        ("tuesday the twenty fourth", "2026-11-24"),
        ("tuesday november twenty fourth", "2026-11-24"),
        ("the thirty first", "2026-12-31"),
        ("february twenty ninth", "2028-02-29"),
        ("tomorrow morning", "2026-11-22"),
    ],
)
def test_a_day_is_resolved_against_today(said: str, day: str) -> None:
    assert read(DATE, said) == day


def test_next_tuesday_said_on_a_monday_is_not_tomorrow() -> None:
    monday = dt.date(2026, 11, 23)
    assert read(DATE, "tuesday", monday) == "2026-11-24"
    assert read(DATE, "next tuesday", monday) == "2026-12-01"
    assert read(DATE, "monday", monday) == "2026-11-30"


def test_a_weekday_that_contradicts_the_date_is_told() -> None:
    assert read(DATE, "monday the twenty fourth of november") == Rejected(
        "The 24th is a Tuesday, not a Monday."
    )


def test_a_day_that_never_comes_is_refused() -> None:
    assert read(DATE, "the thirty first of november") == Rejected("There is no such day.")


def test_days_outside_the_agents_limits_are_refused() -> None:
    strict = DATE.model_copy(update={"weekdays": ("monday",), "within_days": 30})
    assert read(strict, "tomorrow") == Rejected("Sunday is not possible.")
    assert read(strict, "may fifth") == Rejected("That is more than 30 days ahead.")


@given(st.dates(dt.date(2000, 1, 1), dt.date(2090, 1, 1)), st.integers(0, 364))
def test_the_spoken_form_of_a_date_is_understood_as_that_date(today: dt.date, ahead: int) -> None:
    day = today + dt.timedelta(days=ahead)
    assert read(DATE, DATE.spoken(day.isoformat()), today) == day.isoformat()


def test_a_date_is_spoken_with_its_weekday() -> None:
    assert DATE.spoken("2026-11-24") == "Tuesday the 24th of November"
    assert DATE.spoken("2026-12-01") == "Tuesday the 1st of December"


@pytest.mark.parametrize(
    ("said", "time"),
    [
        ("half past nine", "09:30"),
        ("at three thirty p m", "15:30"),
        ("three thirty", "15:30"),
        ("3:30", "15:30"),
        ("noon", "12:00"),
        ("twelve thirty", "12:30"),
        ("ten o'clock", "10:00"),
        ("around two in the afternoon", "14:00"),
        ("16:30", "16:30"),
        ("eight", "08:00"),
    ],
)
def test_a_clock_reading_means_the_one_in_opening_hours(said: str, time: str) -> None:
    assert read(TIME, said) == time


@pytest.mark.parametrize("said", ["seven", "five", "five p m", "eight p m", "midnight"])
def test_a_time_outside_opening_hours_is_refused_with_the_hours(said: str) -> None:
    assert read(TIME, said) == Rejected("Times go from eight o'clock to five o'clock.")


def test_quarters_around_noon_and_midnight_count_from_the_named_hour() -> None:
    all_day = TIME.model_copy(update={"opens": "00:00", "closes": "23:59", "step_minutes": 15})
    assert read(all_day, "quarter to twelve a m") == "11:45"
    assert read(all_day, "quarter to one p m") == "12:45"
    assert read(all_day, "quarter past twelve in the morning") == "00:15"
    assert read(all_day, "midnight") == "00:00"


def test_an_ambiguous_hour_is_asked_back_unless_a_part_of_day_was_said() -> None:
    long_day = TIME.model_copy(update={"opens": "07:00", "closes": "21:00"})
    assert read(long_day, "eight") == Rejected(
        "Please say eight o'clock in the morning, or eight o'clock in the evening."
    )
    assert read(long_day, "eight", part="evening") == "20:00"


def test_a_time_between_steps_is_refused() -> None:
    assert read(TIME, "nine fifteen") == Rejected("Times go in steps of 30 minutes.")


@given(st.integers(16, 33))
def test_the_spoken_form_of_a_time_is_understood_as_that_time(half_hours: int) -> None:
    time = f"{half_hours // 2:02}:{half_hours % 2 * 30:02}"
    assert read(TIME, TIME.spoken(time)) == time


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("s m i t h", "Smith"),
        ("my name is s m i t h", "Smith"),
        ("sierra mike india tango hotel", "Smith"),
        ("s as in sierra m i t for tango h", "Smith"),
        ("b as in delta o e", "Doe"),
        ("b e double l", "Bell"),
        ("x ray u", "Xu"),
        ("garcia", "Garcia"),
    ],
)
def test_a_name_is_spelled_or_known(said: str, name: str) -> None:
    assert read(NAME, said) == name


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("My name is Mukherjee.", "Mukherjee"),
        ("O\N{RIGHT SINGLE QUOTATION MARK}Neill", "O'Neill"),
        ("van der Berg", "van der Berg"),
        (
            "M\N{LATIN SMALL LETTER U WITH DIAERESIS}ller",
            "M\N{LATIN SMALL LETTER U WITH DIAERESIS}ller",
        ),
    ],
)
def test_a_name_in_free_text_is_taken_as_it_is(typed: str, name: str) -> None:
    assert NAME.read_free(typed, Moment(SATURDAY)) == Understood(name)


@pytest.mark.parametrize("typed", ["", "x", "1234", "a" * 61, "; drop table", "one two three four"])
def test_what_is_no_name_is_not_taken_for_one(typed: str) -> None:
    assert NAME.read_free(typed, Moment(SATURDAY)) is None


@pytest.mark.parametrize(
    ("said", "digits"),
    [
        ("four five nine two oh one", "459201"),
        ("it's one double two three four five", "122345"),
        ("double oh one two three four", "001234"),
        ("one two three four double five", "123455"),
        ("459201", "459201"),
    ],
)
def test_digits_are_said_one_by_one_or_doubled(said: str, digits: str) -> None:
    assert read(DIGITS, said) == digits


def test_free_digits_may_have_several_doubles_and_are_counted() -> None:
    moment = Moment(SATURDAY)
    assert DIGITS.read_free("double one triple five 7", moment) == Understood("115557")
    assert DIGITS.read_free("12345", moment) == Rejected("I heard 1 2 3 4 5. I need 6 digits.")
    assert DIGITS.read_free("hello", moment) is None


@pytest.mark.parametrize("slot", [DATE, TIME, NAME, DIGITS])
def test_every_suggestion_is_in_the_slots_own_grammar(slot: SlotBase) -> None:
    for phrase in slot.suggestions:
        assert Grammar("slot", slot.node).parse(phrase.split()) is not None, phrase
