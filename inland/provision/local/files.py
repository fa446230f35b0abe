"""The settings of every program on the host, written from the stacks: as a node in the cloud has
them, but for addresses, and plain HTTP for signalling, since everything stays on one machine."""

from __future__ import annotations

import hashlib
import os
import secrets
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import yaml

from control_plane.errors import KeyFileError
from control_plane.tenants import TenantsFile
from edge.session.errors import SessionError
from edge.session.keys import new_key_file
from infra.documents.names import store_user
from infra.documents.store import access_string
from infra.local.plan import (
    CONTROL_PORT,
    EDGE_PORT,
    STORE_PORT,
    LocalNode,
    LocalPlan,
    LocalRegion,
)
from inland.demo.policy import DemoPolicy, sign_policy
from inland.policy.errors import PolicyCommandError
from inland.provision.errors import GateClosed
from inland.provision.local.authority import Authority
from inland.provision.local.programs import Program
from regions.strict_yaml import load_yaml

CLINIC_PORT = 7190
KEY_FILE = "region.key"


@dataclass(frozen=True, slots=True)
class Site:
    """What is served: a folder with ``agents`` and ``tenants.yaml``, by default the demo's."""

    agents: Path
    tenants: Path
    clinic: bool
    """Whether the demo's booking service is needed."""

    @classmethod
    def find(cls, folder: Path | None) -> Site:
        demo = Path(str(files("inland.demo")))
        root = demo if folder is None else folder.resolve()
        return cls(root / "agents", root / "tenants.yaml", clinic=folder is None)


