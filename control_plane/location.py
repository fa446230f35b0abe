"""Where a caller is, and so whose law binds: pure, with the source that decided.

For a browser the order is: what the tenant declares for the agent (binding), the country of the
request, the country header of a trusted content delivery network, the tenant's default; else
refuse. For a phone call: the declaration (binding), the country of the dialled number (binding),
that of the caller's own number (a hint), the tenant's default; else refuse.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from control_plane.tenants import Agent
from regions.models import Catalogue

Source = Literal["declared", "dialled", "caller", "request", "header", "tenant_default"]

COUNTRY_HEADERS = ("CF-IPCountry", "CloudFront-Viewer-Country")
"""What Cloudflare and Amazon CloudFront call the header; they overwrite what a client sends."""

_COUNTRY = re.compile(r"[A-Z]{2}")
_UNKNOWN = "XX"
"""Cloudflare's word for *not known*. Its ``T1``, a Tor exit, is no country code either."""


@dataclass(frozen=True, slots=True)
class Location:
    """Whose law binds the caller.

    ``jurisdictions`` is sorted and empty when no law of the catalogue covers ``country``, which
    then allows nothing. ``near`` only ranks regions by distance; it never adds one.
    """

    source: Source
    country: str | None
    jurisdictions: tuple[str, ...]
    near: str | None


def locate(
    catalogue: Catalogue,
    agent: Agent,
    *,
    requested: str | None,
    header: str | None,
    default: str | None,
) -> Location | None:
    """Where the caller from a browser is, by the first source that says it; None: then refuse."""
    return _first(
        catalogue,
        agent,
        (("request", requested), ("header", header), ("tenant_default", default)),
    )


def locate_phone(
    catalogue: Catalogue,
    agent: Agent,
    *,
    dialled: str | None,
    caller: str | None,
    default: str | None,
) -> Location | None:
    """Where the caller on the phone is, by the first source that says it; None: then refuse.

    The dialled number's law binds alone: who dials a German number is served under German law,
    wherever their own number is from. That number is looked at only where nothing binds, since it
    may be forged, lent or roaming.
    """
    return _first(
        catalogue,
        agent,
        (("dialled", dialled), ("caller", caller), ("tenant_default", default)),
    )


def _first(
    catalogue: Catalogue, agent: Agent, sources: Sequence[tuple[Source, str | None]]
) -> Location | None:
    heard = next((country for _, country in sources if country is not None), None)
    if agent.country is not None or agent.jurisdictions:
        laws = set(agent.jurisdictions)
        if agent.country is not None:
            law = catalogue.jurisdiction_of(agent.country)
            laws = laws | {law} if law is not None else set()
        return Location("declared", agent.country, tuple(sorted(laws)), agent.country or heard)
    for source, country in sources:
        if country is not None:
            law = catalogue.jurisdiction_of(country)
            return Location(source, country, () if law is None else (law,), country)
    return None


def country_of_header(values: Sequence[str]) -> str | None:
    """The country in a trusted header's ``values``; None when absent, unknown or ambiguous."""
    if len(values) != 1 or values[0] == _UNKNOWN or _COUNTRY.fullmatch(values[0]) is None:
        return None
    return values[0]
