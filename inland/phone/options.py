"""What a telephone is told before it calls."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from edge.transport.rtp.codec import CodecName
from edge.transport.sip.media.agreement import MediaPolicy
from edge.transport.sip.net.settings import PeerTls
from edge.transport.sip.wire.digest import Credentials
from edge.transport.sip.wire.errors import MessageError
from edge.transport.sip.wire.uri import SipUri
from inland.caller.options import TIMEOUT_SECONDS
from inland.caller.script import Script, TypeIn
from inland.phone.telephone import DEFAULT_USER

Srtp: TypeAlias = Literal["off", "optional", "required"]

RING_SECONDS = 45.0
CODECS: tuple[CodecName, ...] = ("opus", "g722", "pcmu", "pcma")
"""What is offered, best first, unless one is asked for."""

_USER = re.compile(r"[0-9A-Za-z+_.!~*'-]{1,64}")
_TRANSPORTS = ("udp", "tcp", "tls")


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneOptions:
    """One call from a telephone. Times are seconds.

    ``caller`` is the user part of the address that the far end sees. ``tls`` says how its
    certificate is checked, None as usual. ``hold_after`` puts the call on hold so long after the
    answer, once.

    Raises ``ValueError``, whose message names the option, for anything that cannot be right.
    """

    target: str
    codecs: tuple[CodecName, ...] = CODECS
    srtp: Srtp = "optional"
    caller: str = DEFAULT_USER
    credentials: Credentials | None = None
    tls: PeerTls | None = None
    ring: float = RING_SECONDS
    timeout: float = TIMEOUT_SECONDS
    hold_after: float | None = None
    record: Path | None = None

    def __post_init__(self) -> None:
        uri = parse_target(self.target)
        if not _USER.fullmatch(self.caller):
            raise ValueError(f"--as: {self.caller!r} is neither a number nor a name of an address")
        if self.tls is not None and uri.transport != "tls":
            raise ValueError("--ca and --insecure are for TLS: a sips: target, or ;transport=tls")
        if not 1 <= self.ring <= 180:
            raise ValueError("--ring: between 1 and 180 seconds")
        if not 1 <= self.timeout <= 3600:
            raise ValueError("--timeout: between 1 and 3600 seconds")
        if self.hold_after is not None and not 0 <= self.hold_after <= 3600:
            raise ValueError("--hold-after: between 0 and 3600 seconds")

    @property
    def uri(self) -> SipUri:
        """Who is called first."""
        return parse_target(self.target)

    @property
    def policy(self) -> MediaPolicy:
        """What is offered of media."""
        return MediaPolicy(codecs=self.codecs, srtp=self.srtp)


def parse_target(text: str) -> SipUri:
    """The URI that is called. Raises ``ValueError`` with what is wrong."""
    try:
        uri = SipUri.parse(text)
    except MessageError as error:
        raise ValueError(f"{text!r} cannot be called: {error.detail}") from None
    if uri.transport not in _TRANSPORTS:
        raise ValueError(f"{text!r} cannot be called: transport is one of {', '.join(_TRANSPORTS)}")
    return uri


def credentials(
    user: str | None, variable: str | None, environment: Mapping[str, str]
) -> Credentials | None:
    """Whom to be to a far end that asks; the password stands in ``variable`` of ``environment``.

    Raises ``ValueError`` when one of the two is missing.
    """
    if user is None and variable is None:
        return None
    if user is None or variable is None:
        raise ValueError("--user and --password-env go together")
    password = environment.get(variable)
    if not password:
        raise ValueError(f"--password-env: there is no {variable} in the environment")
    return Credentials(user, password)


def peer_tls(ca: Path | None, *, insecure: bool) -> PeerTls | None:
    """How the certificate is checked. Raises ``ValueError`` for what contradicts itself."""
    if ca is None:
        return PeerTls(verify=False) if insecure else None
    if insecure:
        raise ValueError("--ca and --insecure contradict each other")
    if not ca.is_file():
        raise ValueError(f"--ca: there is no file {ca}")
    return PeerTls(ca=ca)


def check_script(script: Script) -> None:
    """Raises ``ValueError`` for what a telephone cannot do: it shows nobody's words."""
    if any(isinstance(line, TypeIn) for line in script.everything):
        raise ValueError("nothing can be typed on a telephone: --type and !type are for a browser")
    if script.rules:
        raise ValueError(
            f"the rule {script.rules[0].pattern.pattern!r} waits for words of the agent, and a "
            "telephone shows none: write the lines in order"
        )
    if script.repeats:
        raise ValueError(
            "!repeat waits for the edge to say that it did not understand, which a telephone "
            "does not show"
        )
