"""Kamailio as a record-routing proxy and a registrar with digest."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from tests.peers.program import HOST, PATIENCE, Program, free_ports, installed, until

REALM = "peers.example"


class Kamailio(Program):
    """UDP and TCP on one port.

    ``routes`` sends a user part to a SIP URI. Else a call to another host or port goes there, and
    a user of its own is looked up among those registered.
    ``users`` are names with passwords. ``expires`` is what a registration gets, ``nonce_expires``
    how long a challenge is good for, both in seconds. With ``challenges_calls`` an INVITE from one
    of ``users`` is challenged with 407.
    """

    def __init__(
        self,
        folder: Path,
        *,
        routes: Mapping[str, str] | None = None,
        users: Mapping[str, str] | None = None,
        expires: int = 60,
        nonce_expires: int = 30,
        algorithm: str = "MD5",
        challenges_calls: bool = False,
    ) -> None:
        self.port = free_ports(1)
        config = (Path(__file__).parent / "kamailio.cfg").read_text()
        users = users or {}
        routed = (
            f'    if ($rU == "{user}") {{ $du = "{uri}"; t_relay(); exit; }}'
            for user, uri in (routes or {}).items()
        )
        known = (
            f'    if ($fU == "{name}") $var(password) = "{password}";'
            for name, password in users.items()
        )
        for name, value in {
            "HOST": HOST,
            "PORT": self.port,
            "REALM": REALM,
            "EXPIRES": expires,
            "NONCE_EXPIRES": nonce_expires,
            "ALGORITHM": algorithm,
            "CHALLENGES_CALLS": int(challenges_calls),
            "USERS": "|".join(users) or "nobody",
            "ROUTES": "\n".join(routed),
            "PASSWORDS": "\n".join(known),
        }.items():
            config = config.replace(f"@{name}@", str(value))
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "kamailio.cfg").write_text(config)
        command = [installed("kamailio", "kamailio"), "-DD", "-E", "-m", "16", "-M", "4"]
        command += ["-Y", str(folder), "-f", str(folder / "kamailio.cfg")]
        super().__init__(command, folder, "kamailio")

    async def _ready(self) -> None:
        await self._bound(self.port)

    def count(self, what: str) -> int:
        """How often it logged one of: routed METHOD, strayed METHOD, placed METHOD, pinged,
        challenged (-5 without credentials, -2 with a wrong password, "anew" with a stale nonce),
        registered, unregistered, call challenged. What is sent again counts once: a busy machine
        may answer late."""
        return len(set(re.findall(f"@ {re.escape(what)}.*", self.output)))

    async def logged(self, what: str, times: int = 1, within: float = PATIENCE) -> None:
        """Wait for it to have logged that."""
        await until(lambda: self.count(what) >= times, f"{what} {times} times", within)
