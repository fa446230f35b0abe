"""The ``sip:`` section of a node's settings: where it listens, trunks, numbers, registrations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import Field, field_validator, model_validator

from control_plane.contract import Identifier
from edge.phone.fields import (
    ANY_COUNTRY,
    E164,
    BindingCountry,
    HostText,
    ListenAddress,
    ListenText,
    Network,
    PeerAddress,
    PublicAddress,
    UserPart,
    listen_address,
)
from edge.phone.numbers import country_of
from edge.phone.trunk import Password, Trunk
from edge.section import HomePath, Section
from edge.transport.sip.wire.uri import SipUri

CodecName: TypeAlias = Literal["opus", "g722", "pcmu", "pcma"]
DigestName: TypeAlias = Literal["SHA-512-256", "SHA-256", "MD5"]
PORTS_PER_CALL = 2
"""RTP and RTCP (RFC 3550, section 11)."""
MIN_SESSION_EXPIRES = 90
"""RFC 4028, section 4."""


class Tls(Section):
    """Our certificate chain and key (PEM), and what is asked of those who connect."""

    certificate: HomePath
    key: HomePath
    client_ca: HomePath | None = None
    clients: Literal["off", "optional", "required"] = "off"

    @model_validator(mode="after")
    def _checked_by(self) -> Self:
        if self.clients != "off" and self.client_ca is None:
            raise ValueError("client certificates are checked by client_ca: add it")
        return self


class Number(Section):
    """Something that can be dialled, and the agent who answers."""

    number: E164 | None = None
    user: UserPart | None = None
    """In place of a number: the user of a plain SIP address."""
    tenant: Identifier
    agent: Identifier
    trunks: tuple[Identifier, ...] = ()
    """Only calls of these; of any when empty."""
    country: BindingCountry | None = None
    """Whose law binds whoever dials this; by default the number's own country."""

    @property
    def binding_country(self) -> str | None:
        """The country that binds, or None: the caller's own number is asked."""
        country = self.country
        if country is None and self.number is not None:
            country = country_of(self.number)
        return None if country == ANY_COUNTRY else country

    @model_validator(mode="after")
    def _one_name(self) -> Self:
        if (self.number is None) == (self.user is None):
            raise ValueError("add either number or user, one of them")
        if self.country is None and self.binding_country is None:
            raise ValueError(
                "country: the number does not tell its country: add the one whose law binds its "
                f"callers, or {ANY_COUNTRY} to go by their own numbers"
            )
        return self


class Registration(Password):
    """An extension that we are at a PBX (RFC 3261, section 10): calls to it come to us."""

    name: Identifier
    trunk: Identifier
    """The PBX: its calls are admitted, and ours sent, as this trunk says."""
    registrar: PeerAddress | None = None
    """By default the trunk's address."""
    username: UserPart
    auth_username: UserPart | None = None
    """For the PBX's challenge; by default ``username``."""
    expires: int = Field(default=300, ge=60, le=86_400)
    """Seconds; renewed in time."""
    tenant: Identifier
    agent: Identifier
    country: BindingCountry

    @property
    def binding_country(self) -> str | None:
        """As :attr:`Number.binding_country`."""
        return None if self.country == ANY_COUNTRY else self.country

    @model_validator(mode="after")
    def _has_one(self) -> Self:
        if not self.has_password:
            raise ValueError("add password_file or password_env")
        return self


Dialable: TypeAlias = Number | Registration


class PhoneSettings(Section):
    """Phone calls of one node. Everything binds to loopback unless told otherwise."""

    listen: tuple[ListenText, ...] = Field(
        default=("udp://127.0.0.1:5060", "tcp://127.0.0.1:5060"), min_length=1, max_length=16
    )
    advertised_host: HostText | None = None
    """Public address of signalling and media behind a NAT that forwards to us."""
    public_uri: PublicAddress | None = None
    """Where other regions send calls that belong here; without it they send none."""
    tls: Tls | None = None
    media_ports: Annotated[tuple[int, ...], Field(min_length=2, max_length=2)] = (20_000, 21_999)
    """First and last UDP port of media, shared out among the workers."""
    codecs: tuple[CodecName, ...] = Field(
        default=("opus", "g722", "pcmu", "pcma"), min_length=1, max_length=4
    )
    """In order of preference."""
    media_timeout_seconds: float = Field(default=30.0, ge=5.0, le=600.0)
    """A call without any packet for so long is dead."""
    session_expires: int = Field(default=1800, ge=MIN_SESSION_EXPIRES, le=86_400)
    """Session timer (RFC 4028), seconds."""
    digest: tuple[DigestName, ...] = Field(default=("SHA-256", "MD5"), min_length=1, max_length=3)
    """What callers who have to prove a password are challenged with, best first (RFC 8760)."""
    trunks: tuple[Trunk, ...] = Field(min_length=1, max_length=64)
    numbers: tuple[Number, ...] = Field(default=(), max_length=10_000)
    registrations: tuple[Registration, ...] = Field(default=(), max_length=256)

    @property
    def listens(self) -> tuple[ListenAddress, ...]:
        return tuple(listen_address(text) for text in self.listen)

    def trunk(self, name: str) -> Trunk:
        """The trunk of that name. Raises ``KeyError``."""
        for trunk in self.trunks:
            if trunk.name == name:
                return trunk
        raise KeyError(name)

    def peers(self) -> Iterator[tuple[str, Trunk]]:
        """The host of every address that is called, in lower case, with the trunk it is of."""
        for trunk in self.trunks:
            if trunk.address is not None:
                yield SipUri.parse(trunk.address).host, trunk
        for entry in self.registrations:
            if entry.registrar is not None:
                yield SipUri.parse(entry.registrar).host, self.trunk(entry.trunk)

    def passwords(self) -> Iterator[tuple[str, Password]]:
        """Every place that names a password, with its key below ``sip``."""
        for index, trunk in enumerate(self.trunks):
            if trunk.has_password:
                yield f"trunks[{index}]", trunk
            if trunk.inbound_auth is not None:
                yield f"trunks[{index}].inbound_auth", trunk.inbound_auth
        for index, entry in enumerate(self.registrations):
            yield f"registrations[{index}]", entry

    def media_ports_of(self, worker: int, workers: int) -> range:
        """The UDP ports of one of ``workers``: an even first one, and whole pairs of ports."""
        first, last = self.media_ports
        pairs = (last + 1 - first) // PORTS_PER_CALL // workers
        start = first + worker * pairs * PORTS_PER_CALL
        return range(start, start + pairs * PORTS_PER_CALL)

    @field_validator("media_ports")
    @classmethod
    def _pairs(cls, ports: tuple[int, ...]) -> tuple[int, ...]:
        first, last = ports
        if not 1024 <= first < last <= 65_535 or first % 2 or not last % 2:
            raise ValueError(
                "should be an even first and an odd last port between 1024 and 65535, such as "
                "[20000, 21999]: each call takes two, the lower one even"
            )
        return ports

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        problems = [*_contradictions(self)]
        if problems:
            raise ValueError("; ".join(problems))
        return self


