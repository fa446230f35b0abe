"""``inland bench``: capacity and latency of this machine, honestly."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

HELP = "measure what a call costs on this machine and how long an answer takes"

EPILOG = """\
examples:
  inland bench media --calls 50       CPU of the media path, beside stock aiortc in the same run
  inland bench sip --calls 100        CPU of phone calls, and where it goes
  inland bench turn --turns 40        from the last audible caller frame to the first of the agent
  inland bench hearing --recordings F how often recorded people are understood, also by telephone
  inland bench store --config FILE    how long the session store takes for a turn
  inland bench recording --calls 10   what recording adds to the CPU of a call

Everything runs on loopback and stops by itself; progress goes to standard error. Machines are
noisy: read the ratios first. docs/benchmarks.md says how each figure is measured.

exit status: 0 it was measured (also when a target was missed), 1 it could not be measured,
2 the command is wrong."""


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.epilog = EPILOG
    benches = parser.add_subparsers(metavar="BENCH", required=True)
    media = benches.add_parser("media", help="CPU and memory of a call, gaps between packets")
    media.add_argument(
        "--calls", type=_whole(1, 400), default=50, help="calls at once (default: 50)"
    )
    media.add_argument(
        "--seconds", type=_seconds, default=20.0, help="measured time of each part (default: 20)"
    )
    media.add_argument(
        "--skip",
        action="append",
        default=[],
        choices=["stock", "whole"],
        help="leave a part out (repeatable)",
    )
    media.add_argument("--json", action="store_true", help="print one JSON object")
    media.set_defaults(bench="media")
    turn = benches.add_parser("turn", help="time from the caller's last word to the agent's first")
    turn.add_argument(
        "--turns", type=_whole(1, 10_000), default=40, help="answers to measure (default: 40)"
    )
    turn.add_argument("--calls", type=_whole(1, 50), default=1, help="callers at once (default: 1)")
    turn.add_argument(
        "--recognizer",
        choices=["pocketsphinx", "sherpa"],
        default="pocketsphinx",
        help="what the node hears with (default: pocketsphinx, the embedded one)",
    )
    turn.add_argument(
        "--voice",
        choices=["espeak", "piper"],
        default="espeak",
        help="what it speaks with (default: espeak, the embedded one)",
    )
    turn.add_argument("--json", action="store_true", help="print one JSON object")
    turn.set_defaults(bench="turn")
    sip = benches.add_parser("sip", help="CPU and memory of a phone call, stage by stage")
    sip.add_argument(
        "--calls", type=_whole(1, 400), default=100, help="calls at once (default: 100)"
    )
    sip.add_argument("--seconds", type=_seconds, default=20.0, help="measured time (default: 20)")
    sip.add_argument("--srtp", action="store_true", help="encrypted (AES_CM_128_HMAC_SHA1_80)")
    sip.add_argument(
        "--codec",
        choices=["pcmu", "pcma", "g722", "opus"],
        default="pcmu",
        help="what the calls speak (default: pcmu)",
    )
    sip.add_argument("--json", action="store_true", help="print one JSON object")
    sip.set_defaults(bench="sip")
    hearing = benches.add_parser(
        "hearing", help="how well recorded people are heard, also by phone"
    )
    hearing.add_argument(
        "--recordings",
        type=Path,
        required=True,
        metavar="FOLDER",
        help="WAV files of 8 or 16 kHz, and manifest.json: a list of {path, transcript}",
    )
    hearing.add_argument("--json", action="store_true", help="print one JSON object")
    hearing.set_defaults(bench="hearing")
    store = benches.add_parser("store", help="time that the session store takes for a turn")
    store.add_argument(
        "--config", type=Path, help="a node's settings, whose store is measured (default: a file)"
    )
    store.add_argument(
        "--sessions", type=_whole(1, 1_000), default=50, help="sessions at once (default: 50)"
    )
    store.add_argument(
        "--turns", type=_whole(1, 1_000), default=50, help="turns of each (default: 50)"
    )
    store.add_argument("--json", action="store_true", help="print one JSON object")
    store.set_defaults(bench="store")
    recording = benches.add_parser("recording", help="what recording adds to a call")
    recording.add_argument(
        "--calls", type=_whole(1, 50), default=10, help="conversations at once (default: 10)"
    )
    recording.add_argument(
        "--seconds", type=_seconds, default=20.0, help="measured time of each part (default: 20)"
    )
    recording.add_argument(
        "--skip-whole", action="store_true", help="only the recording's own path"
    )
    recording.add_argument("--json", action="store_true", help="print one JSON object")
    recording.set_defaults(bench="recording")


def run(arguments: argparse.Namespace) -> int:
    """Run one bench."""
    try:
        if arguments.bench == "media":
            from inland.bench.media import run_media

            return run_media(arguments)
        if arguments.bench == "sip":
            from inland.bench.sip import run_sip

            return run_sip(arguments)
        if arguments.bench == "hearing":
            from inland.bench.hearing import run_hearing

            return run_hearing(arguments)
        if arguments.bench == "store":
            from inland.bench.store import run_store

            return run_store(arguments)
        if arguments.bench == "recording":
            from inland.bench.recording import run_recording

            return run_recording(arguments)
        from inland.bench.turn import run_turn

        return run_turn(arguments)
    except ModuleNotFoundError as error:
        missing = f"inland bench: {error.name} is not installed: install the 'edge' extra"
        print(missing, file=sys.stderr)
        return 1


def _whole(least: int, most: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not least <= int(text[:9]) <= most:
            raise argparse.ArgumentTypeError(f"a whole number from {least} to {most}")
        return int(text)

    return number


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0.5 <= seconds <= 600:
        raise argparse.ArgumentTypeError("seconds from 0.5 to 600")
    return seconds
