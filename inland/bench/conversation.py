"""What the callers of a bench say to the demo's clinic, over and over."""

from __future__ import annotations

import re

from inland.caller.script import Rule, Script, Speak

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday")
TIMES = ("eight o'clock", "nine o'clock", "half past nine", "ten o'clock", "eleven o'clock")
NAMES = ("sierra mike india tango hotel", "kilo echo romeo romeo", "bravo alpha uniform echo romeo")
QUESTIONS = ("what are your opening hours", "what are your prices")
BOOKING_TURNS = 6
ROUND_TURNS = len(QUESTIONS) + BOOKING_TURNS
"""Answers in one round when everything is understood and the time is free."""


def conversation(caller: int, rounds: int) -> Script:
    """Two questions and a booking, ``rounds`` times, then goodbye.

    Callers and rounds want different days and times, so that they do not all want the same one.
    """
    lines: list[Speak] = []
    days: list[Rule] = []
    times: list[Rule] = []
    for number in range(caller * 7, caller * 7 + rounds):
        lines += [Speak(question) for question in QUESTIONS]
        lines.append(Speak("i would like to book an appointment"))
        days.append(_once("which day", f"next {DAYS[number % len(DAYS)]}"))
        times.append(_once("at what time", TIMES[number // len(DAYS) % len(TIMES)]))
    rules = [
        _always("general practice, or dentist", ("general practice", "dentist")[caller % 2]),
        *days,
        *times,
        _always("spell your last name", NAMES[caller % len(NAMES)]),
        _always("shall i book it", "yes"),
        # Somebody was faster: any other day will do.
        _always("which one", "another day"),
        _always("which day", "next friday"),
        _always("at what time", "half past three"),
        _always("put you through", "no"),
    ]
    return Script((*lines, Speak("no thank you")), tuple(rules), repeats=2)


def _once(pattern: str, answer: str) -> Rule:
    return Rule(re.compile(pattern, re.IGNORECASE), Speak(answer), repeat=False)


def _always(pattern: str, answer: str) -> Rule:
    return Rule(re.compile(pattern, re.IGNORECASE), Speak(answer), repeat=True)
