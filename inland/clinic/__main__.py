"""``python -m inland.clinic``: the demo's booking service as a program, on loopback."""

from __future__ import annotations

import argparse
import datetime as dt
from pathlib import Path

from aiohttp import web

from inland.clinic.service import create_app

parser = argparse.ArgumentParser(prog="python -m inland.clinic", description=__doc__)
parser.add_argument("--port", type=int, required=True)
parser.add_argument("--database", type=Path, required=True, help="SQLite file of the bookings")
arguments = parser.parse_args()
web.run_app(
    create_app(arguments.database, dt.datetime.now),
    host="127.0.0.1",
    port=arguments.port,
    print=lambda _: None,
)
