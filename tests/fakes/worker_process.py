"""A worker process that holds no calls: ``python worker_process.py MANNER``.

It takes its order, says that it is ready, and ends with status 0 when its standard input does; a
SIGTERM ends it with status 7.
"""

from __future__ import annotations

import json
import os
import signal
import sys


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def status(active: int = 0) -> None:
    say(json.dumps({"pid": os.getpid(), "media_port": 1, "active": active, "capacity": 2}))


def main(manner: str) -> int:
    signal.signal(signal.SIGTERM, lambda number, frame: os._exit(7))
    sys.stdin.readline()
    if manner == "failed":
        say(json.dumps({"failed": "no model here"}))
        return 1
    if manner == "babbling":
        say("hello")
        return 1
    status()
    if manner == "stray":
        say("a library says hello")
        say("x" * 300_000)
        status(active=1)
    if manner == "deaf":
        while True:
            signal.pause()
    sys.stdin.read()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
