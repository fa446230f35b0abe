"""The machine that a release is for: Debian 12 on one of EC2's two architectures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

Architecture: TypeAlias = Literal["amd64", "arm64"]
"""As Debian calls it."""

PYTHON: Final = "3.11"
_PYTHON_FULL: Final = "3.11.2"
"""Debian 12's: some markers of the lock tell patch releases apart."""
_GLIBC_MINOR: Final = 36
_MACHINES: Final[dict[str, str]] = {"amd64": "x86_64", "arm64": "aarch64"}
_FIRST_GLIBC: Final = {"amd64": 5, "arm64": 17}
"""The oldest glibc 2.x that wheels are tagged for (PEP 600)."""
_LEGACY: Final = {"amd64": ("2014", "2010", "1"), "arm64": ("2014",)}
"""manylinux tags from before PEP 600."""


@dataclass(frozen=True, slots=True)
class Target:
    """One architecture."""

    architecture: Architecture

    @property
    def machine(self) -> str:
        """As ``uname -m`` says."""
        return _MACHINES[self.architecture]

    @property
    def environment(self) -> dict[str, str]:
        """What markers are asked about (PEP 508)."""
        return {
            "implementation_name": "cpython",
            "implementation_version": _PYTHON_FULL,
            "os_name": "posix",
            "platform_machine": self.machine,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": "Linux",
            "platform_version": "",
            "python_full_version": _PYTHON_FULL,
            "python_version": PYTHON,
            "sys_platform": "linux",
        }

    @property
    def pip_options(self) -> tuple[str, ...]:
        """What makes pip choose wheels for this machine and not for its own."""
        tags = [
            f"manylinux_2_{minor}_{self.machine}"
            for minor in range(_GLIBC_MINOR, _FIRST_GLIBC[self.architecture] - 1, -1)
        ]
        tags += [f"manylinux{name}_{self.machine}" for name in _LEGACY[self.architecture]]
        platforms = [option for tag in tags for option in ("--platform", tag)]
        return (*platforms, "--implementation", "cp", "--python-version", _PYTHON_FULL)


TARGETS: Final = (Target("amd64"), Target("arm64"))
