"""The passwords of trunks and registrations, read once at start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from edge.phone.settings import PhoneSettings
from edge.phone.trunk import PasswordError
from edge.transport.sip.wire.digest.values import Credentials


@dataclass(frozen=True, slots=True)
class Logins:
    """``inbound``: the password that a name must prove. ``trunks`` and ``registrations``: who we
    are to each, by its name."""

    inbound: Mapping[str, str] = field(repr=False)
    trunks: Mapping[str, Credentials]
    registrations: Mapping[str, Credentials]


def read_logins(phone: PhoneSettings, environ: Mapping[str, str]) -> Logins:
    """Every password that the settings name.

    Raises :class:`PasswordError` with a line per key whose password is not there.
    """
    found: dict[str, str] = {}
    problems = []
    for where, place in phone.passwords():
        try:
            found[where] = place.password(environ)
        except PasswordError as error:
            problems.append(f"sip.{where}: {error}")
    if problems:
        raise PasswordError("\n".join(problems))
    trunks = [(f"trunks[{index}]", trunk) for index, trunk in enumerate(phone.trunks)]
    return Logins(
        inbound={
            trunk.inbound_auth.username: found[f"{where}.inbound_auth"]
            for where, trunk in trunks
            if trunk.inbound_auth is not None
        },
        trunks={
            trunk.name: Credentials(trunk.username, found[where])
            for where, trunk in trunks
            if trunk.username is not None
        },
        registrations={
            entry.name: Credentials(
                entry.auth_username or entry.username, found[f"registrations[{index}]"]
            )
            for index, entry in enumerate(phone.registrations)
        },
    )
