"""``inland bench``: capacity and latency of this machine, honestly."""

from __future__ import annotations

import argparse

HELP = "measure what a call costs on this machine and how long an answer takes"

EPILOG = """\
examples:
  inland bench media --calls 50       CPU of the media path, beside stock aiortc in the same run
  inland bench turn --turns 40        from the last audible caller frame to the first of the agent

Everything runs on loopback and stops by itself. Machines are noisy: read the ratios first."""


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.epilog = EPILOG
    benches = parser.add_subparsers(metavar="BENCH", required=True)
    media = benches.add_parser("media", help="CPU and memory of a call, gaps between packets")
    media.add_argument("--calls", type=int, default=50, help="calls at once (default: 50)")
    media.add_argument("--seconds", type=float, default=20.0, help="measured time (default: 20)")
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
    turn.add_argument("--turns", type=int, default=40, help="answers to measure (default: 40)")
    turn.add_argument("--calls", type=int, default=1, help="callers at once (default: 1)")
    turn.add_argument("--json", action="store_true", help="print one JSON object")
    turn.set_defaults(bench="turn")


def run(arguments: argparse.Namespace) -> int:
    """Run one bench."""
    if arguments.bench == "media":
        from inland.bench.media import run_media

        return run_media(arguments)
    from inland.bench.turn import run_turn

    return run_turn(arguments)
