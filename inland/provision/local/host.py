"""The host as root uses it: commands, what must be there before, what would be in the way."""

from __future__ import annotations

import ipaddress
import json
import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator

from infra.local.barrier import REFUSED, TABLE, rulesets
from infra.local.commands import (
    Command,
    build_commands,
    forward_commands,
    inside,
    remove_commands,
)
from infra.local.plan import CALLERS, HOST_LINK, LocalPlan
from inland.provision.errors import EngineFailed, GateClosed

TOOLS = {
    "ip": "iproute2",
    "nft": "nftables",
    "sysctl": "procps",
    "redis-server": "redis-server",
}
"""Programs, and the Debian packages that they are in."""
COMMAND_SECONDS = 20
_UNREACHABLE = ("ip", "-json", "route", "show", "type", "unreachable")


def run(command: Command, *, text: str = "") -> str:
    """Run one command to its end; returns what it printed. Raises ``EngineFailed``."""
    try:
        done = subprocess.run(
            command,
            input=text,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EngineFailed(f"{' '.join(command)}: {error}") from error
    if done.returncode != 0:
        raise EngineFailed(f"{' '.join(command)}: {done.stderr.strip() or done.returncode}")
    return done.stdout


def require_host() -> None:
    """Raises ``GateClosed`` where this machine cannot hold regions."""
    missing = [f"{tool} (package {package})" for tool, package in TOOLS.items() if not _has(tool)]
    if missing:
        raise GateClosed(f"--target local needs {', '.join(missing)}: install them")
    if os.geteuid() != 0:
        raise GateClosed("--target local makes network namespaces: run it as root (sudo)")


def require_room(plan: LocalPlan) -> None:
    """Raises ``GateClosed`` where something of the host is in the plan's way."""
    there = sorted({*plan.namespaces} & namespaces())
    if there:
        raise GateClosed(
            f"namespace {there[0]} is there already: end what runs with `inland regions down "
            "--target local` (and its --data). Regions of one host run together: name all of them "
            "in one `up`"
        )
    for route in json.loads(run(("ip", "-json", "route", "show"))):
        taken = route.get("dst")
        if taken in (None, "default"):
            continue
        network = ipaddress.IPv4Network(taken)
        clash = [one for one in (*plan.whole, *plan.networks) if network.overlaps(one)]
        if clash:
            by = f"{taken} by {route.get('dev', 'no device')}"
            fixed = clash[0].overlaps(CALLERS) or clash[0].overlaps(HOST_LINK)
            cure = (
                "that range is for Inland's callers: one Inland runs per host"
                if fixed
                else "write another vpcCidr into a copy of the stacks (inland regions init)"
            )
            raise GateClosed(
                f"this machine routes {by} already, where {clash[0]} should be: {cure}"
            )


def build(plan: LocalPlan) -> None:
    """Make namespaces, links and barriers; what was made is taken away again when a step fails."""
    try:
        for command in build_commands(plan):
            run(command)
        for namespace, ruleset in rulesets(plan).items():
            run(inside(namespace, "nft", "-f", "-"), text=ruleset)
        for command in forward_commands(plan):
            run(command)
    except BaseException:
        remove(plan)
        raise


def remove(plan: LocalPlan) -> list[str]:
    """Take away what is there of it; returns what could not be, in words."""
    there = namespaces()
    links = {str(one["ifname"]) for one in json.loads(run(("ip", "-json", "link", "show")))}
    routes = {str(one.get("dst")) for one in json.loads(run(_UNREACHABLE))}
    standing = {
        ("ip", "netns", "del"): there,
        ("ip", "link", "del"): links,
        ("ip", "route", "del", "unreachable"): routes,
    }
    commands = [
        command for command in remove_commands(plan) if command[-1] in standing[command[:-1]]
    ]
    return list(_attempts(commands))


def refused(plan: LocalPlan) -> dict[str, int]:
    """Namespace to the packets that no rule of its barrier allowed."""
    show = ("nft", "-json", "list", "counter", "inet", TABLE, REFUSED)
    found = {}
    for namespace in rulesets(plan):
        listed = json.loads(run(inside(namespace, *show)))["nftables"]
        found[namespace] = sum(one["counter"]["packets"] for one in listed if "counter" in one)
    return found


def namespaces() -> set[str]:
    """The named network namespaces of this host."""
    listed = json.loads(run(("ip", "-json", "netns", "list")) or "[]")
    return {str(one["name"]) for one in listed}


def _attempts(commands: Iterable[Command]) -> Iterator[str]:
    for command in commands:
        try:
            run(command)
        except EngineFailed as error:
            yield str(error)


def _has(tool: str) -> bool:
    return shutil.which(tool, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") is not None
