"""``inland control-plane``: decides where callers go."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from control_plane.server import Serving
    from control_plane.settings import Settings

HELP = "Run a control plane: it places callers in regions that may hold their data."


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.epilog = (
        "Every setting can also come from the environment, as INLAND_CONTROL_<SETTING>.\n"
        "exit status: 0 stopped when asked, 2 a setting or a file is wrong, or the port is taken"
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings (YAML)")
    parser.add_argument("--host", help="address to listen on (default 127.0.0.1)")
    parser.add_argument("--port", type=int, help="port to listen on (default 7000; 0: any)")


def run(arguments: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM."""
    import asyncio
    import os

    from control_plane.errors import StartupError
    from control_plane.settings import read_settings
    from regions.errors import ConfigError

    try:
        settings = read_settings(
            arguments.config,
            os.environ,
            {"host": arguments.host, "port": arguments.port},
        )
        asyncio.run(_serve(settings))
    except (ConfigError, StartupError) as error:
        print(f"inland control-plane: {error}", file=sys.stderr)
        return 2
    return 0


async def _serve(settings: Settings) -> None:
    import asyncio
    import signal

    from control_plane.server import serve

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await serve(settings, stop, on_ready=_say)


def _say(serving: Serving) -> None:
    print(
        f"inland control-plane ready on {serving.url} "
        f"(policy {serving.policy}, {serving.tenants} tenants)",
        flush=True,
    )
