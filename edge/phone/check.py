"""What of the ``sip:`` section does not fit the catalogue, the agents or this machine."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from edge.phone.logins import read_logins
from edge.phone.settings import PhoneSettings
from edge.phone.trunk import PasswordError
from regions.models import Catalogue


def phone_problems(
    phone: PhoneSettings,
    catalogue: Catalogue,
    agents: Collection[str],
    environ: Mapping[str, str] = os.environ,
) -> tuple[str, ...]:
    """Each a key below ``sip``, what is wrong and what to do; none when a node can start with it.

    Reads the password files, keeps none.
    """
    return (
        *_routes(phone, catalogue),
        *_numbers(phone, catalogue, agents),
        *_passwords(phone, environ),
        *_files(phone),
    )


def _routes(phone: PhoneSettings, catalogue: Catalogue) -> Iterator[str]:
    known = [region.id for region in catalogue.regions]
    for index, trunk in enumerate(phone.trunks):
        for region in trunk.routes:
            if region not in known:
                yield (
                    f"sip.trunks[{index}].routes: the catalogue has no region {region!r}: "
                    f"it has {', '.join(known)}"
                )


def _numbers(phone: PhoneSettings, catalogue: Catalogue, agents: Collection[str]) -> Iterator[str]:
    entries = [(f"sip.numbers[{at}]", entry) for at, entry in enumerate(phone.numbers)]
    for where, number in entries:
        yield from _binding(where, number.agent, number.binding_country, catalogue, agents)
    for at, entry in enumerate(phone.registrations):
        where = f"sip.registrations[{at}]"
        yield from _binding(where, entry.agent, entry.binding_country, catalogue, agents)


def _binding(
    where: str,
    agent: str,
    country: str | None,
    catalogue: Catalogue,
    agents: Collection[str],
) -> Iterator[str]:
    if agent not in agents:
        yield f"{where}.agent: there is no agent file for {agent!r}: add it to the agents folder"
    if country is not None and catalogue.jurisdiction_of(country) is None:
        yield (
            f"{where}.country: no law of the catalogue covers {country}, so every call would be "
            "declined: extend the catalogue, or leave the number out"
        )


def _passwords(phone: PhoneSettings, environ: Mapping[str, str]) -> Iterator[str]:
    try:
        read_logins(phone, environ)
    except PasswordError as error:
        yield from str(error).splitlines()


def _files(phone: PhoneSettings) -> Iterator[str]:
    tls = phone.tls
    named: list[tuple[str, Path | None]] = []
    if tls is not None:
        named += [
            ("sip.tls.certificate", tls.certificate),
            ("sip.tls.key", tls.key),
            ("sip.tls.client_ca", tls.client_ca),
        ]
    for index, trunk in enumerate(phone.trunks):
        where = f"sip.trunks[{index}].tls"
        named += [
            (f"{where}.ca", trunk.tls.ca),
            (f"{where}.certificate", trunk.tls.certificate),
            (f"{where}.key", trunk.tls.key),
        ]
    for where, path in named:
        if path is not None and not os.access(path, os.R_OK):
            yield f"{where}: {path} is not there, or may not be read"
