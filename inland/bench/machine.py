"""What was measured on, and how busy it was."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("aiortc", "av", "pylibsrtp", "numpy", "onnxruntime", "pocketsphinx")
"""Packages whose versions move the figures."""
BUSY_SHARE = 0.25
"""Load per core from which on a machine is too busy for figures that anybody should quote."""


@dataclass(frozen=True, slots=True)
class Machine:
    """Where a bench ran. ``load`` is the load average of the minute before it."""

    cpu: str
    cores: int
    system: str
    python: str
    packages: Mapping[str, str]
    load: float

    @property
    def warning(self) -> str | None:
        """What a reader must know before quoting the figures, or None."""
        if self.load <= BUSY_SHARE * self.cores:
            return None
        return (
            f"the machine was busy before the bench (load {self.load:.1f} on {self.cores} cores): "
            "gaps and latencies are worse than they need be, read the ratios"
        )

    def __str__(self) -> str:
        packages = ", ".join(f"{name} {number}" for name, number in self.packages.items())
        return (
            f"{self.cpu}, {self.cores} cores, load {self.load:.2f} before; {self.system}, "
            f"Python {self.python}, {packages}"
        )


def describe() -> Machine:
    """This machine, now."""
    return Machine(
        cpu=_cpu_model(),
        cores=cores(),
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        packages={name: number for name in PACKAGES if (number := _version(name))},
        load=round(os.getloadavg()[0], 2),
    )


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _cpu_model() -> str:
    """The model as Linux names it, else what the platform says."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    for line in lines:
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.processor() or platform.machine()
