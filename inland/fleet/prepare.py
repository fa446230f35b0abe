"""Makes a machine ready for its role: waits until it is wanted, then writes its settings."""

from __future__ import annotations

import logging
import re
import secrets
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from pydantic import ValidationError

from infra.cloud_init.document import ControlPlaneRole, EdgeRole, NodeDocument, TurnRole
from inland.fleet.aws import insist
from inland.fleet.clock import WaitingClock
from inland.fleet.errors import MetadataAway, Unusable
from inland.fleet.files import write_private
from inland.fleet.metadata import TARGET_STATE, Machine, Metadata, read_machine
from inland.fleet.places import Places
from inland.fleet.policy_carrier import PolicyCarrier
from inland.fleet.supplies import Supplies
from inland.fleet.yaml_text import to_yaml
from regions.errors import ConfigError

POLL_SECONDS = 2.0
TOLD_SECONDS = 60.0
"""How often it is said that the machine waits."""

log = logging.getLogger(__name__)


def read_document(path: Path) -> NodeDocument:
    """What the machine is told. Raises :class:`Unusable`."""
    try:
        return NodeDocument.model_validate_json(path.read_bytes())
    except OSError as error:
        raise Unusable(
            f"{path}: {error.strerror}; this command is for machines of a stack"
        ) from error
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Unusable(f"{path}: {where}: {first['msg']}") from error


@dataclass(frozen=True, slots=True)
class Preparation:
    """What preparing a machine takes."""

    document: NodeDocument
    places: Places
    metadata: Metadata
    supplies: Supplies
    policy: PolicyCarrier
    http: aiohttp.ClientSession
    clock: WaitingClock
    cpus: int

    async def run(self) -> None:
        """Wait, fetch, write, check. Raises :class:`Unusable`."""
        await self.until_wanted()
        document = self.document
        machine = await insist(
            self.clock, lambda: read_machine(self.metadata, document.region, self.cpus)
        )
        match document.role:
            case EdgeRole() as role:
                await self._edge(role, machine)
            case TurnRole() as role:
                await self._turn(role, machine)
            case ControlPlaneRole() as role:
                await self._control_plane(role)
        log.info("prepared", extra={"region": document.region, "state": document.role.role})

    async def until_wanted(self) -> None:
        """Return when the machine is to be in service, or belongs to no group."""
        told = float("-inf")
        while True:
            try:
                state = await self.metadata.get(TARGET_STATE)
                if state is None or state == "InService":
                    return
            except MetadataAway:
                state = "unknown"
            if self.clock.monotonic() - told >= TOLD_SECONDS:
                told = self.clock.monotonic()
                log.info("waiting until this machine is wanted", extra={"state": state})
            await self.clock.sleep(POLL_SECONDS)

    async def _edge(self, role: EdgeRole, machine: Machine) -> None:
        from inland.fleet import edge_files

        phone, variables = None, dict[str, str]()
        if role.phone_secret is not None:
            phone = edge_files.read_phone(self.places)
            wanted = edge_files.password_variables(phone)
            if wanted:
                variables = await self.supplies.variables(role.phone_secret, wanted)
        settings = edge_files.edge_settings(self.document, role, machine, self.places, phone)
        chain, key = await self.supplies.certificate(role.certificate, secrets.token_hex(32))
        wanted_secrets = {
            self.places.node_secret: role.node_secret,
            self.places.region_key: role.region_key,
            self.places.turn_secret: role.turn_secret,
        }
        self._write(
            {
                path: (await self.supplies.secret(name)).encode()
                for path, name in wanted_secrets.items()
                if name is not None
            }
        )
        self._write(
            {
                self.places.certificate: chain,
                self.places.certificate_key: key,
                self.places.environment: edge_files.environment_file(variables | self._rehearsal()),
                self.places.edge: to_yaml(settings),
            }
        )
        check_edge(self.places, self.document.region, variables)

    async def _turn(self, role: TurnRole, machine: Machine) -> None:
        from inland.fleet.turn_conf import turnserver_conf

        secret = await self.supplies.secret(role.turn_secret)
        conf = turnserver_conf(self.document, role, machine, secret, run=self.places.run)
        self._write({self.places.turnserver: conf})

    async def _control_plane(self, role: ControlPlaneRole) -> None:
        from inland.fleet.control_plane_files import control_plane_settings, fetch_signing_keys

        signing = await self.supplies.secret(role.signing_key)
        operator = await self.supplies.secret(role.operator_key)
        if re.fullmatch(r"[0-9a-f]{64}", operator) is None:  # not quoted: it may be the key itself
            raise Unusable(f"secret {role.operator_key}: should be the key's SHA-256, 64 digits")
        if role.policy_keys:
            await self.policy.first()
        others = await fetch_signing_keys(self.http, role.replica_urls)
        settings = control_plane_settings(self.document, role, self.places, operator, len(others))
        published = {self.places.published_key(n): key for n, key in enumerate(others)}
        self._write(
            {
                self.places.signing_key: signing.encode(),
                **published,
                self.places.control_plane: to_yaml(settings),
            }
        )
        check_control_plane(self.places)

    def _write(self, files: Mapping[Path, bytes]) -> None:
        for path, content in files.items():
            write_private(path, content)

    def _rehearsal(self) -> dict[str, str]:
        """Where the node's own AWS client finds the API, when that is not where it always is."""
        endpoint = self.document.endpoint
        if endpoint is None:
            return {}
        return {
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": endpoint,
            # KMS is always asked by its own name: whom the machine trusts, its client trusts.
            "AWS_CA_BUNDLE": "/etc/ssl/certs/ca-certificates.crt",
        }


def check_edge(places: Places, region: str, environment: Mapping[str, str]) -> None:
    """Read everything as the edge will. Raises :class:`Unusable`, and says nothing of a secret."""
    from edge.phone.logins import read_logins
    from edge.phone.trunk import PasswordError
    from edge.session.errors import KeyFileError
    from edge.session.keys import LocalKeyFile
    from edge.settings import SecretError, load_settings, node_secret
    from edge.turn import TurnSecretError, read_turn_secret

    try:
        settings = load_settings(places.edge)
        node_secret(settings, {})
        LocalKeyFile.open(settings.key_path, region)
        if settings.sip is not None:
            read_logins(settings.sip, environment)
        if settings.turn is not None:
            read_turn_secret(settings.turn.secret_file)
        if settings.tls is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(settings.tls.certificate, settings.tls.key)
    except (ConfigError, SecretError, KeyFileError, PasswordError, TurnSecretError) as error:
        raise Unusable(str(error)) from error
    except ssl.SSLError as error:
        raise Unusable(f"{places.certificate}: {error.reason}") from error


def check_control_plane(places: Places) -> None:
    """Read everything as the control plane will. Raises :class:`Unusable`."""
    from control_plane.errors import KeyFileError, SettingsError
    from control_plane.settings import read_settings
    from control_plane.tokens import load_or_create_key, load_public_key

    try:
        settings = read_settings(places.control_plane, {}, {})
        load_or_create_key(settings.key_file)
        for path in settings.published_keys:
            load_public_key(path)
    except (ConfigError, SettingsError, KeyFileError) as error:
        raise Unusable(str(error)) from error
