"""Written text as the words a grammar knows: ``3:30 pm`` is said ``three thirty p m``.

Typed sentences and the output of free-speech engines carry digits and punctuation; grammars are
made of spoken American English. All patterns are linear and the input is cut to ``MAX_TEXT``.
"""

from __future__ import annotations

import re
import unicodedata

MAX_TEXT = 500
"""Characters that are read; what follows is ignored."""

UNITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
TEENS = (
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
)
TENS = {20: "twenty", 30: "thirty", 40: "forty", 50: "fifty"}
ORDINALS = (
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
    "eleventh",
    "twelfth",
    "thirteenth",
    "fourteenth",
    "fifteenth",
    "sixteenth",
    "seventeenth",
    "eighteenth",
    "nineteenth",
    "twentieth",
)
MONTHS = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

_MONTH = "|".join(MONTHS)
_ISO_DATE = re.compile(r"\b\d{4}-(\d{1,2})-(\d{1,2})\b")
_US_DATE = re.compile(r"\b(\d{1,2})/(\d{1,2})(?:/\d{2,4})?\b")
_CLOCK = re.compile(r"\b(\d{1,2})[:.](\d{2})(?: ?([ap])\.? ?m\b\.?)?")
_HOUR = re.compile(r"\b(\d{1,2}) ?([ap])\.? ?m\b\.?")
_ORDINAL = re.compile(r"\b(\d{1,2})(?:st|nd|rd|th)\b")
_MONTH_DAY = re.compile(rf"\b({_MONTH}),? (\d{{1,2}})\b(?!:)")
_DAY_MONTH = re.compile(rf"\b(\d{{1,2}})\.? ({_MONTH})\b")
_HALF_DAY = re.compile(r"\b([ap])\.m\b\.?")
_PM = re.compile(r"\b(pm)\b")
_NUMBER = re.compile(r"\d+")
_OTHER = re.compile(r"[^a-z' ]")


def cardinal(number: int) -> str:
    """0..59 in words."""
    if number < 10:
        return UNITS[number]
    if number < 20:
        return TEENS[number - 10]
    tens, unit = number - number % 10, number % 10
    return TENS[tens] if unit == 0 else f"{TENS[tens]} {UNITS[unit]}"


def ordinal(number: int) -> str:
    """1..31 in words."""
    if number <= 20:
        return ORDINALS[number - 1]
    if number < 30:
        return f"twenty {ORDINALS[number - 21]}"
    return "thirtieth" if number == 30 else "thirty first"


def clock_words(hour: int, minute: int, half: str = "") -> str:
    """A clock reading as it is said; ``half`` is ``a``, ``p`` or empty (then 13..23 say p m)."""
    if not half and hour > 12:
        half = "p"
    twelve = (hour + 11) % 12 + 1
    if minute == 0:
        said = cardinal(twelve) if half else f"{cardinal(twelve)} o'clock"
    elif minute < 10:
        said = f"{cardinal(twelve)} oh {cardinal(minute)}"
    else:
        said = f"{cardinal(twelve)} {cardinal(minute)}"
    return f"{said} {half} m" if half else said


def normalise(text: str, *, digit_by_digit: bool = False) -> tuple[str, ...]:
    """The spoken words of ``text``, lower case.

    With ``digit_by_digit`` every figure is a word of its own, as in a customer number; without it
    figures are read as clock times, dates and numbers.
    """
    line = _plain(text)
    if digit_by_digit:
        line = _NUMBER.sub(lambda found: f" {_digits(found[0])} ", line)
    else:
        line = _dates(line)
        line = _CLOCK.sub(_said_clock, line)
        line = _HOUR.sub(lambda found: _said_hour(found[0], int(found[1]), found[2]), line)
        line = _ORDINAL.sub(lambda found: _said_ordinal(found[0], int(found[1])), line)
        line = _NUMBER.sub(lambda found: f" {_said_number(found[0])} ", line)
    line = _PM.sub("p m", _HALF_DAY.sub(r"\1 m ", line))
    words = (word.strip("'") for word in _OTHER.sub(" ", line).split())
    return tuple(word for word in words if word)


def _plain(text: str) -> str:
    cut = text[:MAX_TEXT].replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    folded = unicodedata.normalize("NFKD", cut)
    return "".join(c for c in folded if not unicodedata.combining(c)).lower()


def _dates(line: str) -> str:
    line = _ISO_DATE.sub(lambda found: _said_date(found[0], int(found[1]), int(found[2])), line)
    line = _US_DATE.sub(lambda found: _said_date(found[0], int(found[1]), int(found[2])), line)
    line = _MONTH_DAY.sub(
        lambda found: f"{found[1]} {_said_ordinal(found[2], int(found[2]))}", line
    )
    return _DAY_MONTH.sub(
        lambda found: f"{_said_ordinal(found[1], int(found[1]))} {found[2]}", line
    )


def _said_date(as_written: str, month: int, day: int) -> str:
    if 1 <= month <= 12 and 1 <= day <= 31:
        return f" {MONTHS[month - 1]} {ordinal(day)} "
    return as_written


def _said_clock(found: re.Match[str]) -> str:
    hour, minute = int(found[1]), int(found[2])
    if hour > 23 or minute > 59:
        return found[0]
    return f" {clock_words(hour, minute, found[3] or '')} "


def _said_hour(as_written: str, hour: int, half: str) -> str:
    return f" {clock_words(hour, 0, half)} " if 1 <= hour <= 12 else as_written


def _said_ordinal(as_written: str, number: int) -> str:
    return ordinal(number) if 1 <= number <= 31 else as_written


def _said_number(digits: str) -> str:
    number = int(digits) if len(digits) <= 2 else 60
    return cardinal(number) if number < 60 and digits[0] != "0" else _digits(digits)


def _digits(digits: str) -> str:
    return " ".join(UNITS[int(digit)] for digit in digits)