def _contradictions(phone: PhoneSettings) -> Iterator[str]:
    listens = phone.listens
    if any(listen.transport == "tls" for listen in listens) and phone.tls is None:
        yield "tls: listening for tls takes a certificate and a key: add tls"
    if len(set(listens)) != len(listens):
        yield "listen: lists an address twice"
    if len(set(phone.codecs)) != len(phone.codecs):
        yield "codecs: lists a codec twice"
    if len(set(phone.digest)) != len(phone.digest):
        yield "digest: lists an algorithm twice"
    yield from _twice("trunks", "name", [trunk.name for trunk in phone.trunks])
    yield from _twice("registrations", "name", [entry.name for entry in phone.registrations])
    yield from _networks_twice(phone.trunks)
    logins = [trunk.inbound_auth.username for trunk in phone.trunks if trunk.inbound_auth]
    yield from _twice("trunks", "inbound_auth.username", logins)
    unknown = [*_unknown_trunks(phone)]
    yield from unknown
    if not unknown:
        yield from _checked_twice(phone)
    yield from _dialled_twice(phone)


def _twice(where: str, key: str, values: Sequence[str]) -> Iterator[str]:
    for value in sorted({value for value in values if values.count(value) > 1}):
        yield f"{where}: {key} {value!r} is there twice: give each its own"


def _networks_twice(trunks: Sequence[Trunk]) -> Iterator[str]:
    """A network inside another one is fine, the narrower wins; the same one twice says nothing."""
    owners: dict[Network, str] = {}
    for trunk in trunks:
        for network in trunk.sources:
            other = owners.setdefault(network, trunk.name)
            if other != trunk.name:
                yield (
                    f"trunks: networks: {network} is of {other} and of {trunk.name}, so its calls "
                    "would be nobody's: make them one trunk, or one of the networks narrower"
                )


def _checked_twice(phone: PhoneSettings) -> Iterator[str]:
    """A certificate is checked by the host that was asked for."""
    known: dict[str, Trunk] = {}
    for host, trunk in phone.peers():
        other = known.setdefault(host, trunk)
        if other.tls != trunk.tls:
            yield f"trunks: tls: {other.name} and {trunk.name} differ for one host: make them one"


def _unknown_trunks(phone: PhoneSettings) -> Iterator[str]:
    known = {trunk.name: trunk for trunk in phone.trunks}
    for index, number in enumerate(phone.numbers):
        for name in sorted({*number.trunks} - known.keys()):
            yield f"numbers[{index}].trunks: there is no trunk {name!r}"
    for index, entry in enumerate(phone.registrations):
        where = f"registrations[{index}]"
        trunk = known.get(entry.trunk)
        if trunk is None:
            yield f"{where}.trunk: there is no trunk {entry.trunk!r}"
        elif entry.registrar is None and trunk.address is None:
            yield f"{where}.registrar: is missing, and trunk {entry.trunk!r} has no address"


def _dialled_twice(phone: PhoneSettings) -> Iterator[str]:
    """Two entries for what a caller on one trunk dials would leave the choice to chance."""
    everywhere = frozenset(trunk.name for trunk in phone.trunks)
    taken: dict[tuple[str, str], str] = {}
    entries = [
        (f"numbers[{index}]", entry.number or entry.user or "", frozenset(entry.trunks))
        for index, entry in enumerate(phone.numbers)
    ]
    entries += [
        (f"registrations[{index}]", entry.username, frozenset({entry.trunk}))
        for index, entry in enumerate(phone.registrations)
    ]
    for where, dialled, trunks in entries:
        for trunk in sorted(trunks or everywhere):
            first = taken.setdefault((trunk, dialled), where)
            if first != where:
                yield f"{where}: is {first} again for calls of trunk {trunk}: keep one"
                break
