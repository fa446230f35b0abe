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


EPILOG = """\
settings of the file; each can also come from the environment, as INLAND_CONTROL_<SETTING>:
  host                  address to listen on (127.0.0.1)
  port                  port to listen on (7000; 0: any)
  tenants               tenants, agents and keys (tenants.yaml); inland/demo has an example
  catalogue             regions and law (the one that comes with Inland; a policy brings its own)
  policy                {bundle: FILE, keys: [PUBLIC KEYS], state: FILE}: the law as the operator
                        signed it, watched and reloaded; SIGHUP reloads at once (docs/policy.md)
  key_file              signs route tokens (control-plane.key); made, 0600, when there is none
  published_keys        public keys (PEM) edges accept too: other replicas', and in a rotation
  node_secrets          region to the SHA-256 of the secret by which its nodes may beat,
                        or a list of them (a rotation, a tenant's own account)
  operator_key          SHA-256 of the key for /v1/state; when set, /metrics asks for it too
  trust_country_header  CF-IPCountry or CloudFront-Viewer-Country, if that network is in front
  trusted_proxies       how many proxies in front append to X-Forwarded-For (0)
  idle_seconds          closes connections without a complete request (20); behind a proxy that
                        reuses connections, more than the proxy's own idle time
  drain_seconds         after SIGTERM, how long /readyz says 503 while all is still served (0)
  log_level             debug, info, warning or error (info); JSON lines on standard error

exit status: 0 stopped when asked, 2 a setting or a file is wrong, or the port is taken"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.epilog = EPILOG
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings (YAML)")
    parser.add_argument("--host", help="address to listen on (default 127.0.0.1)")
    parser.add_argument("--port", type=int, help="port to listen on (default 7000; 0: any)")


def run(arguments: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM."""
    import asyncio
    import os

    from control_plane.errors import StartupError
    from control_plane.settings import read_settings
    from edge.logs import configure_logging
    from regions.errors import ConfigError

    try:
        settings = read_settings(
            arguments.config,
            os.environ,
            {"host": arguments.host, "port": arguments.port},
        )
        configure_logging(settings.log_level)
        asyncio.run(_serve(settings))
    except (ConfigError, StartupError) as error:
        print(f"inland control-plane: {error}", file=sys.stderr)
        return 2
    return 0


async def _serve(settings: Settings) -> None:
    import asyncio
    import signal

    from control_plane.server import serve

    stop, reload = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if settings.policy is not None:  # else a hangup ends the program, as it does most
        loop.add_signal_handler(signal.SIGHUP, reload.set)
    await serve(settings, stop, on_ready=_say, reload=reload)


def _say(serving: Serving) -> None:
    print(
        f"inland control-plane ready on {serving.url} "
        f"(policy {serving.policy}, {serving.tenants} tenants)",
        flush=True,
    )
