"""Debian's baresip as a softphone, driven over its control socket."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from edge.media.frames import Samples
from tests.peers.audio import loud_frames, read_wav, silence, strength, write_wav
from tests.peers.certificates import Certificates
from tests.peers.program import HOST, PATIENCE, Program, free_ports, installed, until

Event = dict[str, Any]

_CONFIG = """\
poll_method epoll
sip_listen {listen}
{tls}
net_interface {host}
call_local_timeout 60
call_max_calls 8
audio_buffer 20-160
audio_source aufile,{source}
audio_player aubridge,sink
audio_alert aubridge,alert
ausrc_srate 16000
ausrc_channels 1
ausrc_format s16
auplay_format s16
auenc_format s16
audec_format s16
rtp_ports {first_rtp}-{last_rtp}
rtcp_mux no
jitter_buffer_delay 1-5
dns_server 127.0.0.1:9
module_path /usr/lib/baresip/modules
{codecs}
module aufile.so
module aubridge.so
module sndfile.so
module srtp.so
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
module_app debug_cmd.so
ctrl_tcp_listen 127.0.0.1:{control}
snd_path {heard}
ringback_disabled yes
statmode_default off
redial_attempts 0
"""


@dataclass(frozen=True, slots=True)
class Account:
    """Who a baresip is.

    ``registrar`` is ``host:port`` to register at, for ``expires`` seconds, as ``user`` with
    ``password``; without one it waits for calls. ``proxy`` is a SIP URI that all its requests go
    through. ``codecs`` are in order of preference, in baresip's notation.
    """

    user: str = "phone"
    registrar: str | None = None
    password: str = ""
    expires: int = 60
    proxy: str | None = None
    transport: str = "udp"
    encryption: str | None = None
    answers: bool = False
    codecs: Sequence[str] = ("PCMU/8000/1", "PCMA/8000/1")

    def line(self, own: str) -> str:
        """As in baresip's accounts file; ``own`` is its address when it does not register."""
        domain = self.registrar or own
        parts = [f"<sip:{self.user}@{domain};transport={self.transport}>"]
        parts.append(f"regint={self.expires if self.registrar else 0}")
        parts.append(f"auth_user={self.user};auth_pass={self.password}")
        parts.append(f"answermode={'auto' if self.answers else 'manual'}")
        parts.append(f"audio_codecs={','.join(self.codecs)}")
        parts += [f"mediaenc={self.encryption}"] if self.encryption else []
        parts += [f'outbound="{self.proxy}"'] if self.proxy else []
        return ";".join(parts)


@dataclass(slots=True)
class _Control:
    writer: asyncio.StreamWriter
    reading: asyncio.Task[None]
    answers: dict[str, asyncio.Future[Event]] = field(default_factory=dict)


