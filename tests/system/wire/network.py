"""Three regions of this host with callers inside each of them: what is where, and what is not.

``inland regions up --target local`` makes the regions: each a router with one uplink, ``up0``, its
nodes and its store behind it. A caller of a region is a namespace with two ways out: ``access``, to
the region's router, as a caller reaches the region of their own country; and ``net``, to the
backbone, as everybody reaches the control plane and any other region. So what passes an uplink is
what a region exchanges with everything that is not its own caller.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import psutil

from infra.local.barrier import rulesets
from infra.local.plan import CALLERS, GATEWAY, LocalPlan, LocalRegion
from inland.provision.local.state import Folder
from tests.system.machine.namespaces import Namespace

FIRST = 64
"""Position of the first caller's network of four addresses in the range of callers."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody in a country, at home in a region."""

    country: str
    region: str
    namespace: Namespace
    address: IPv4Address


@dataclass(frozen=True, slots=True)
class Network:
    """The regions as they stand, and their callers by country."""

    data: Path
    plan: LocalPlan
    callers: Mapping[str, Caller]

    def region(self, name: str) -> LocalRegion:
        return next(one for one in self.plan.regions if one.region == name)

    def router(self, region: str) -> Namespace:
        return Namespace(self.region(region).router)

    def node(self, region: str) -> Namespace:
        """The machine of the region's node."""
        return Namespace(self.region(region).nodes[0].link.namespace)

    def address(self, region: str) -> IPv4Address:
        """Of the region's node."""
        return self.region(region).nodes[0].address

    @property
    def control(self) -> str:
        """A replica of the control plane."""
        return self.plan.replicas[0].url

    @contextmanager
    def without_barriers(self) -> Iterator[None]:
        """Nothing is refused anywhere: only routes lead, and they lead everywhere."""
        for namespace in rulesets(self.plan):
            run(*Namespace(namespace).command("nft", "flush", "ruleset"))
        try:
            yield
        finally:
            for namespace, rules in rulesets(self.plan).items():
                run(*Namespace(namespace).command("nft", "-f", "-"), given=rules)

    @contextmanager
    def cut_off(self, region: str) -> Iterator[None]:
        """Nothing reaches the region, and it reaches nothing: from outside it is dead."""
        self.cut_uplink(region)
        access = ("ip", "-n", self.region(region).router, "link", "set", "access")
        run(*access, "down")
        try:
            yield
        finally:
            run(*access, "up")
            self._mend_uplink(region)

    def cut_uplink(self, region: str) -> None:
        """At the far end of the cable: whoever captures at the near one goes on."""
        stands = self.region(region)
        run("ip", "-n", self.plan.backbone, "link", "set", stands.uplink.gateway_name, "down")

    def _mend_uplink(self, region: str) -> None:
        """The backbone's routes went with its end."""
        stands, backbone = self.region(region), ("ip", "-n", self.plan.backbone)
        run(*backbone, "link", "set", stands.uplink.gateway_name, "up")
        router = str(stands.uplink.address.ip)
        run(*backbone, "route", "replace", str(stands.subnet), "via", router)

    def kill(self, region: str) -> None:
        """``kill -9`` of every process of the region, its store included."""
        stack = self.region(region).stack
        programs = [one for one in Folder(self.data).read().programs if one.name.startswith(stack)]
        doomed: list[psutil.Process] = []
        for program in programs:
            process = program.process
            assert process is not None, f"{program.name} has ended by itself"
            doomed += [process, *process.children(recursive=True)]
        for process in doomed:
            with contextlib.suppress(psutil.NoSuchProcess):  # ended with its parent
                process.kill()
        _, left = psutil.wait_procs(doomed, timeout=30)
        assert left == []


def existing(data: Path) -> LocalPlan:
    """What `inland regions up` made from this folder."""
    return Folder(data).read().plan


@contextmanager
def with_callers(data: Path, countries: Mapping[str, str]) -> Iterator[Network]:
    """A caller from each country (to the region that it is at home in)."""
    plan = existing(data)
    found: dict[str, Caller] = {}
    made = Network(data, plan, found)
    with ExitStack() as cleaning:
        for index, (country, region) in enumerate(countries.items()):
            name = f"{plan.prefix}-caller-{country.lower()}"
            run("ip", "netns", "add", name)
            cleaning.callback(run, "ip", "netns", "delete", name)
            near, own = CALLERS[FIRST + 4 * index + 1], CALLERS[FIRST + 4 * index + 2]
            for command in _ways(plan, made.region(region), name, index, near, own):
                run(*command)
            found[country] = Caller(country, region, Namespace(name), own)
        yield made


def _ways(
    plan: LocalPlan,
    region: LocalRegion,
    name: str,
    index: int,
    near: IPv4Address,
    own: IPv4Address,
) -> Iterator[tuple[str, ...]]:
    """Both ways of a caller, who has one address for both."""
    outside, backbone = f"caller{index}", plan.backbone
    gateway = str(CALLERS[GATEWAY])
    peers = ((region.router, "access", "access"), (backbone, outside, "net"))
    yield ("ip", "-n", name, "link", "set", "lo", "up")
    for far, far_name, near_name in peers:
        yield (
            *("ip", "link", "add", far_name, "netns", far, "type", "veth"),
            *("peer", "name", near_name, "netns", name),
        )
        yield ("ip", "-n", far, "link", "set", far_name, "up")
        yield ("ip", "-n", name, "address", "add", f"{own}/32", "dev", near_name)
        yield ("ip", "-n", name, "link", "set", near_name, "up")
    yield ("ip", "-n", region.router, "address", "add", f"{near}/30", "dev", "access")
    yield ("ip", "-n", backbone, "route", "add", f"{own}/32", "dev", outside)
    yield ("ip", "-n", name, "route", "add", f"{near}/32", "dev", "access")
    to_region = ("route", "add", str(region.subnet), "via", str(near), "dev", "access")
    yield ("ip", "-n", name, *to_region)
    yield ("ip", "-n", name, "route", "add", f"{gateway}/32", "dev", "net")
    yield ("ip", "-n", name, "route", "add", "default", "via", gateway, "dev", "net")


def routes(namespace: str) -> dict[str, str]:
    """Destination to interface, of everything that is routed in any table but to itself."""
    listed = _json("ip", "-json", "-n", namespace, "route", "show", "table", "all")
    kept = [one for one in listed if one.get("type") not in ("local", "broadcast")]
    return {str(one["dst"]): str(one["dev"]) for one in kept}


def interfaces(namespace: str) -> set[str]:
    """Names of everything that packets could take."""
    return {str(one["ifname"]) for one in _json("ip", "-json", "-n", namespace, "link", "show")}


def forwards(namespace: str) -> bool:
    """Whether it passes on what is not for itself."""
    shown = run(*Namespace(namespace).command("cat", "/proc/sys/net/ipv4/ip_forward"))
    return shown.strip() != "0"


def _json(*command: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run(*command) or "[]")
    return found


def run(*command: str, given: str | None = None) -> str:
    """What a command printed. Asserts that it succeeds."""
    done = subprocess.run(
        command, input=given, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, (command, done.stderr)
    return done.stdout
