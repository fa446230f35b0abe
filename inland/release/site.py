"""Checks and packs what is served: the agents, the telephone, the tenants, the law.

::

    agents/*.yaml   what `inland edge` answers with
    phone.yaml      trunks, numbers, registrations; passwords by password_env
    tenants.yaml    what the control plane knows of tenants
    catalogue.yaml  in place of the catalogue that comes with Inland
    providers.yaml  the services that calls' data may go to

Any of them may be absent, none of them is secret.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from control_plane.errors import SettingsError
from control_plane.tenants import load_tenants
from edge.dialog.agent import AgentSpec, load_agents
from edge.dialog.build import check_agent
from edge.phone.check import phone_problems
from edge.phone.settings import PhoneSettings
from edge.provider_check import provider_problems
from inland.fleet.edge_files import password_variables, read_phone
from inland.fleet.errors import Unusable
from inland.fleet.places import Places
from inland.release.archive import Content, write_tar
from inland.release.errors import SiteError
from regions.catalogue import load_catalogue
from regions.errors import ConfigError
from regions.models import Catalogue
from regions.providers import Providers, load_providers

AGENTS: Final = "agents"
FILES: Final = ("catalogue.yaml", "phone.yaml", "providers.yaml", "tenants.yaml")
DATE: Final = 0
"""Of every file of the bundle: its digest tells about its content and nothing else."""


@dataclass(frozen=True, slots=True)
class Site:
    """A bundle that was made."""

    path: Path
    sha256: str
    size: int
    """Bytes."""
    files: tuple[str, ...]


def pack_site(folder: Path, out: Path) -> Site:
    """Check ``folder`` as the nodes will and pack it into the folder ``out``.

    Raises ``SiteError`` with a line per problem.
    """
    files = site_files(folder)
    problems = tuple(_problems(folder, files))
    if problems:
        raise SiteError("\n".join(problems))
    out.mkdir(parents=True, exist_ok=True)
    path = out / "inland-site.tar"
    contents: dict[str, Content] = dict(files)
    sha256 = write_tar(path, contents, DATE)
    return Site(path, sha256, path.stat().st_size, tuple(sorted(files)))


def site_files(folder: Path) -> dict[str, Path]:
    """The files of a site by their names in it; hidden ones are left out.

    Raises ``SiteError`` for what a node would not look at: a misspelt name must not go unseen.
    """
    if not folder.is_dir():
        raise SiteError(f"{folder}: is no folder")
    found = {
        path.relative_to(folder).as_posix(): path
        for path in folder.rglob("*")
        if path.is_file() and not any(p.startswith(".") for p in path.relative_to(folder).parts)
    }
    foreign = [name for name in sorted(found) if name not in FILES and not _is_agent(name)]
    if foreign:
        parts = f"{AGENTS}/*.yaml, {', '.join(FILES)}"
        raise SiteError(f"{folder}: {', '.join(foreign)}: a site has {parts} and nothing else")
    if not any(_is_agent(name) for name in found) and "tenants.yaml" not in found:
        raise SiteError(f"{folder}: neither {AGENTS}/*.yaml nor tenants.yaml: nothing to serve")
    return found


def _is_agent(name: str) -> bool:
    parent, _, file = name.rpartition("/")
    return parent == AGENTS and file.endswith(".yaml")


def _problems(folder: Path, files: Mapping[str, Path]) -> Iterator[str]:
    try:
        catalogue = load_catalogue(files.get("catalogue.yaml"))
        agents = load_agents(folder / AGENTS) if any(map(_is_agent, files)) else {}
        providers = load_providers(files.get("providers.yaml"))
    except ConfigError as error:
        yield str(error)
        return
    yield from dict.fromkeys(_agents(agents.values(), providers, catalogue))
    if "phone.yaml" in files:
        yield from _phone(folder, catalogue, agents)
    if "tenants.yaml" in files:
        yield from _tenants(files["tenants.yaml"], catalogue, agents)


def _agents(
    agents: Iterable[AgentSpec], providers: Providers, catalogue: Catalogue
) -> Iterator[str]:
    environ: Mapping[str, str] = {}  # a node's environment has nothing but telephone passwords
    for spec in agents:
        try:
            check_agent(spec, environ)
            found = [
                provider_problems([spec], providers, catalogue, region.id, environ)
                for region in catalogue.regions
            ]
        except ConfigError as error:
            yield str(error)
        else:
            # A site may be for any region; what is wrong in the best of them is wrong everywhere.
            yield from min(found, key=len)


def _phone(folder: Path, catalogue: Catalogue, agents: Mapping[str, AgentSpec]) -> Iterator[str]:
    path = folder / "phone.yaml"
    try:
        phone = read_phone(Places(run=folder, site=folder))
    except Unusable as error:
        yield str(error)
        return
    for where in _password_files(phone):
        yield f"{path}: {where}.password_file: a site holds no secret: name a password_env"
    supplied = dict.fromkeys(password_variables(phone), "supplied with the stack's secrets")
    for problem in phone_problems(phone, catalogue, agents, supplied):
        if "password_file" not in problem:
            yield f"{path}: {problem}"


def _password_files(phone: PhoneSettings) -> Iterator[str]:
    return (where for where, place in phone.passwords() if place.password_file is not None)


def _tenants(path: Path, catalogue: Catalogue, agents: Mapping[str, AgentSpec]) -> Iterator[str]:
    try:
        tenants = load_tenants(path, catalogue)
    except (ConfigError, SettingsError) as error:
        yield str(error)
        return
    for tenant in tenants.all:
        missing = sorted(tenant.agents.keys() - agents.keys())
        if agents and missing:
            yield f"{path}: tenant {tenant.id}: no file in {AGENTS}/ for {', '.join(missing)}"
