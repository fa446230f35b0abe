"""``inland edge``: one node of one region."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge.dialog.agent import AgentSpec
    from edge.node import Node
    from edge.settings import NodeSettings

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
    parser.add_argument(
        "--production",
        action="store_true",
        help="refuse what only a rehearsal may do, and to start where no barrier is",
    )
    parser.add_argument(
        "--egress-rules",
        choices=("nft",),
        help="only print the barrier around such a node, for nftables (nft -f)",
    )
    parser.add_argument(
        "--egress-user",
        type=_user,
        help="with --egress-rules: hold back this user's programs, no others",
    )


def _user(text: str) -> str:
    from edge.egress.nft import user_name

    try:
        return user_name(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def run(arguments: argparse.Namespace) -> int:
    """Serve until stopped."""
    import asyncio

    from edge.egress.probe import addresses_of
    from edge.groups import first_error
    from edge.logs import configure_logging
    from edge.node import Node, NodeError
    from edge.process import keep_private, open_many_files
    from edge.session.errors import SessionError
    from edge.settings import SecretError
    from regions.strict_yaml import ConfigError

    try:
        settings, agents = _read(arguments)
    except _Wrong as error:
        print("".join(f"inland edge: {line}\n" for line in error.lines), end="", file=sys.stderr)
        return 2
    if arguments.egress_rules is not None:
        return _print_rules(arguments, settings, agents)
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
        asyncio.run(
            _serve(
                Node(
                    settings,
                    languages=languages,
                    on_ready=announce,
                    forbidden=addresses_of(settings.egress_probe, production=arguments.production),
                )
            )
        )
    except* (NodeError, SecretError, SessionError, ConfigError) as errors:
        print(f"inland edge: {first_error(errors)}", file=sys.stderr)
        failed = True
    else:
        failed = False
    return 2 if failed else 0


class _Wrong(Exception):
    """The node cannot be started as it was asked to; a line for each reason."""

    def __init__(self, *lines: str) -> None:
        super().__init__()
        self.lines = lines


def _read(arguments: argparse.Namespace) -> tuple[NodeSettings, dict[str, AgentSpec]]:
    """The settings and the agents, once nothing is wrong with them. Raises :class:`_Wrong`."""
    from pydantic import ValidationError

    from edge.dialog.agent import load_agents
    from edge.dialog.build import check_agent
    from edge.settings import NodeSettings, load_settings
    from regions.strict_yaml import ConfigError

    try:
        settings = load_settings(arguments.config)
        given = {name: getattr(arguments, name) for name in ("host", "port", "workers")}
        changes = {name: value for name, value in given.items() if value is not None}
        settings = NodeSettings.model_validate(settings.model_dump() | changes)
        agents = load_agents(settings.agents)
        for spec in agents.values():
            check_agent(spec, os.environ)
        wrong = _problems(settings, agents, production=arguments.production)
    except ConfigError as error:
        raise _Wrong(str(error)) from error
    except ValidationError as error:
        raise _Wrong(
            *(
                "".join(f"--{part}: " for part in problem["loc"]) + problem["msg"]
                for problem in error.errors()
            )
        ) from error
    if wrong:
        raise _Wrong(*(f"{arguments.config}: {line}" for line in wrong))
    return settings, agents


def _problems(
    settings: NodeSettings, agents: Mapping[str, AgentSpec], *, production: bool
) -> tuple[str, ...]:
    """What of the settings does not fit the law, the agents or this machine."""
    from datetime import UTC, datetime

    from edge.check import node_problems
    from edge.phone.check import phone_problems
    from edge.production import production_problems
    from edge.provider_check import provider_problems
    from edge.recording_check import recording_problems
    from regions.catalogue import load_catalogue
    from regions.providers import load_providers

    catalogue = load_catalogue(settings.catalogue)
    wrong = node_problems(settings, datetime.now(UTC))
    wrong += provider_problems(
        agents.values(),
        load_providers(settings.providers),
        catalogue,
        settings.region,
        os.environ,
    )
    wrong += recording_problems(settings, agents.values())
    if settings.sip is not None:
        wrong += phone_problems(settings.sip, catalogue, agents)
    if production:
        wrong += production_problems(settings)
    return wrong


def _print_rules(
    arguments: argparse.Namespace, settings: NodeSettings, agents: Mapping[str, AgentSpec]
) -> int:
    """Print the barrier of a node with these settings."""
    import asyncio
    from datetime import UTC, datetime

    from edge.egress.nft import ruleset
    from edge.egress.resolve import Unresolved, resolved
    from edge.egress.ways import NoFixedPort, ways_of

    try:
        ways = ways_of(settings, agents.values(), os.environ)
        found = asyncio.run(resolved(ways))
    except (NoFixedPort, Unresolved) as error:
        print(f"inland edge: {error}", file=sys.stderr)
        return 2
    print(ruleset(found, user=arguments.egress_user, at=datetime.now(UTC)), end="")
    return 0


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
