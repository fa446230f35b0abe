"""``inland fleet``: what runs on a machine of a stack, under systemd."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from infra.cloud_init.document import NodeDocument
    from inland.fleet.places import Places

HELP = "Run on a machine of a stack: make its settings, speak for it to the cloud."

EPILOG = """\
For machines of a stack only: their systemd units run it, nobody has to type it. `inland regions up`
starts such machines.

exit status: 0 done, or stopped when asked, 2 the document, the site or a secret is wrong"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the actions."""
    parser.epilog = EPILOG
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    prepare = actions.add_parser(
        "prepare",
        help="wait until the machine is wanted, fetch its secrets and certificate, write settings",
    )
    prepare.set_defaults(action=_prepare)
    agent = actions.add_parser(
        "agent",
        help="lifecycle actions, drain, address record, scale-in protection, metrics, log lines",
    )
    agent.set_defaults(action=_agent)
    barrier = actions.add_parser(
        "barrier",
        help="let the node's services reach what they need and nothing else (nftables; as root)",
    )
    barrier.set_defaults(action=_barrier)
    for action in (prepare, agent, barrier):
        action.add_argument(
            "--document",
            type=Path,
            default=Path("/etc/inland/node.json"),
            metavar="FILE",
            help="what the machine is told (default %(default)s)",
        )
        action.add_argument(
            "--run",
            dest="run_folder",
            type=Path,
            default=Path("/run/inland"),
            metavar="DIR",
            help="where settings are written (default %(default)s)",
        )
        action.add_argument(
            "--site",
            type=Path,
            default=Path("/opt/inland/site"),
            metavar="DIR",
            help="the site bundle, unpacked (default %(default)s)",
        )
        action.add_argument(
            "--state",
            type=Path,
            default=Path("/var/lib/inland"),
            dest="state_folder",
            metavar="DIR",
            help="what outlives a restart (default %(default)s)",
        )


def run(arguments: argparse.Namespace) -> int:
    """Run ``prepare``, ``agent`` or ``barrier``."""
    import asyncio

    from edge.groups import first_error
    from edge.logs import configure_logging
    from edge.process import keep_private
    from inland.fleet.errors import Unusable
    from inland.fleet.places import Places
    from inland.fleet.prepare import read_document

    keep_private()
    try:
        document = read_document(arguments.document)
        configure_logging("info", region=document.region)
        places = Places(run=arguments.run_folder, site=arguments.site, state=arguments.state_folder)
        asyncio.run(arguments.action(document, places))
    except* Unusable as errors:
        print(f"inland fleet: {first_error(errors)}", file=sys.stderr)
        failed = True
    else:
        failed = False
    return 2 if failed else 0


async def _prepare(document: NodeDocument, places: Places) -> None:
    import os

    import aiohttp

    from inland.fleet.aws import Aws
    from inland.fleet.clock import MachineClock
    from inland.fleet.metadata import Metadata
    from inland.fleet.policy_carrier import PolicyCarrier
    from inland.fleet.prepare import Preparation
    from inland.fleet.supplies import Supplies

    clock = MachineClock()
    aws = Aws(document.region, document.endpoint)
    try:
        async with aiohttp.ClientSession(trust_env=False) as http:
            await Preparation(
                document=document,
                places=places,
                metadata=Metadata(http, document.endpoint),
                supplies=Supplies(aws, clock),
                policy=PolicyCarrier(
                    aws, clock, bucket=document.bundle.bucket, file=places.policy_bundle
                ),
                http=http,
                clock=clock,
                cpus=len(os.sched_getaffinity(0)),
            ).run()
    finally:
        aws.close()


async def _barrier(document: NodeDocument, places: Places) -> None:
    import os

    import aiohttp

    from inland.fleet.barrier import Barrier, Nft
    from inland.fleet.clock import MachineClock
    from inland.fleet.metadata import Metadata

    async with aiohttp.ClientSession(trust_env=False) as http:
        await Barrier(
            document=document,
            places=places,
            metadata=Metadata(http, document.endpoint),
            loader=Nft(),
            clock=MachineClock(),
            cpus=len(os.sched_getaffinity(0)),
        ).run()


async def _agent(document: NodeDocument, places: Places) -> None:
    import asyncio
    import signal

    from edge.logs import log_loop_errors
    from inland.fleet.agent import run_agent

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    log_loop_errors(loop)
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    await run_agent(document, places, stop)
