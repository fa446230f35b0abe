"""Telephone numbers: what is written, which number it is, in which country it is.

Numbers are read by Google's numbering plans (``phonenumbers``). Nothing here keeps or logs one.
"""

from __future__ import annotations

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumber, PhoneNumberFormat, PhoneNumberType

MAX_DIGITS = 15
"""Of an E.164 number (ITU-T E.164, section 6)."""
MAX_TEXT = 64
"""Longest text that is looked at, characters."""
_SEPARATORS = str.maketrans("", "", " -.()/")
"""What people put between digits (RFC 3966, section 5.1.1, and a slash)."""
_DIGITS = frozenset("0123456789")
_SERVICES = frozenset(
    {
        PhoneNumberType.TOLL_FREE,
        PhoneNumberType.PREMIUM_RATE,
        PhoneNumberType.SHARED_COST,
        PhoneNumberType.UAN,
    }
)


def is_e164(text: str) -> bool:
    """Whether ``text`` is a number as ITU-T E.164 has it, with its plus: ``+496912345678``."""
    digits = text[1:]
    return (
        text[:1] == "+"
        and 5 <= len(digits) <= MAX_DIGITS
        and digits[0] != "0"
        and _DIGITS.issuperset(digits)
    )


def read_numbers(text: str, national: str | None) -> tuple[str, ...]:
    """The E.164 numbers that ``text`` may mean, the likeliest first; none when it is no number.

    Without a plus it is read as people in ``national`` (ISO 3166-1) dial, and then as E.164
    without its plus: carriers write both.
    """
    if len(text) > MAX_TEXT:
        return ()
    written = text.translate(_SEPARATORS)
    if written.startswith("+"):
        return (written,) if is_e164(written) else ()
    if not written or not _DIGITS.issuperset(written):
        return ()
    found: list[str] = []
    if national is not None:
        number = _parse(written, national)
        if number is not None and phonenumbers.is_possible_number(number):
            found.append(phonenumbers.format_number(number, PhoneNumberFormat.E164))
    if is_e164("+" + written):
        found.append("+" + written)
    return tuple(dict.fromkeys(found))


def country_of(number: str) -> str | None:
    """The country of an E.164 number (ISO 3166-1 alpha-2), or None when the number does not tell.

    A freephone number whose calling code several countries share tells nothing: +1 800 may be
    anywhere from Canada to Jamaica. Nor do numbers of no country, such as +800.
    """
    parsed = _parse(number, None)
    if parsed is None or parsed.country_code is None:
        return None
    country = phonenumbers.region_code_for_number(parsed)
    if country is None or len(country) != 2:
        return None
    shared = len(phonenumbers.region_codes_for_country_code(parsed.country_code)) > 1
    return None if shared and phonenumbers.number_type(parsed) in _SERVICES else country


def country_of_caller(text: str, national: str | None) -> str | None:
    """The country of a caller's number as it is written on a call, or None.

    Only numbers that the country's plan really has are believed.
    """
    for number in read_numbers(text, national):
        parsed = _parse(number, None)
        if parsed is not None and phonenumbers.is_valid_number(parsed):
            return country_of(number)
    return None


def number_of_caller(text: str, national: str | None) -> str | None:
    """A caller's own number as it is written on a call, in E.164, or None.

    One without its plus may be an extension: it is believed when a country's plan has it.
    """
    for number in read_numbers(text, national):
        parsed = _parse(number, None)
        plain = text.translate(_SEPARATORS).startswith("+")
        if plain or (parsed is not None and phonenumbers.is_valid_number(parsed)):
            return number
    return None


def _parse(text: str, national: str | None) -> PhoneNumber | None:
    try:
        return phonenumbers.parse(text, national)
    except NumberParseException:
        return None
