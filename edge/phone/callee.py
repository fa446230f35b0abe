"""May this node call that number? Pure. The callee's own law binds beside the tenant's token."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TypeAlias

from edge.admission import NEEDS, lawful_regions
from edge.internal import Admitted
from edge.phone.numbers import country_of, read_numbers
from edge.transport.sip.wire.errors import MessageError
from edge.transport.sip.wire.uri import SipUri
from regions.law import Law
from regions.models import DataClass

MAX_EXTENSION = 6
"""Digits: what is longer and has no plus may be a number anywhere."""


@dataclass(frozen=True, slots=True)
class MayCall:
    """Yes, under ``caller``: the token's own terms, or narrower ones."""

    caller: Admitted
    reason: str


@dataclass(frozen=True, slots=True)
class MayNotCall:
    """No, and no retry helps."""

    reason: str


CalleeRuling: TypeAlias = MayCall | MayNotCall


def rule_callee(
    caller: Admitted,
    target: str,
    *,
    national: str | None,
    region: str,
    law: Law,
    on: date,
) -> CalleeRuling:
    """Whether ``region`` may call ``target``, a number or a SIP or ``tel`` URI, for ``caller``
    by the law of that day.

    ``national`` is the country (ISO 3166-1) in whose form the trunk is given numbers without a
    plus. The token was made for the country that the tenant named; a number under a law that the
    token does not name binds the call to that law as well, and what both allow is left. A number
    whose country cannot be told is not called: any law might bind it.
    """
    text = _number_of(target)
    if text is None or _is_name(text, national):
        return MayCall(caller, "the target is no telephone number; the law of the token binds")
    numbers = read_numbers(text, national)
    if not numbers or (national is None and not text.startswith("+")):
        return MayNotCall("write the number in international form with its plus: +496912345678")
    country = country_of(numbers[0])
    if country is None:
        return MayNotCall("the number does not tell its country, so no law is known to allow it")
    its_law = law.catalogue.jurisdiction_of(country)
    if its_law is None:
        return MayNotCall(f"no law of the catalogue covers {country}, so nothing is allowed")
    if its_law in caller.jurisdictions:
        return MayCall(caller, f"{country} is under {its_law}, which the token names")
    return _under_both(caller, its_law, region, law, on)


def _under_both(caller: Admitted, its_law: str, region: str, law: Law, on: date) -> CalleeRuling:
    both = tuple(sorted({*caller.jurisdictions, its_law}))
    listed = {DataClass(name): regions for name, regions in caller.regions.items()}
    lawful = lawful_regions(listed, both, law, tenant=caller.tenant, on=on)
    for data_class in NEEDS:
        if region not in lawful[data_class]:
            return MayNotCall(
                f"the number is under {its_law}, whose law beside the token's lets no "
                f"{data_class.value} into {region}; ask for a route with the callee's country"
            )
    narrowed = caller.model_copy(
        update={
            "jurisdictions": both,
            "regions": {data_class.value: regions for data_class, regions in lawful.items()},
        }
    )
    return MayCall(narrowed, f"{its_law} and the law of the token both allow {region}")


def callee_number(target: str, national: str | None) -> str | None:
    """The E.164 number that is called; None: a name, or an extension of a PBX."""
    text = _number_of(target)
    if text is None or _is_name(text, national):
        return None
    return next(iter(read_numbers(text, national)), None)


def _number_of(target: str) -> str | None:
    """The number that ``target`` is, or the user of the URI that it is; None: there is none."""
    scheme, colon, rest = target.partition(":")
    if not colon:
        return target
    if scheme.lower() == "tel":
        return rest.partition(";")[0]
    try:
        user = SipUri.parse(target).user
    except MessageError:
        return None
    return None if user is None else user.partition(";")[0]


def _is_name(text: str, national: str | None) -> bool:
    """Whether it is a person's name or an extension of a PBX, not a number of the world.

    A number in disguise, with a letter somewhere in it, is neither.
    """
    if text[:1].isalpha():
        return True
    digits = sum(character.isdigit() for character in text)
    short = digits <= MAX_EXTENSION and not text.startswith("+")
    return short and (national is None or any(character.isalpha() for character in text))