class LocalFiles:
    """Writes below ``root`` (0700) and names the programs that read it, in starting order."""

    def __init__(self, root: Path, plan: LocalPlan, site: Site, authority: Authority) -> None:
        self._root = root
        self._plan = plan
        self._site = site
        self._authority = authority
        self._ca = root / "ca.pem"
        self._node_secrets = {region.stack: secrets.token_urlsafe(32) for region in plan.regions}

    def write(self) -> list[Program]:
        """Every file; returns stores first, then the control plane, then nodes.

        Raises ``GateClosed`` when what a former run left cannot be gone on with.
        """
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._ca.write_bytes(self._authority.certificate)
        policy = self._law()
        stores = [self._store(region) for region in self._plan.regions]
        control = [
            self._control(
                f"{replica.region}-{replica.letter}",
                replica.link.namespace,
                str(replica.address),
                policy,
            )
            for replica in self._plan.replicas
        ]
        nodes = [
            program
            for region in self._plan.regions
            for node in region.nodes
            for program in self._node(region, node, policy)
        ]
        return [*stores, *control, *nodes]

    def _store(self, region: LocalRegion) -> Program:
        folder = self._folder(region.stack, "store")
        pair = self._authority.issue(region.store_address)
        _private(folder / "store.pem", pair.certificate)
        _private(folder / "store.key", pair.key)
        # Nobody is it, and it may do everything: the file is replayed under its rights, and with
        # fewer every transaction in it would be lost (redis/redis#14541, valkey-io/valkey#3983).
        rules = ["user default off ~* &* +@all"]
        for tenant in region.settings.tenants:
            password = secrets.token_urlsafe(32)
            _private(self._password(region, tenant.id), password.encode())
            digest = hashlib.sha256(password.encode()).hexdigest()
            rules.append(f"user {store_user(tenant.id)} #{digest} {access_string(tenant.id)}")
        _private(folder / "users.acl", ("\n".join(rules) + "\n").encode())
        config = {
            "bind": region.store_address,
            "port": 0,
            "tls-port": STORE_PORT,
            "tls-cert-file": folder / "store.pem",
            "tls-key-file": folder / "store.key",
            "tls-ca-cert-file": self._ca,
            "tls-auth-clients": "no",
            "aclfile": folder / "users.acl",
            "dir": folder,
            "appendonly": "yes",
            "appendfsync": "always",
            "maxmemory-policy": "noeviction",
            "save": '""',
        }
        path = folder / "redis.conf"
        _private(path, "".join(f"{key} {value}\n" for key, value in config.items()).encode())
        return Program(
            f"{region.stack} store",
            region.store.namespace,
            ("redis-server", str(path)),
            self._log(f"{region.stack}-store"),
        )

    def _law(self) -> DemoPolicy:
        """The law as an operator signs it, with the key by which each region reads replicas: a
        caller whose region is lost carries the conversation to another that may have it."""
        try:
            return sign_policy(self._root, self._keys(), self._site.tenants)
        except (KeyFileError, SessionError, PolicyCommandError) as error:
            raise GateClosed(f"{self._root}: {error}") from error

    def _keys(self) -> dict[str, Path]:
        """The folder of each region's key. Of several stacks of a region the one that is called as
        it counts: the others serve a tenant alone, and what they cannot open they refuse."""
        found: dict[str, Path] = {}
        for region in sorted(self._plan.regions, key=lambda one: one.stack != one.region):
            folder = self._folder(region.stack)
            if not (folder / KEY_FILE).exists():
                _private(folder / KEY_FILE, new_key_file(region.region).encode())
            found.setdefault(region.region, folder)
        return found

    def _control(self, name: str, namespace: str, address: str, policy: DemoPolicy) -> Program:
        folder = self._folder("control-plane", name)
        hashes: dict[str, list[str]] = {}
        for region in self._plan.regions:
            secret = self._node_secrets[region.stack]
            digest = hashlib.sha256(secret.encode()).hexdigest()
            hashes.setdefault(region.region, []).append(digest)
        path = folder / "control-plane.yaml"
        _yaml(
            path,
            {
                "host": address,
                "port": CONTROL_PORT,
                "tenants": str(self._tenants()),
                "key_file": "signing.key",
                "node_secrets": hashes,
                "policy": policy.section,
            },
        )
        return Program(
            f"control plane {name}",
            namespace,
            _inland("control-plane", "--config", str(path)),
            self._log(f"control-plane-{name}"),
        )

    def _tenants(self) -> Path:
        """The site's tenants, those that a stack gives a fleet of its own marked as such."""
        path = self._root / "tenants.yaml"
        alone = {
            tenant.id
            for region in self._plan.regions
            for tenant in region.settings.tenants
            if tenant.edge is not None
        }
        found = load_yaml(self._site.tenants, TenantsFile).model_dump(
            mode="json", exclude_unset=True
        )
        for tenant in found["tenants"]:
            if tenant["id"] in alone:
                tenant["isolation"] = "dedicated"
        _yaml(path, found)
        return path

    def _node(self, region: LocalRegion, node: LocalNode, policy: DemoPolicy) -> Sequence[Program]:
        folder = self._folder(region.stack, node.name)
        first, _ = node.edge.media_ports
        workers = max(1, (os.cpu_count() or 1) // 2)
        # A node has no user for whom it does not serve, so the store keeps it out as well.
        served = [
            one.id
            for one in region.settings.tenants
            if (node.tenant is None and one.edge is None) or node.tenant == one.id
        ]
        settings: dict[str, object] = {
            "node": node.name.replace(".", "-"),
            "region": region.region,
            "host": str(node.address),
            "port": EDGE_PORT,
            "media_host": str(node.address),
            "media_port": first,
            "workers": workers,
            "capacity": max(1, node.edge.calls_per_node // workers),
            "data": str(folder),
            "key_file": str(self._folder(region.stack) / KEY_FILE),
            "agents": str(self._site.agents),
            "control_planes": [replica.url for replica in self._plan.replicas],
            "policy": {"keys": [policy.public]},
            "store": {
                "redis": f"rediss://{region.store_address}:{STORE_PORT}",
                "ca": str(self._ca),
                "users": {
                    tenant: {
                        "username": store_user(tenant),
                        "password_file": str(self._password(region, tenant)),
                    }
                    for tenant in served
                },
            },
            "drain_seconds": 5,
        }
        if node.tenant is not None:
            settings["tenants"] = [node.tenant]
        path = folder / "edge.yaml"
        _yaml(path, settings)
        environment = {"INLAND_NODE_SECRET": self._node_secrets[region.stack]}
        programs = []
        if self._site.clinic:
            environment["CLINIC_BOOKING_URL"] = f"http://127.0.0.1:{CLINIC_PORT}"
            clinic = ("-m", "inland.clinic", "--port", str(CLINIC_PORT))
            programs.append(
                Program(
                    f"{node.name} clinic",
                    node.link.namespace,
                    (sys.executable, *clinic, "--database", str(folder / "clinic.sqlite")),
                    self._log(f"{node.name}-clinic"),
                )
            )
        programs.append(
            Program(
                f"{node.name} node",
                node.link.namespace,
                _inland("edge", "--config", str(path)),
                self._log(node.name),
                environment,
            )
        )
        return programs

    def _folder(self, *names: str) -> Path:
        folder = self._root.joinpath(*names)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder

    def _password(self, region: LocalRegion, tenant: str) -> Path:
        return self._folder(region.stack, "passwords") / tenant

    def _log(self, name: str) -> Path:
        return self._folder("logs") / f"{name}.log"


def _inland(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "inland", *arguments)


def _private(path: Path, content: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)


def _yaml(path: Path, values: Mapping[str, object]) -> None:
    _private(path, yaml.safe_dump(dict(values), sort_keys=False).encode())
