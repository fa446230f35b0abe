"""Which options of ``inland call`` belong to which kind of call: pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

Form: TypeAlias = Literal["browser", "telephone", "order"]

NAMES: Mapping[Form, str] = {
    "browser": "a call without a target (WebRTC)",
    "telephone": "a phone call (sip:…)",
    "order": "an ordered call (--trunk)",
}
_BROWSER: tuple[Form, ...] = ("browser",)
_TELEPHONE: tuple[Form, ...] = ("telephone",)
_ORDER: tuple[Form, ...] = ("order",)
_NOT_A_TELEPHONE: tuple[Form, ...] = ("browser", "order")
_TALKS: tuple[Form, ...] = ("browser", "telephone")

BELONGS: Mapping[str, tuple[str, tuple[Form, ...]]] = {
    "country": ("--from", _NOT_A_TELEPHONE),
    "agent": ("--agent", _NOT_A_TELEPHONE),
    "control_plane": ("--control-plane", _NOT_A_TELEPHONE),
    "key": ("--key", _NOT_A_TELEPHONE),
    "edge": ("--edge", _NOT_A_TELEPHONE),
    "token": ("--token", _NOT_A_TELEPHONE),
    "steps": ("--say, --wav, --type, --press and --script", _TALKS),
    "voice": ("--voice", _TALKS),
    "codec": ("--codec", _TALKS),
    "record": ("--record", _TALKS),
    "no_reconnect": ("--no-reconnect", _BROWSER),
    "drill": ("--drill", _BROWSER),
    "caller": ("--as", _TELEPHONE),
    "user": ("--user", _TELEPHONE),
    "password_env": ("--password-env", _TELEPHONE),
    "srtp": ("--srtp", _TELEPHONE),
    "ca": ("--ca", _TELEPHONE),
    "insecure": ("--insecure", _TELEPHONE),
    "hold_after": ("--hold-after", _TELEPHONE),
    "ring": ("--ring", ("telephone", "order")),
    "caller_id": ("--caller-id", _ORDER),
    "trunk": ("--trunk", _ORDER),
}
"""By the option's destination: its name, and where it may stand. What is not here may stand
everywhere."""


def form_of(target: str | None, trunk: str | None) -> Form:
    """What kind of call is asked for. Raises ``ValueError``."""
    if trunk is not None:
        if target is None:
            raise ValueError("--trunk: whom to call? inland call +49… --trunk NAME")
        return "order"
    if target is None:
        return "browser"
    if target.partition(":")[0].lower() in ("sip", "sips"):
        return "telephone"
    raise ValueError(
        f"{target!r} is no sip: or sips: address; a telephone number needs --trunk, the trunk of "
        "an edge that calls it"
    )


def check_options(form: Form, given: Mapping[str, object]) -> None:
    """Raises ``ValueError`` for an option that has no place in ``form``.

    ``given`` is what argparse made; an option that was not given is None, False or empty.
    """
    for name, (option, forms) in BELONGS.items():
        value = given.get(name)
        if form not in forms and value is not None and value is not False and value != []:
            belongs = " and ".join(NAMES[each] for each in forms)
            plural = "belong" if "," in option else "belongs"
            raise ValueError(f"{option} {plural} to {belongs}; this is {NAMES[form]}")
