"""What sipp says, step by step: our own scenarios, put together from messages.

sipp's built-in ones ignore Record-Route; these keep the route set (``rrs``, ``[routes]``) and send
to the remote target (``[next_url]``), so that they also stand behind a proxy.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import quoteattr

_OFFER = """\
v=0
o=sipp 5365 {version} IN IP[local_ip_type] [local_ip]
s=-
c=IN IP[media_ip_type] [media_ip]
t=0 0
m=audio {port} RTP/AVP 0 101
a=rtpmap:0 PCMU/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
a=ptime:20
a={direction}
"""

_US = "<sip:sipp@[local_ip]:[local_port]>;tag=[pid]sipp[call_number]"
_FAR = "<sip:[service]@[remote_ip]:[remote_port]>"
_CONTACT = "Contact: <sip:sipp@[local_ip]:[local_port];transport=[transport]>"
_VIA = "Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]"

RETRANSMITS_MS = 8_000
"""After so long without an answer, sipp says a thing again: far above the half second of T1, so
that what is said twice was lost or is not to be answered, however busy the machine is."""

SAME = "[last_Via:]"
"""The Via of what was answered last."""

EARLIER = "Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch-1]"
"""The Via of what was sent last."""

KEEP_PARTIES = (
    '<action><ereg regexp=".*" search_in="hdr" header="From:" assign_to="1"/>'
    '<ereg regexp=".*" search_in="hdr" header="To:" assign_to="2"/></action>'
)
"""For the INVITE that arrives: whom to name in requests of ours."""

KEEP_TRANSACTION = (
    '<action><ereg regexp=".*" search_in="hdr" header="Via:" assign_to="3"/>'
    '<ereg regexp=".*" search_in="hdr" header="CSeq:" assign_to="4"/></action>'
)
"""For the INVITE that arrives when its final response follows upon another request."""

PORT = "[media_port]"
STREAM_PORT = "[rtpstream_audio_port]"


def sdp(direction: str = "sendrecv", version: int = 1, port: str = PORT) -> str:
    """PCMU and telephone events at 101."""
    return _OFFER.format(direction=direction, version=version, port=port)


def outside(
    method: str,
    *,
    number: int = 1,
    via: str = _VIA,
    body: str = "",
    headers: Sequence[str] = (),
) -> str:
    """A request of the calling side that finds its own way: INVITE, or what goes where that went.

    A CANCEL and an ACK to a refusal belong to its transaction: ``via`` is then :data:`SAME`. A
    REGISTER is for the user who is otherwise called.
    """
    at = "[remote_ip]:[remote_port]"
    target = f"sip:{at}" if method == "REGISTER" else f"sip:[service]@{at}"
    sender = f"<sip:[service]@{at}>;tag=[pid]sipp[call_number]" if method == "REGISTER" else _US
    lines = [f"{method} {target} SIP/2.0", via, f"From: {sender}"]
    lines.append(f"To: {_FAR}" + ("[peer_tag_param]" if method == "ACK" else ""))
    lines += ["Call-ID: [call_id]", f"CSeq: {number} {method}", "Max-Forwards: 70", _CONTACT]
    return _message([*lines, *headers], body)


def inside(
    method: str, number: int, *, via: str = _VIA, body: str = "", headers: Sequence[str] = ()
) -> str:
    """A request of the calling side in its dialog: along the route set to the remote target."""
    lines = [f"{method} [next_url] SIP/2.0", via, f"From: {_US}", f"To: {_FAR}[peer_tag_param]"]
    lines += ["[routes]", "Call-ID: [call_id]", f"CSeq: {number} {method}", "Max-Forwards: 70"]
    return _message([*lines, _CONTACT, *headers], body)


def returned(method: str, number: int, *, body: str = "", headers: Sequence[str] = ()) -> str:
    """A request of the called side in its dialog; wants :data:`KEEP_PARTIES` at the INVITE."""
    lines = [f"{method} [next_url] SIP/2.0", _VIA, "From: [$2];tag=[pid]sipp[call_number]"]
    lines += ["To: [$1]", "[routes]", "Call-ID: [call_id]", f"CSeq: {number} {method}"]
    return _message([*lines, "Max-Forwards: 70", _CONTACT, *headers], body)


def response(
    status: int, reason: str, *, tag: bool = True, body: str = "", headers: Sequence[str] = ()
) -> str:
    """A response to the request that came last."""
    lines = [
        f"SIP/2.0 {status} {reason}",
        "[last_Via:]",
        "[last_From:]",
        "[last_To:]" + (";tag=[pid]sipp[call_number]" if tag else ""),
        "[last_Call-ID:]",
        "[last_CSeq:]",
        "[last_Record-Route:]",
        _CONTACT,
    ]
    return _message([*lines, *headers], body)


def later(message: str) -> str:
    """A response to the INVITE of :data:`KEEP_TRANSACTION` when that did not come last, but
    another request of the same dialog."""
    return message.replace("[last_Via:]", "Via: [$3]").replace("[last_CSeq:]", "CSeq: [$4]")


def _message(lines: Sequence[str], body: str) -> str:
    kind = ["Content-Type: application/sdp"] if body.startswith("v=0") else []
    return "\n".join([*lines, *kind, "Content-Length: [len]", "", body])


class Scenario:
    """Steps in order; each method adds one and returns the scenario."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._steps: list[str] = []

    def send(self, message: str, *, retransmits: bool = False, lost: bool = False) -> Scenario:
        """A request or a final response to an INVITE is retransmitted, other things are not.

        What is ``lost`` never leaves sipp.
        """
        marks = f' retrans="{RETRANSMITS_MS}"' if retransmits else ""
        marks += ' lost="100"' if lost else ""
        return self._add(f"<send{marks}><![CDATA[\n{message}\n]]></send>")

    def receive(
        self,
        what: int | str,
        *,
        optional: bool = False,
        routes: bool = False,
        challenge: bool = False,
        actions: str = "",
    ) -> Scenario:
        """A status or a method. ``routes`` takes the route set and the target from it,
        ``challenge`` what the next credentials answer."""
        kind = "response" if isinstance(what, int) else "request"
        marks = ' optional="true"' if optional else ""
        marks += ' rrs="true"' if routes else ""
        marks += ' auth="true"' if challenge else ""
        return self._add(f'<recv {kind}="{what}"{marks}>{actions}</recv>')

    def pause(self, seconds: float) -> Scenario:
        """Do nothing; anything that comes meanwhile fails the call."""
        return self._add(f'<pause milliseconds="{round(seconds * 1000)}"/>')

    def play(self, capture: Path) -> Scenario:
        """Play a capture of RTP beside what follows. Takes a raw socket, so root."""
        return self._run(f"play_pcap_audio={quoteattr(str(capture))}")

    def stream(self, raw: Path) -> Scenario:
        """Send raw PCMU over and over beside what follows, from :data:`STREAM_PORT`."""
        return self._run(f"rtp_stream={quoteattr(f'{raw},-1,0')}")

    def hush(self) -> Scenario:
        """End what :meth:`stream` began."""
        return self._run('rtp_stream="pause"')

    def _run(self, action: str) -> Scenario:
        return self._add(f"<nop><action><exec {action}/></action></nop>")

    def _add(self, step: str) -> Scenario:
        self._steps.append(step)
        return self

    def xml(self) -> str:
        """As sipp reads it."""
        head = '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE scenario SYSTEM "sipp.dtd">'
        steps = "\n".join(self._steps)
        # sipp refuses a scenario that sets a variable and never reads it.
        kept = ",".join(dict.fromkeys(re.findall(r'assign_to="(\d+)"', steps)))
        steps += f'\n<Reference variables="{kept}"/>' if kept else ""
        return f"{head}\n<scenario name={quoteattr(self.name)}>\n{steps}\n</scenario>\n"
