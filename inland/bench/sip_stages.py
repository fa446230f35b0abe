"""Which stage of a phone call the server is in: a sampler that interrupts it at random times.

A sample is put down to the innermost function that belongs to a stage; what that function calls,
in C or in helpers that belong to no stage, counts as its own. Times between samples are
exponential, so that the rhythm of the ticker cannot hide a stage; samples in which the process
slept in the event loop count for nothing.
"""

from __future__ import annotations

import random
import signal
from collections import Counter
from types import CodeType, FrameType
from typing import NamedTuple

MEAN_SECONDS = 0.002
"""Between two samples."""
_SOONEST = 0.0002


class Rule(NamedTuple):
    """Functions of files that end in ``file``, or lie in it, whose name starts with ``name``."""

    file: str
    name: str
    stage: str


RECEIVE, ORDER, DECODE, DELIVER = (
    "receive and parse",
    "order, loss and jitter",
    "decode to 16 kHz",
    "frame delivery",
)
PLAYOUT, ENCODE, SEND, SRTP = "playout", "encode", "pack and send", "SRTP"
RTCP, POLL, TICKER, SIGNALLING = "RTCP", "poll of all sockets", "ticker, event loop", "signalling"
OTHER = "other"
SLEEPING = ""

STAGES = (
    RECEIVE,
    ORDER,
    DECODE,
    DELIVER,
    PLAYOUT,
    ENCODE,
    SEND,
    SRTP,
    RTCP,
    POLL,
    TICKER,
    SIGNALLING,
    OTHER,
)
"""In the order in which they are shown."""

RULES = (
    Rule("edge/transport/sip/media/carrier.py", "RtpCarrier.send_rtcp", RTCP),
    Rule("edge/transport/sip/media/carrier.py", "RtpCarrier._drain_reports", RTCP),
    Rule("edge/transport/sip/media/carrier.py", "RtpCarrier._report", RTCP),
    Rule("edge/transport/sip/media/carrier.py", "RtpCarrier.send_rtp", SEND),
    Rule("edge/transport/sip/media/carrier.py", "", RECEIVE),
    Rule("edge/transport/sip/media/latch.py", "", RECEIVE),
    Rule("edge/transport/sip/media/poll.py", "", POLL),
    Rule("edge/transport/sip/media/srtp.py", "", SRTP),
    Rule("edge/transport/sip/media/leg.py", "SipLeg._stream.<locals>.<lambda>", DELIVER),
    Rule("edge/transport/rtp/packet.py", "pack", SEND),
    Rule("edge/transport/rtp/packet.py", "parse", RECEIVE),
    Rule("edge/transport/rtp/packet.py", "Reception", ORDER),
    Rule("edge/transport/rtp/receiver.py", "AudioReceiver._decode", DECODE),
    Rule("edge/transport/rtp/receiver.py", "AudioReceiver._emit", DELIVER),
    Rule("edge/transport/rtp/receiver.py", "", ORDER),
    Rule("edge/transport/rtp/reports.py", "", RTCP),
    Rule("edge/transport/rtp/sender.py", "", SEND),
    Rule("edge/transport/rtp/stream.py", "MediaStream._report_received", RTCP),
    Rule("edge/transport/rtp/stream.py", "MediaStream._received", RECEIVE),
    Rule("edge/transport/rtp/stream.py", "", TICKER),
    Rule("edge/transport/sip/media/dtmf.py", "", TICKER),
    Rule("edge/media/reorder.py", "", ORDER),
    Rule("edge/media/concealment.py", "", DECODE),
    Rule("edge/media/g711.py", "G711Decoder", DECODE),
    Rule("edge/media/g711.py", "G711Encoder", ENCODE),
    Rule("edge/media/g722.py", "G722Decoder", DECODE),
    Rule("edge/media/g722.py", "G722Encoder", ENCODE),
    Rule("edge/media/opus.py", "OpusDecoder", DECODE),
    Rule("edge/media/opus.py", "OpusEncoder", ENCODE),
    Rule("edge/media/playout.py", "", PLAYOUT),
    Rule("edge/media/ticker.py", "", TICKER),
    Rule("edge/transport/sip/core/", "", SIGNALLING),
    Rule("edge/transport/sip/net/", "", SIGNALLING),
    Rule("edge/transport/sip/wire/", "", SIGNALLING),
    Rule("inland/bench/sip_server.py", "Line.heard", DELIVER),
    Rule("inland/bench/sip_server.py", "Line.speak", PLAYOUT),
    Rule("asyncio/", "", TICKER),
    Rule("selectors.py", "EpollSelector.select", SLEEPING),
)
"""The first that fits decides."""


def stage_of(code: CodeType) -> str | None:
    """The stage that a function belongs to by itself, if any."""
    path = code.co_filename
    for rule in RULES:
        here = f"/{rule.file}" in path if rule.file.endswith("/") else path.endswith(rule.file)
        if here and code.co_qualname.startswith(rule.name):
            return rule.stage
    return None


class StageSampler:
    """Counts samples between ``start`` and ``stop``; for the main thread of a process."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._known: dict[CodeType, str | None] = {}
        self._running = False

    def start(self) -> None:
        """Count from now on."""
        self._counts.clear()
        self._running = True
        signal.signal(signal.SIGALRM, self._sample)
        signal.siginterrupt(signal.SIGALRM, False)
        self._again()

    def stop(self) -> dict[str, int]:
        """Samples by stage."""
        self._running = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_IGN)
        counts = dict(self._counts)
        counts.pop(SLEEPING, None)
        return counts

    def _again(self) -> None:
        wait = max(_SOONEST, random.expovariate(1 / MEAN_SECONDS))
        signal.setitimer(signal.ITIMER_REAL, wait)

    def _sample(self, number: int, frame: FrameType | None) -> None:
        stage: str | None = None
        while frame is not None and stage is None:
            code = frame.f_code
            if code not in self._known:
                self._known[code] = stage_of(code)
            stage = self._known[code]
            # The poll of all media sockets goes through a selector, too: it does not sleep.
            if stage == SLEEPING and frame.f_back is not None:
                stage = self._poll(frame.f_back.f_code)
            frame = frame.f_back
        self._counts[OTHER if stage is None else stage] += 1
        if self._running:
            self._again()

    def _poll(self, caller: CodeType) -> str:
        return POLL if stage_of(caller) == POLL else SLEEPING
