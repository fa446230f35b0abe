"""``inland edge``: one node of one region."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge.node import Node

HELP = "run an edge node: take calls for one region"

EPILOG = """\
example:
  INLAND_NODE_SECRET=… inland edge --config /etc/inland/edge.yaml

The file's keys are described in docs/edge.md. SIGTERM or Ctrl-C drains: no new calls, live ones
have 'drain_seconds' to end, the rest are told to reconnect elsewhere."""


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.epilog = EPILOG
    parser.add_argument("--config", type=Path, required=True, help="the node's settings (YAML)")
    parser.add_argument("--host", help="address of the signalling (default: from the file)")
    parser.add_argument("--port", type=int, help="port of the signalling (default: from the file)")
    parser.add_argument("--workers", type=int, help="processes that hold calls, about one per core")
    parser.add_argument("--check", action="store_true", help="only check the settings and agents")


def run(arguments: argparse.Namespace) -> int:
    """Serve until stopped."""
    import asyncio
    from datetime import UTC, datetime

    from pydantic import ValidationError

    from edge.check import node_problems
    from edge.dialog.agent import load_agents
    from edge.dialog.build import check_agent
    from edge.groups import first_error
    from edge.logs import configure_logging
    from edge.node import Node, NodeError
    from edge.phone.check import phone_problems
    from edge.process import keep_private, open_many_files
    from edge.session.errors import SessionError
    from edge.settings import NodeSettings, SecretError, load_settings
    from regions.catalogue import load_catalogue
    from regions.strict_yaml import ConfigError

    try:
        settings = load_settings(arguments.config)
        given = {name: getattr(arguments, name) for name in ("host", "port", "workers")}
        changes = {name: value for name, value in given.items() if value is not None}
        settings = NodeSettings.model_validate(settings.model_dump() | changes)
        agents = load_agents(settings.agents)
        for spec in agents.values():
            check_agent(spec, os.environ)
        catalogue = load_catalogue(settings.catalogue)
    except ConfigError as error:
        print(f"inland edge: {error}", file=sys.stderr)
        return 2
    except ValidationError as error:
        for problem in error.errors():
            where = "".join(f"--{part}: " for part in problem["loc"])
            print(f"inland edge: {where}{problem['msg']}", file=sys.stderr)
        return 2
    wrong = node_problems(settings, datetime.now(UTC))
    if settings.sip is not None:
        wrong += phone_problems(settings.sip, catalogue, agents)
    for line in wrong:
        print(f"inland edge: {arguments.config}: {line}", file=sys.stderr)
    if wrong:
        return 2
    if arguments.check:
        if settings.secret_file is not None and not os.access(settings.secret_file, os.R_OK):
            where = f"secret_file: {settings.secret_file}"
            print(f"inland edge: {where} is not there, or may not be read", file=sys.stderr)
            return 2
        print(f"{arguments.config}: fine; {settings.region}, agents: {', '.join(sorted(agents))}")
        return 0
    keep_private()
    open_many_files()
    configure_logging(settings.log_level, node=settings.node)

    def announce() -> None:
        print(f"inland edge: {settings.node} takes calls for {settings.region} at {settings.url}")
        sys.stdout.flush()

    languages = tuple(sorted({spec.language for spec in agents.values()}))
    try:
        asyncio.run(_serve(Node(settings, languages=languages, on_ready=announce)))
    except* (NodeError, SecretError, SessionError, ConfigError) as errors:
        print(f"inland edge: {first_error(errors)}", file=sys.stderr)
        failed = True
    else:
        failed = False
    return 2 if failed else 0


async def _serve(node: Node) -> None:
    import asyncio
    import signal

    from edge.logs import log_loop_errors

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    log_loop_errors(loop)
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    await node.serve(stop)
