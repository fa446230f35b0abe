"""The folder that local regions run from: what `up` made, so that later commands find it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field, StringConstraints, ValidationError

from infra.local.plan import LocalPlan, plan_host
from infra.settings.control_plane import ControlPlaneStack
from infra.settings.region import RegionStack
from inland.provision.errors import GateClosed, ProjectMissing
from inland.provision.local.programs import Running
from regions.models import Strict

STATE = "state.json"
MARK = "inland-local"
"""A file that says whose folder it is: only such a folder is ever erased."""

Prefix = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]{0,8}$")]
"""How the names of the namespaces begin."""


class LocalState(Strict):
    """What stands on the host, whatever has become of the stack files since."""

    prefix: Prefix
    regions: dict[str, RegionStack] = Field(min_length=1)
    control_plane: ControlPlaneStack
    programs: tuple[Running, ...] = ()

    @property
    def plan(self) -> LocalPlan:
        return plan_host(self.regions, self.control_plane, prefix=self.prefix)


@dataclass(frozen=True, slots=True)
class Folder:
    """Where data, settings, logs and state of the regions are."""

    path: Path

    def claim(self) -> None:
        """Make it ours: a new or empty folder, or one that is ours and where nothing runs.

        Raises ``GateClosed``: in a folder of somebody else nothing is written, nor ever erased.
        """
        if (self.path / STATE).exists():
            raise GateClosed(f"{self.path}: regions run from here: `inland regions down` first")
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not (self.path / MARK).exists():
                if any(self.path.iterdir()):
                    raise GateClosed(f"{self.path}: holds other files: name a new folder by --data")
                (self.path / MARK).touch(mode=0o600)
        except OSError as error:
            raise GateClosed(f"{self.path}: cannot be used: {error.strerror}") from error

    def write(self, state: LocalState) -> None:
        """Keep it, as a whole or not at all."""
        draft = self.path / f".{STATE}"
        draft.write_text(state.model_dump_json(indent=2))
        draft.replace(self.path / STATE)

    def read(self) -> LocalState:
        """What stands. Raises ``ProjectMissing`` when nothing does, or nobody can say what."""
        try:
            return LocalState.model_validate_json((self.path / STATE).read_text())
        except FileNotFoundError as error:
            raise ProjectMissing(f"{self.path}: no regions run from here") from error
        except (OSError, ValidationError) as error:
            raise ProjectMissing(f"{self.path / STATE}: not what `up` wrote") from error

    @property
    def runs(self) -> bool:
        """Whether something stands, or is left of what stood."""
        return (self.path / STATE).exists()

    def forget(self) -> None:
        """Nothing stands any more; data stays."""
        (self.path / STATE).unlink(missing_ok=True)

    def erase(self) -> None:
        """Delete everything. Raises ``GateClosed`` where it is not ours or still in use."""
        if not (self.path / MARK).exists():
            raise GateClosed(f"{self.path}: was not made by `inland regions up`: not erased")
        if self.runs:
            raise GateClosed(f"{self.path}: regions still run from here: not erased")
        shutil.rmtree(self.path)
