"""What happens to an edge, from power on to the end of its drain, and what is seen of it."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

from infra.cloud_init.document import NodeDocument
from tests.system.machine.debian import Machine, until
from tests.system.machine.region_cloud import CONTROL_PORT, GATEWAY, OPERATOR_KEY
from tests.system.machine.stage import (
    ADDRESS,
    BUCKET,
    DOMAIN,
    DRAIN,
    HEALTH_PORT,
    INSTANCE,
    LAUNCH,
    PUBLIC,
    RECORDINGS,
    Stage,
)

BANK_KEY = "sk_demo_bank_local_only"
"""A tenant's, of the demo."""
SECONDS = 240
"""When a wait counts as a hang: two processors that others use as well."""


@dataclass
class Story:
    """What was seen of one edge: into the warm pool, woken, in service, drained."""

    stage: Stage
    machine: Machine
    seconds: dict[str, float] = field(default_factory=dict)
    """Since power on, or since it was told to leave."""
    cloud_init: dict[str, Any] = field(default_factory=dict)
    waited: str = ""
    """The install's journal while the release was not there."""
    prepared_while_warm: bool = False
    fetched_before_wake: int = 0
    ready: dict[str, Any] = field(default_factory=dict)
    """What /readyz said first."""
    state: dict[str, Any] = field(default_factory=dict)
    """The control plane's, while the machine served."""
    certificate: str = ""
    """PEM, as served on port 443."""
    served: dict[str, list[str]] = field(default_factory=dict)
    left: dict[str, list[str]] = field(default_factory=dict)
    """Address records of the zone, while it served and after it."""
    call: list[dict[str, Any]] = field(default_factory=list)
    """What a caller of the node wrote down."""
    recorded: dict[str, tuple[dict[str, Any], bytes]] = field(default_factory=dict)
    """Name to what S3 says of an object of the recordings' bucket and what is in it."""
    followed: dict[str, Any] = field(default_factory=dict)
    """What /readyz said after the operator had signed the law anew."""
    barrier: str = ""
    """The rules in the machine's kernel while it served."""
    reached: dict[str, int] = field(default_factory=dict)
    """User to what became of that user's attempt to reach what no node needs (curl(1))."""
    status: dict[str, dict[str, str]] = field(default_factory=dict)
    """Unit to what the kernel says of its main process (proc(5), status)."""


def record_arguments(root: Path) -> None:
    """Let the machine's curl write down what it is called with, for everyone to read."""
    curl = root / "usr/bin/curl"
    curl.rename(curl.with_name("curl.real"))
    curl.write_text(
        '#!/bin/sh\nprintf "%s\\n" "$*" >>/opt/inland/curl-arguments\nexec curl.real "$@"\n'
    )
    curl.chmod(0o755)


def goes_to_the_warm_pool(story: Story, began: float) -> None:
    here, machine, end = story.stage, story.machine, story.stage.cloud.end
    wanted = f"/{BUCKET}/{here.release.key}"
    until(lambda: (wanted, 404) in end.fetched, SECONDS, "the release is asked for")
    story.waited = until(
        lambda: said if "cannot be had" in (said := journal_of(machine, "install-inland")) else "",
        SECONDS,
        "the install says that it waits",
    )
    story.seconds["release asked for"] = time.monotonic() - began
    here.upload(here.release)
    until(lambda: came_up(machine, "install-inland"), SECONDS, "the release is installed")
    story.seconds["installed"] = time.monotonic() - began
    status = machine.run("cloud-init", "status", "--wait", "--format=json", check=False)
    story.cloud_init = json.loads(status)
    group = here.cloud.group
    until(lambda: (LAUNCH, "CONTINUE") in group.results, SECONDS, "the warm pool has it")
    story.seconds["warm"] = time.monotonic() - began
    story.prepared_while_warm = came_up(machine, "inland-prepare")
    story.fetched_before_wake = len(end.fetched)


