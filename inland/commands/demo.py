"""``inland demo``: everything on one machine, for a person with a browser."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "start a control plane, three regions, a clinic and the web demo on this machine"

EPILOG = """\
Open the printed address, say where you call from, press Call, and speak. Everything binds to
loopback; nothing is downloaded and nothing leaves this machine. Ctrl-C drains and ends it.

environment:
  INLAND_MODEL_URL    an OpenAI-compatible endpoint for the agents (default: none is needed);
                      beyond this machine it takes --providers"""


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.epilog = EPILOG
    parser.add_argument("--port", type=int, default=7080, help="the page (default: 7080)")
    parser.add_argument(
        "--control-port", type=int, default=7000, help="the control plane (default: 7000)"
    )
    parser.add_argument(
        "--edge-port",
        type=int,
        default=7101,
        help="the first region; others follow (default: 7101)",
    )
    parser.add_argument(
        "--sip-port",
        type=int,
        default=5060,
        help="phone calls to the first region, UDP and TCP; others follow (default: 5060)",
    )
    parser.add_argument(
        "--free-ports", action="store_true", help="take free ports instead; they are printed"
    )
    parser.add_argument(
        "--regions",
        default="eu-central-1,ap-south-1,me-central-1",
        help="comma-separated regions to run (default: %(default)s)",
    )
    parser.add_argument(
        "--workers", type=int, default=2, help="processes per region that hold calls (default: 2)"
    )
    parser.add_argument(
        "--data",
        type=Path,
        help="keep stores, keys and logs here (default: a folder that is removed)",
    )
    parser.add_argument(
        "--providers",
        type=Path,
        help="the services beyond this machine that calls' data may go to (default: none)",
    )
    parser.add_argument("--json", action="store_true", help="print the addresses as one JSON line")


def run(arguments: argparse.Namespace) -> int:
    """Run the demo until it is stopped."""
    import asyncio

    from inland.demo.supervisor import DemoOptions, run_demo

    options = DemoOptions(
        page_port=arguments.port,
        control_port=arguments.control_port,
        edge_port=arguments.edge_port,
        sip_port=arguments.sip_port,
        free_ports=arguments.free_ports,
        regions=tuple(name.strip() for name in arguments.regions.split(",") if name.strip()),
        workers=arguments.workers,
        data=arguments.data,
        providers=arguments.providers,
        json_output=arguments.json,
    )
    return asyncio.run(run_demo(options))