class Baresip(Program):
    """UDP and TCP on ``port``, TLS on the one after it when there are ``certificates``.

    It speaks the WAV file ``says`` (mono, 16 kHz) once it has a call, then silence; what it hears
    is in :meth:`heard`.
    """

    def __init__(
        self,
        folder: Path,
        account: Account | None = None,
        *,
        says: Samples | None = None,
        certificates: Certificates | None = None,
        host: str = HOST,
    ) -> None:
        self.account = account or Account()
        self.events: list[Event] = []
        self._listen = f"[{host}]" if ":" in host else host
        self.port = free_ports(4, host)
        self._control_port = self.port + 2
        self._control: _Control | None = None
        self._tokens = count()
        self._heard_out = 0
        self._heard = folder / "heard"
        self._heard.mkdir(parents=True, exist_ok=True)
        self._source = folder / "says.wav"
        self.say_first(silence(0.0) if says is None else says)
        self._configure(folder, host, certificates)
        super().__init__([installed("baresip", "baresip-core"), "-f", folder], folder, "baresip")

    def _configure(self, folder: Path, host: str, certificates: Certificates | None) -> None:
        modules = dict.fromkeys(
            _MODULES[codec.split("/")[0].lower()] for codec in self.account.codecs
        )
        rtp = free_ports(24)
        tls = ""
        if certificates is not None:
            tls = f"sip_certificate {certificates.bundle}\nsip_cafile {certificates.authority}"
        config = _CONFIG.format(
            listen=f"{self._listen}:{self.port}",
            tls=tls,
            host=host,
            source=self._source,
            first_rtp=rtp,
            last_rtp=rtp + 23,
            codecs="\n".join(f"module {module}.so" for module in modules),
            control=self._control_port,
            heard=self._heard,
        )
        (folder / "config").write_text(config)
        # The account comes over the control socket, so that no event of it is missed.
        (folder / "accounts").write_text("")
        (folder / "contacts").write_text("")

    @property
    def _sip_port(self) -> int:
        return self.port + 1 if self.account.transport == "tls" else self.port

    @property
    def uri(self) -> str:
        """Where it can be called."""
        transport = self.account.transport
        return f"sip:{self.account.user}@{self._listen}:{self._sip_port};transport={transport}"

    def say_first(self, samples: Samples) -> None:
        """What the next call hears from its beginning; baresip would end it with the file."""
        write_wav(self._source, _lasting(samples))

    async def _ready(self) -> None:
        await self._bound(self._control_port)
        reader, writer = await asyncio.open_connection(HOST, self._control_port)
        self._control = _Control(writer, asyncio.create_task(self._read(reader)))
        await self.command("uanew", self.account.line(f"{self._listen}:{self._sip_port}"))

    async def _stop(self) -> None:
        control, self._control = self._control, None
        if control is not None:
            control.reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await control.reading
            control.writer.close()
            with contextlib.suppress(OSError):
                await control.writer.wait_closed()
        await super()._stop()

    async def _read(self, reader: asyncio.StreamReader) -> None:
        while head := await reader.readuntil(b":"):
            message = json.loads(await reader.readexactly(int(head[:-1])))
            await reader.readexactly(1)
            if message.get("event"):
                self.events.append(message)
            elif self._control and (answer := self._control.answers.pop(message["token"], None)):
                answer.set_result(message)

    async def command(self, name: str, parameters: str = "") -> str:
        """One command of its menu; what it said. Fails when it did not take it."""
        assert self._control is not None, "not started"
        token = str(next(self._tokens))
        answer = asyncio.get_running_loop().create_future()
        self._control.answers[token] = answer
        order = json.dumps({"command": name, "params": parameters, "token": token}).encode()
        self._control.writer.write(b"%d:%s," % (len(order), order))
        async with asyncio.timeout(PATIENCE):
            said: Event = await answer
        assert said["ok"], f"baresip does not {name}: {said['data']}"
        return str(said["data"])

    def happened(self, kind: str) -> list[Event]:
        """The events of a kind so far."""
        return [event for event in self.events if event["type"] == kind]

    async def event(self, kind: str, times: int = 1, within: float = PATIENCE) -> Event:
        """Wait for the event to have come so often; the last of these."""
        await until(
            lambda: len(self.happened(kind)) >= times,
            f"{kind} of baresip, which had {[event['type'] for event in self.events]}",
            within,
        )
        return self.happened(kind)[times - 1]

    async def dial(self, uri: str) -> None:
        """Call; ``CALL_ESTABLISHED`` or ``CALL_CLOSED`` follow."""
        await self.command("dial", uri)

    async def answer(self) -> None:
        """Take the call that rings."""
        await self.command("accept")

    async def hang_up(self) -> None:
        """BYE, CANCEL or a refusal, as the call stands."""
        await self.command("hangup")

    async def hold(self) -> None:
        """Offer the call sendonly."""
        await self.command("hold")

    async def resume(self) -> None:
        """Offer the call sendrecv."""
        await self.command("resume")

    async def press(self, keys: str) -> None:
        """Send telephone events (RFC 4733)."""
        await self.command("sndcode", keys)

    async def transfer(self, uri: str) -> None:
        """REFER the far end to another."""
        await self.command("transfer", uri)

    async def say(self, samples: Samples) -> None:
        """Speak now, in the current call, then be silent."""
        path = write_wav(
            self._source.with_name(f"says-{next(self._tokens)}.wav"), _lasting(samples)
        )
        await self.command("ausrc", f"aufile,{path}")

    async def received(self) -> int:
        """Packets of sound that its call has had so far."""
        said = await self.command("audio_debug")
        return sum(int(count) for count in re.findall(r"rcvd=(\d+)", said))

    async def receives_no_more(self, seconds: float = 0.5) -> None:
        """Wait until no packet of sound has come for so long."""
        async with asyncio.timeout(PATIENCE):
            before = -1
            while (had := await self.received()) != before:
                before = had
                await asyncio.sleep(seconds)  # what is not to come cannot be waited for

    async def receives(self, packets: int, within: float = PATIENCE) -> None:
        """Wait until there have been so many."""
        deadline = asyncio.get_running_loop().time() + within
        while (had := await self.received()) < packets:
            assert asyncio.get_running_loop().time() < deadline, f"not within {within} s: {had}"
            await asyncio.sleep(0.05)

    def heard(self) -> tuple[Samples, int]:
        """What its last call has heard so far, and the rate in Hz. Wholly there once it is over.

        baresip 1.0 forgets to record when it has held its call: see :meth:`received` for that.
        """
        recordings = sorted(self._heard.glob("dump-*-dec.wav"))
        return read_wav(recordings[-1]) if recordings else (silence(0.0), 16_000)

    async def hears(self, seconds: float, hertz: float | None = None) -> None:
        """Wait for its call to have heard so much, and at the end of that a tone."""

        def enough() -> bool:
            samples, rate = self.heard()
            last = samples[-round(seconds * rate) :]
            full = len(last) >= round(seconds * rate)
            return full and (hertz is None or strength(last, rate, hertz) > 0.5)

        await until(enough, f"{seconds} s of sound")

    async def hears_out(self, least: float = 0.2, within: float = PATIENCE) -> float:
        """Wait for the far end to say something new of ``least`` seconds and then to fall silent;
        for how long it was to be heard, seconds. Counts from where this ended last, in one call."""

        def finished() -> bool:
            new = loud_frames(*self.heard())[self._heard_out :]
            return sum(new) >= least * 50 and not any(new[-_PAUSE:])

        await until(finished, f"{least} s of words and then silence", within)
        frames = loud_frames(*self.heard())
        said = sum(frames[self._heard_out :]) / 50
        self._heard_out = len(frames)
        return said

    @property
    def keys(self) -> str:
        """The keys that the far end pressed."""
        return "".join(event["param"] for event in self.happened("CALL_DTMF_START"))


_PAUSE = 75
"""Frames of 20 ms without sound after which somebody has finished: on a busy machine, a
sentence may come some time after the one before."""

_MODULES = {"pcmu": "g711", "pcma": "g711", "g722": "g722", "opus": "opus"}


def _lasting(samples: Samples) -> Samples:
    """With a minute of silence after it, which is longer than any test."""
    return np.concatenate((samples, silence(60.0)))
