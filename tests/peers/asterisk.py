"""Asterisk as a PBX with one extension, for machines that have it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.peers.program import HOST, PATIENCE, Program, free_ports, installed, until

EXTENSION, PASSWORD = "201", "not-a-secret"

_MAIN = """\
[directories]
astetcdir => {folder}
astvarlibdir => /var/lib/asterisk
astdbdir => {folder}
astkeydir => {folder}
astdatadir => /usr/share/asterisk
astagidir => {folder}
astspooldir => {folder}
astrundir => {folder}
astlogdir => {folder}
[options]
nofork = yes
systemname = peer
"""
_PJSIP = """\
[transport]
type = transport
protocol = udp
bind = {host}:{port}

[{user}]
type = endpoint
context = peers
disallow = all
allow = {codecs}
auth = {user}
aors = {user}
direct_media = no
dtmf_mode = rfc4733
media_encryption = {encryption}
media_encryption_optimistic = no
media_address = {host}

[{user}]
type = auth
auth_type = userpass
username = {user}
password = {password}

[{user}]
type = aor
max_contacts = 1
minimum_expiration = 5
"""
_DIALPLAN = """\
[peers]
exten => talk,1,Answer()
 same => n,Record({folder}/heard.wav,0,6,k)
 same => n,Hangup()
"""
_MODULES = "[modules]\nautoload = yes\nnoload => chan_sip.so\n"


class Asterisk(Program):
    """One PJSIP extension that an extension may register as, over UDP.

    ``dial`` calls it and records for six seconds what it says.
    """

    def __init__(self, folder: Path, *, codecs: str = "alaw", encryption: str = "no") -> None:
        program = installed("asterisk", "asterisk, where the release has it")
        self.port = free_ports(2)
        self.recording = folder / "heard.wav"
        self._control = [program, "-C", str(folder / "asterisk.conf"), "-rx"]
        folder.mkdir(parents=True, exist_ok=True)
        values = {
            "folder": folder,
            "host": HOST,
            "port": self.port,
            "user": EXTENSION,
            "password": PASSWORD,
            "codecs": codecs,
            "encryption": encryption,
        }
        for name, text in {
            "asterisk.conf": _MAIN,
            "pjsip.conf": _PJSIP,
            "extensions.conf": _DIALPLAN,
            "modules.conf": _MODULES,
        }.items():
            (folder / name).write_text(text.format(**values))
        command = [program, "-f", "-C", str(folder / "asterisk.conf")]
        super().__init__(command, folder, "asterisk")

    async def _ready(self) -> None:
        await self._bound(self.port)

    async def command(self, text: str) -> str:
        """What its console answers."""
        process = await asyncio.create_subprocess_exec(
            *self._control, text, stdout=asyncio.subprocess.PIPE
        )
        output, _ = await process.communicate()
        return output.decode(errors="replace")

    async def registered(self, within: float = PATIENCE) -> None:
        """Wait until somebody is its extension."""
        deadline = asyncio.get_running_loop().time() + within
        while f"{EXTENSION}/sip:" not in await self.command("pjsip show contacts"):
            assert asyncio.get_running_loop().time() < deadline, "nobody registered"
            await asyncio.sleep(0.1)

    async def dial(self) -> None:
        """Call the extension."""
        await self.command(f"channel originate PJSIP/{EXTENSION} extension talk@peers")

    async def recorded(self, within: float = PATIENCE) -> bytes:
        """What it heard, as a WAV file, once the call is over."""
        await until(
            lambda: self.recording.is_file() and self.recording.stat().st_size > 44,
            "a recording",
            within,
        )
        deadline = asyncio.get_running_loop().time() + within
        while "0 active calls" not in await self.command("core show channels"):
            assert asyncio.get_running_loop().time() < deadline, "the call goes on"
            await asyncio.sleep(0.1)
        return self.recording.read_bytes()
