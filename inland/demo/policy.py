"""The demo's law as its operator would sign it, so that it can be changed while calls go on."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import yaml

from control_plane.tenants import TenantsFile
from control_plane.tokens import load_or_create_key
from edge.session.keys import LocalKeyFile
from edge.session.replica import replica_public_key
from inland.policy.inputs import verified
from inland.policy.signing import put, signed
from regions.bundle import Body
from regions.catalogue import load_catalogue
from regions.models import TenantPolicy
from regions.policy_keys import policy_key_text
from regions.strict_yaml import load_yaml


@dataclass(frozen=True, slots=True)
class DemoPolicy:
    """Where the demo's operator finds what belongs to the bundle."""

    key: Path
    """Signs; in earnest it would be on no machine that runs Inland."""
    contracts: Path
    """To be edited and signed."""
    bundle: Path
    """Watched by the control plane."""
    public: str
    """What every program of the demo trusts."""

    @property
    def section(self) -> dict[str, object]:
        """Of the control plane's settings."""
        return {"bundle": str(self.bundle), "keys": [self.public], "state": "policy.state"}

    @property
    def command(self) -> str:
        """What signs the contracts anew, for a shell."""
        inland = Path(sys.executable).with_name("inland")
        return (
            f"{inland} policy sign --key {self.key} --contracts {self.contracts} "
            f"--after {self.bundle} -o {self.bundle}"
        )


def sign_policy(data: Path, regions: Mapping[str, Path], tenants: Path | None = None) -> DemoPolicy:
    """The bundle in ``data``, signed if there is none yet; ``regions`` are those that run, with the
    folders of their key files; ``tenants`` whose contracts count, by default the demo's.

    A bundle of a former run goes on with its contracts, under a new number where the catalogue or
    the regions' keys are others now. Raises ``KeyFileError``, ``SessionError``,
    ``PolicyCommandError``.
    """
    key = load_or_create_key(data / "policy.key")
    public = policy_key_text(key.public_key())
    found = DemoPolicy(data / "policy.key", data / "contracts.yaml", data / "policy.bundle", public)
    old = verified(found.bundle, [key.public_key()]) if found.bundle.exists() else None
    contracts = _tenants_contracts(tenants) if old is None else dict(old.contracts)
    body = Body(
        serial=1 if old is None else old.serial + 1,
        issued_at=int(time.time()),
        catalogue=load_catalogue(),
        contracts=contracts,
        replica_keys=({} if old is None else dict(old.replica_keys))
        | {
            region: replica_public_key(LocalKeyFile.open(folder / "region.key", region))
            for region, folder in regions.items()
        },
    )
    if old is None or (old.catalogue, old.replica_keys) != (body.catalogue, body.replica_keys):
        put(found.bundle, signed(body, key), instead_of=found.bundle)
    if not found.contracts.exists():
        found.contracts.write_text(_text(contracts))
    return found


def _tenants_contracts(path: Path | None) -> dict[str, TenantPolicy]:
    shipped = Path(str(files("inland.demo"))) / "tenants.yaml"
    tenants = load_yaml(path or shipped, TenantsFile).tenants
    return {tenant.id: tenant.policy for tenant in tenants}


def _text(contracts: Mapping[str, TenantPolicy]) -> str:
    said = {
        tenant: policy.model_dump(mode="json", exclude_defaults=True)
        for tenant, policy in contracts.items()
    }
    return yaml.safe_dump({"contracts": said}, sort_keys=False)
