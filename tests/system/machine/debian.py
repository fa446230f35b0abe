"""A Debian 12 of a test's own, as its cloud image: systemd and cloud-init boot it in a container.

The image is made by mmdebstrap from the mirror that this machine's apt knows. systemd-nspawn gives
it process ids, mounts and a network of its own, and the kernel of this machine.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import psutil
import pytest

from tests.system.machine.namespaces import Namespace

PACKAGES = (
    *("systemd", "systemd-sysv", "dbus", "udev", "cloud-init"),
    *(
        "ca-certificates",
        "curl",
        "iproute2",
        "libopus0",
        "nftables",
        "unattended-upgrades",
        "coturn",
    ),
)
"""What Debian's image for EC2 has of what matters here, and the packages that cloud-init is asked
for: there is no mirror where the machine boots, so they have to be there."""
PROGRAMS = ("mmdebstrap", "systemd-nspawn", "nsenter", "ip", "nft", "redis-server", "flite")
MAKE_SECONDS = 300
STOP_SECONDS = 60
LEVEL_OF_PID_1 = "1"
T = TypeVar("T")


def skip_unless_possible() -> None:
    """Skip where a container cannot be booted."""
    if os.geteuid() != 0:
        pytest.skip("booting a machine takes root")
    for program in PROGRAMS:
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")


def make_image(path: Path) -> None:
    """Write a tar of a Debian 12; skips the test where no mirror gives one."""
    options = ("--variant=minbase", f"--include={','.join(PACKAGES)}")
    made = subprocess.run(
        ["mmdebstrap", "--quiet", *options, "bookworm", str(path)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=MAKE_SECONDS,
    )  # fmt: skip
    if made.returncode != 0:
        pytest.skip(f"no Debian to be had: {made.stderr.strip().splitlines()[-1:]}")


def lay_out(
    image: Path, root: Path, *, user_data: str, authority: Path, hosts: Sequence[str]
) -> None:
    """Unpack the image as a machine that is told ``user_data`` and has not booted yet.

    In place of EC2's data source stands a seed (cloud-init, "NoCloud"): cloud-init would configure
    a network that is there. ``authority`` is a CA that the machine trusts, ``hosts`` are lines of
    its /etc/hosts.
    """
    root.mkdir(parents=True)
    subprocess.run(["tar", "-xf", image, "-C", root], check=True, timeout=120)
    (root / "etc/apt/sources.list").write_text("")
    # As if cloud-init were still to install it.
    (root / "etc/systemd/system/multi-user.target.wants/coturn.service").unlink()
    config = root / "etc/cloud/cloud.cfg.d/99-seed.cfg"
    # The image has no package `locales`, EC2's has.
    config.write_text("datasource_list: [NoCloud]\nnetwork: {config: disabled}\nlocale: 'false'\n")
    seed = root / "var/lib/cloud/seed/nocloud"
    seed.mkdir(parents=True)
    (seed / "meta-data").write_text("instance-id: i-0123456789abcdef0\nlocal-hostname: node\n")
    (seed / "user-data").write_text(user_data)
    with (root / "etc/hosts").open("a") as file:
        file.writelines(f"{line}\n" for line in ("127.0.0.1 localhost node", *hosts))
    shutil.copy(authority, root / "usr/local/share/ca-certificates/test.crt")
    subprocess.run(["chroot", root, "update-ca-certificates"], check=True, capture_output=True)


@dataclass(frozen=True, slots=True)
class Machine:
    """One that runs. ``leader``: its process 1, as this machine counts."""

    root: Path
    leader: int
    console: Path

    def run(self, *command: str, check: bool = True, seconds: float = 60) -> str:
        """What a command prints that root runs on it."""
        spaces = ("--mount", "--uts", "--ipc", "--net", "--pid", "--root", "--wd")
        done = subprocess.run(
            ["nsenter", "--target", str(self.leader), *spaces, *command],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"},
        )  # fmt: skip
        assert done.returncode == 0 or not check, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def properties(self, unit: str, *names: str) -> dict[str, str]:
        """What systemd says of a unit."""
        text = self.run("systemctl", "show", f"--property={','.join(names)}", unit)
        return dict(line.split("=", 1) for line in text.splitlines())

    def journal(self, *options: str) -> str:
        """The machine's journal."""
        return self.run("journalctl", "--no-pager", "--output=short-monotonic", *options)


@contextmanager
def booted(root: Path, network: Namespace, console: Path) -> Iterator[Machine]:
    """Boot what :func:`lay_out` has laid out, in ``network``; shut down at the end."""
    with console.open("wb") as output:
        process = subprocess.Popen(
            [
                *("systemd-nspawn", "--quiet", f"--directory={root}", "--boot"),
                *("--register=no", "--keep-unit", "--console=pipe"),
                # As a machine's root has it: the barrier is its own.
                *(f"--network-namespace-path={network.path}", "--capability=CAP_NET_ADMIN"),
            ],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        leader = None
        try:
            leader = _leader(process)
            yield Machine(root, leader, console)
        finally:
            _shut_down(process, leader)


def _shut_down(process: subprocess.Popen[bytes], leader: int | None) -> None:
    """Let systemd stop every unit; its last step, to halt the machine, may hang in a container."""
    process.terminate()
    try:
        if leader is not None:
            until(lambda: process.poll() is not None or _is_alone(leader), STOP_SECONDS, "shutdown")
    finally:
        process.kill()  # the container's first process dies with it
        process.wait()


def _is_alone(leader: int) -> bool:
    """Whether nothing is left but the program that halts the machine."""
    try:
        first = psutil.Process(leader)
        return "systemd-shutdown" in first.cmdline()[0] and not first.children()
    except (psutil.NoSuchProcess, IndexError):
        return True


def _leader(process: subprocess.Popen[bytes]) -> int:
    """Process 1 of the container that ``process`` starts."""

    def found() -> int | None:
        assert process.poll() is None, "systemd-nspawn has ended"
        for child in psutil.Process(process.pid).children(recursive=True):
            status = Path(f"/proc/{child.pid}/status").read_text()
            levels = next(line for line in status.splitlines() if line.startswith("NSpid:"))
            if levels.split()[1:][-1] == LEVEL_OF_PID_1:
                return child.pid
        return None

    return until(found, 30, "the container's first process")


def until(look: Callable[[], T | None], seconds: float, what: str) -> T:
    """The first thing that ``look`` sees: it happens in the time of other processes."""
    end = time.monotonic() + seconds
    while True:
        seen = look()
        if seen:
            return seen
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.2)