def serves(story: Story, document: NodeDocument, began: float) -> None:
    here, machine, group = story.stage, story.machine, story.stage.cloud.group
    network, operator = here.cloud.network, here.cloud.operator
    until(lambda: came_up(machine, "inland-prepare"), SECONDS, "the node is prepared")
    story.seconds["woken: prepared"] = time.monotonic() - began
    story.ready = until(lambda: network.call(_readiness), SECONDS, "the node is ready")
    story.seconds["woken: ready"] = time.monotonic() - began
    until(lambda: len(group.results) == 2, SECONDS, "the launch is completed")
    story.seconds["woken: in service"] = time.monotonic() - began
    story.state = until(lambda: network.call(_directory), SECONDS, "the control plane knows it")
    story.certificate = network.call(lambda: ssl.get_server_certificate((ADDRESS, 443)))
    story.call = _call(here)
    story.recorded = until(lambda: network.call(lambda: _ended(here)), SECONDS, "it is recorded")
    here.sign_law_anew()
    story.followed = until(lambda: network.call(lambda: _under(2)), SECONDS, "the law is followed")
    story.served = network.call(lambda: operator.addresses(document.zone_id))
    story.barrier = machine.run("nft", "list", "table", "inet", "inland_egress")
    for user in ("root", "inland"):
        story.reached[user] = _reaches(machine, user)
    for unit in ("inland-edge", "inland-agent"):
        pid = machine.properties(f"{unit}.service", "MainPID")["MainPID"]
        lines = machine.run("cat", f"/proc/{pid}/status").splitlines()
        story.status[unit] = dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def _reaches(machine: Machine, user: str) -> int:
    """curl's exit status of a user who asks the control plane in the clear, which no node does."""
    ask = ("curl", "--silent", "--max-time", "10", f"http://{GATEWAY}:{CONTROL_PORT}/healthz")
    script = f"setpriv --reuid={user} --clear-groups {' '.join(ask)} >/dev/null; echo $?"
    return int(machine.run("sh", "-c", script))


def _call(here: Stage) -> list[dict[str, Any]]:
    """Call the agent as somebody on the Internet does: by the names and addresses of the world."""
    hosts = here.folder / "hosts"
    hosts.write_text(f"127.0.0.1 localhost\n{PUBLIC} eu-central-1-{INSTANCE}.{DOMAIN}\n")
    options = ["--control-plane", f"http://{GATEWAY}:{CONTROL_PORT}", "--from", "DE"]
    options += ["--agent", "bank-callback", "--key", BANK_KEY, "--say", "request a callback"]
    options += ["--voice", "rms", "--json", "--timeout", "60"]
    # The mount is seen in the namespace that `ip netns exec` makes, and nowhere else.
    script = 'mount --bind "$1" /etc/hosts && shift && exec "$@"'
    caller = [sys.executable, "-m", "inland", "call", *options]
    done = subprocess.run(
        here.cloud.network.command("sh", "-c", script, "sh", str(hosts), *caller),
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120,
        env=os.environ | {"SSL_CERT_FILE": str(here.authority.path)},
    )  # fmt: skip
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, (done.stderr, records[-3:])
    return records


def _ended(here: Stage) -> dict[str, tuple[dict[str, Any], bytes]] | None:
    """The objects of recordings, when there are some and none is still being made."""
    s3 = here.cloud.operator.client("s3")
    names = [each["Key"] for each in s3.list_objects_v2(Bucket=RECORDINGS).get("Contents", [])]
    if not names or any(name.endswith("/live/mark") for name in names):
        return None
    objects = {name: s3.get_object(Bucket=RECORDINGS, Key=name) for name in names}
    return {name: (found, found["Body"].read()) for name, found in objects.items()}


def _under(serial: int) -> dict[str, Any] | None:
    """What /readyz says when the node is under that policy bundle."""
    ready = _readiness()
    return ready if ready and ready["policy_serial"] == serial else None


def leaves(story: Story, document: NodeDocument) -> None:
    here = story.stage
    began = time.monotonic()
    results = here.cloud.group.results
    until(lambda: (DRAIN, "CONTINUE") in results, SECONDS, "the drain is completed")
    story.seconds["drained"] = time.monotonic() - began
    story.left = here.cloud.network.call(lambda: here.cloud.operator.addresses(document.zone_id))


def journal_of(machine: Machine, unit: str) -> str:
    return machine.journal(f"--unit={unit}.service")


def came_up(machine: Machine, unit: str) -> bool:
    """Whether a unit is up; a failed one never will be."""
    # Early in a boot there is no systemd to ask.
    state = machine.run("systemctl", "is-active", f"{unit}.service", check=False).strip()
    assert state != "failed", unit
    return state == "active"


def _readiness() -> dict[str, Any] | None:
    """What /readyz says when it says 200."""
    try:
        with urlopen(f"http://{ADDRESS}:{HEALTH_PORT}/readyz", timeout=5) as answer:
            found: dict[str, Any] = json.load(answer)
            return found
    except (URLError, OSError):
        return None


def _directory() -> dict[str, Any] | None:
    """The control plane's state when it has a node in it."""
    request = Request(
        f"http://{GATEWAY}:{CONTROL_PORT}/v1/state",
        headers={"Authorization": f"Bearer {OPERATOR_KEY}"},
    )
    with urlopen(request, timeout=5) as answer:
        found: dict[str, Any] = json.load(answer)
    return found if found["nodes"] else None
