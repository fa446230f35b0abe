"""A telephone without manners: SIP over sockets of its own, which may end a call in any way."""

from __future__ import annotations

import asyncio
import secrets
import socket
import struct
from typing import Literal, Self

from edge.transport.rtp import packet as rtp
from edge.transport.sip.core.respond import make_response
from edge.transport.sip.wire.framing import PING, PONG, StreamFramer
from edge.transport.sip.wire.headers import Headers
from edge.transport.sip.wire.message import Request, Response, parse_message
from tests.system.world import HANG_SECONDS

HOST = "127.0.0.1"
FRAME = bytes([0xFF]) * 160
"""20 ms of silence as mu-law."""
_CUT = struct.pack("ii", 1, 0)
"""SO_LINGER: closing resets the connection."""


class RawCall:
    """One call to ``user`` of the node at ``port``, from sockets of its own.

    Nothing is sent again and nothing is remembered once it is closed. Requests of the node are
    answered as long as it is open.
    """

    def __init__(self, port: int, user: str, transport: Literal["udp", "tcp"] = "udp") -> None:
        self.media = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
        self.signalling = socket.socket(socket.AF_INET, kind)
        self.moved = asyncio.Event()
        """Set when the node offered other media."""
        self.ended = asyncio.Event()
        """Set when the node hung up."""
        self._transport = transport
        self._port = port
        self._uri = f"sip:{user}@{HOST}:{port}"
        self._responses: asyncio.Queue[Response] = asyncio.Queue()
        self._framer = StreamFramer()
        self._answer: Response | None = None
        self._there: tuple[str, int] | None = None
        self._call_id = secrets.token_hex(12)
        self._tag = secrets.token_hex(6)
        self._branch = ""
        self._cseq = 0
        self._sequence = 0
        self._open = False

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        for one in (self.media, self.signalling):
            one.setblocking(False)
            one.bind((HOST, 0))
        await loop.sock_connect(self.signalling, (HOST, self._port))
        loop.add_reader(self.signalling, self._read)
        self._open = True
        return self

    async def __aexit__(self, *_: object) -> None:
        self.vanish()

    # --- what a telephone does -----------------------------------------------------------------

    async def call(self) -> int:
        """INVITE; the final answer's status. An error is acknowledged, a 200 is not."""
        self.invite()
        return await self.answered()

    def invite(self) -> None:
        """INVITE, and wait for nothing."""
        self._cseq = 1
        self._branch = f"z9hG4bK{secrets.token_hex(8)}"
        self._send("INVITE", body=self._description())

    async def answered(self) -> int:
        """The final answer to the INVITE."""
        response = await self._final("INVITE")
        self._answer = response
        if response.status >= 300:
            self._send("ACK")
        else:
            self._take(response.body)
        return response.status

    def acknowledge(self) -> None:
        """ACK of the 200."""
        self._branch = f"z9hG4bK{secrets.token_hex(8)}"
        self._send("ACK")

    def cancel(self) -> None:
        """CANCEL of the INVITE."""
        self._send("CANCEL")

    def speak(self, packets: int) -> None:
        """Send RTP."""
        assert self._there is not None
        for _ in range(packets):
            self._sequence += 1
            data = rtp.pack(0, self._sequence, self._sequence * 160, 1, FRAME, marker=False)
            self.media.sendto(data, self._there)

    async def heard(self) -> None:
        """Returns when a packet of the node's came."""
        async with asyncio.timeout(HANG_SECONDS):
            await asyncio.get_running_loop().sock_recv(self.media, 2048)

    async def hang_up(self) -> int:
        """BYE; its status."""
        self._cseq += 1
        self._branch = f"z9hG4bK{secrets.token_hex(8)}"
        self._send("BYE")
        return (await self._final("BYE")).status

    def vanish(self) -> None:
        """Close everything without a word; a connection is reset. Idempotent."""
        if self._open:
            self._open = False
            asyncio.get_running_loop().remove_reader(self.signalling)
            if self._transport == "tcp":
                self.signalling.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _CUT)
            self.signalling.close()
            self.media.close()

    # --- inside --------------------------------------------------------------------------------

    def _send(self, method: str, body: bytes = b"") -> None:
        answer = self._answer
        in_dialog = answer is not None and answer.status < 300
        to = f"<{self._uri}>"
        target = self._uri
        if answer is not None and method != "CANCEL":
            to = answer.headers.get("to") or to
        if in_dialog and answer is not None and answer.contact is not None:
            target = answer.contact.uri
        host, port = self.signalling.getsockname()
        headers = Headers(
            [
                (
                    "via",
                    f"SIP/2.0/{self._transport.upper()} {host}:{port};branch={self._branch};rport",
                ),
                ("max-forwards", "70"),
                ("from", f"<sip:raw@{host}>;tag={self._tag}"),
                ("to", to),
                ("call-id", self._call_id),
                ("cseq", f"{self._cseq} {method}"),
                ("contact", self._contact()),
            ]
        )
        if body:
            headers.add("content-type", "application/sdp")
        self._write(Request(method, target, headers=headers, body=body).encode())

    def _write(self, data: bytes) -> None:
        if self._open:
            self.signalling.send(data)

    def _contact(self) -> str:
        host, port = self.signalling.getsockname()
        return f"<sip:raw@{host}:{port};transport={self._transport}>"

    def _description(self, version: int = 1) -> bytes:
        port = self.media.getsockname()[1]
        return (
            f"v=0\r\no=- 1 {version} IN IP4 {HOST}\r\ns=-\r\nc=IN IP4 {HOST}\r\nt=0 0\r\n"
            f"m=audio {port} RTP/AVP 0\r\na=rtcp-mux\r\n"
        ).encode()

    def _take(self, description: bytes) -> None:
        """Where the node wants media."""
        for line in description.decode().splitlines():
            if line.startswith("m=audio "):
                self._there = (HOST, int(line.split()[1]))

    async def _final(self, method: str) -> Response:
        async with asyncio.timeout(HANG_SECONDS):
            while True:
                response = await self._responses.get()
                if response.cseq.method == method and response.status >= 200:
                    return response

    def _read(self) -> None:
        try:
            data = self.signalling.recv(65_535)
        except OSError:
            return
        if self._transport == "udp":
            self._received(data)
            return
        for frame in self._framer.feed(data):
            if frame not in (PING, PONG):
                self._received(frame)

    def _received(self, data: bytes) -> None:
        message = parse_message(data)
        if message.call_id != self._call_id:
            # For a call before, whose port this one was given.
            if isinstance(message, Request) and message.method != "ACK":
                self._write(make_response(message, 481).encode())
        elif isinstance(message, Response):
            self._responses.put_nowait(message)
        elif message.method == "INVITE":
            self._take(message.body)
            headers = [("contact", self._contact())]
            self._write(
                make_response(
                    message,
                    200,
                    headers=headers,
                    body=self._description(2),
                    content_type="application/sdp",
                ).encode()
            )
            self.moved.set()
        elif message.method != "ACK":
            self._write(make_response(message, 200).encode())
            if message.method == "BYE":
                self.ended.set()
