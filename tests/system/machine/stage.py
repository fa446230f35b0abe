"""Where a machine of a region boots: the wire, the cloud, the store, the control plane."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from edge.session.keys import new_key_file
from infra.cloud_init.document import (
    POLICY_OBJECT,
    Bundle,
    ControlPlaneRole,
    EdgeRole,
    Lifecycle,
    NodeDocument,
    RecordingsPlace,
    SessionKeys,
    StoreAddress,
    TurnRole,
    audit_log_group,
    node_log_group,
)
from infra.cloud_init.user_data import Architecture, user_data
from inland.demo import __file__ as demo_file
from inland.demo.policy import DemoPolicy, sign_policy
from tests.edge.transport.sip.net.certificates import Authority
from tests.fakes.imds import Machine as Metadata
from tests.system.machine.debian import Machine, booted, lay_out
from tests.system.machine.namespaces import Namespace, cable, translate
from tests.system.machine.region_cloud import (
    CONTROL,
    CONTROL_PORT,
    CONTROL_TLS_PORT,
    GATEWAY,
    KMS,
    METADATA,
    NODE_SECRET,
    OPERATOR_SHA256,
    S3,
    STORE,
    RegionCloud,
    certify,
    control_plane,
    region_cloud,
    running,
    store,
)
from tests.system.machine.tls_front import TlsFront, fronted

REGION: Final = "eu-central-1"
DOMAIN: Final = "eu.voice.example.org"
INSTANCE: Final = "i-0123456789abcdef0"
ADDRESS: Final = "10.20.0.10"
PUBLIC: Final = "203.0.113.10"
ACCOUNT: Final = "123456789012"
"""As moto calls its one account."""
BUCKET: Final = "inland-software-123456789012-eu-central-1"
RECORDINGS: Final = "inland-recordings-123456789012-eu-central-1"
TENANT: Final = "demo-bank"
NOTICE: Final = "This call is recorded."
HEALTH_PORT: Final = 8080
DRAIN_SECONDS: Final = 20
LAUNCH, DRAIN = "inland-launch", "inland-drain"
ARCHITECTURE: Final[Architecture] = "arm64" if os.uname().machine == "aarch64" else "amd64"
DEMO: Final = Path(demo_file).parent
TURN_SECRET: Final = "a-turn-secret-of-the-rehearsal"
Role = EdgeRole | TurnRole | ControlPlaneRole


@dataclass(frozen=True, slots=True)
class Packed:
    """A bundle as it was made."""

    sha256: str
    path: Path

    @property
    def key(self) -> str:
        return f"software/{self.sha256}.tar"


@dataclass(frozen=True, slots=True)
class Stage:
    """One machine's surroundings; ``wire`` is the namespace that it is plugged into."""

    cloud: RegionCloud
    wire: Namespace
    folder: Path
    authority: Authority
    image: Path
    release: Packed
    site: Packed
    services: TlsFront
    """KMS and S3, by their own names."""
    law: DemoPolicy
    """What the operator signed: in the control plane of this wire, and nowhere else yet."""
    sealing_key: str
    """ARN of the key by which S3 encrypts recordings."""

    @property
    def root(self) -> Path:
        """The machine's disk."""
        return self.folder / "root"

    def upload(self, packed: Packed) -> None:
        """As ``inland regions supply`` does."""
        body = packed.path.read_bytes()
        s3 = self.cloud.operator.client("s3")
        self.cloud.network.call(lambda: s3.put_object(Bucket=BUCKET, Key=packed.key, Body=body))

    def publish_law(self) -> None:
        """As an operator does whose control plane runs on machines of a stack."""
        body = self.law.bundle.read_bytes()
        s3 = self.cloud.operator.client("s3")
        self.cloud.network.call(lambda: s3.put_object(Bucket=BUCKET, Key=POLICY_OBJECT, Body=body))

    def sign_law_anew(self) -> None:
        """The same contracts under the next number."""
        command = [sys.executable, "-m", "inland", *shlex.split(self.law.command)[1:]]
        subprocess.run(command, check=True, capture_output=True, timeout=60)

    def edge(self) -> EdgeRole:
        """A node that takes calls and may record them, and whose certificate is the authority's."""
        return EdgeRole(
            control_planes=(f"https://{CONTROL}:{CONTROL_TLS_PORT}",),
            store=StoreAddress(
                host=STORE, cache="inland-eu-central-1", users={TENANT: f"inland-{TENANT}"}
            ),
            data_networks=(f"{GATEWAY}/32",),
            session_keys=SessionKeys(account=ACCOUNT, prefix=f"alias/inland/{REGION}/"),
            recordings=RecordingsPlace(
                bucket=RECORDINGS,
                prefix="fleet",
                account=ACCOUNT,
                key=self.sealing_key,
                days=30,
            ),
            policy_keys=(self.law.public,),
            calls=10,
            media_ports=(20_000, 20_199),
            node_secret="inland/eu-central-1/node-secret",
            region_key="inland/eu-central-1/region-key",
            certificate=certify(self.cloud, DOMAIN, self.authority),
        )

    def document(self, role: Role) -> NodeDocument:
        """What the stack would tell the machine; its zone and log group are made."""
        operator = self.cloud.operator
        logs = operator.client("logs")
        for group in (node_log_group(REGION), audit_log_group(REGION)):
            self.cloud.network.call(partial(logs.create_log_group, logGroupName=group))
        return NodeDocument(
            stack=REGION,
            region=REGION,
            domain=DOMAIN,
            zone_id=self.cloud.network.call(lambda: operator.zone(DOMAIN)),
            bundle=Bundle(bucket=BUCKET, release=self.release.sha256, site=self.site.sha256),
            lifecycle=Lifecycle(
                group="inland-edge",
                launch_hook=LAUNCH,
                terminate_hook=DRAIN,
                drain_seconds=DRAIN_SECONDS,
            ),
            health_port=HEALTH_PORT,
            endpoint=f"http://{METADATA}",
            role=role,
        )

    def lay_out(self, document: NodeDocument) -> None:
        """The machine's disk before its first boot."""
        lay_out(
            self.image,
            self.root,
            user_data=user_data(document, ARCHITECTURE),
            authority=self.authority.path,
            hosts=[f"{GATEWAY} {STORE} {CONTROL} {KMS} {S3}"],
        )

    @contextmanager
    def boot(self) -> Iterator[Machine]:
        """Power on, and off at the end; the journal is shown when what happens meanwhile fails."""
        with booted(self.root, self.wire, self.folder / "console.log") as machine:
            try:
                yield machine
            except BaseException as error:
                error.add_note(machine.run("journalctl", "--lines=400", check=False))
                raise


@contextmanager
def stage(folder: Path, image: Path, release: Packed, site: Packed) -> Iterator[Stage]:
    """Stand everything up; no bundle is in the bucket yet, every secret has its value."""
    folder.mkdir(parents=True, exist_ok=True)
    authority = Authority(folder)
    with ExitStack() as closing:
        closing.callback(shutil.rmtree, folder / "root", ignore_errors=True)
        near = (f"{GATEWAY}/24", f"{METADATA}/32")
        network, wire = closing.enter_context(cable(near, (f"{ADDRESS}/24",), GATEWAY))
        translate(network, PUBLIC, ADDRESS)
        metadata = Metadata(
            instance_id=INSTANCE, region=REGION, local_ipv4=ADDRESS, public_ipv4=PUBLIC
        )
        cloud = closing.enter_context(region_cloud(network, metadata))
        keeping = store(network, folder, authority, TENANT)
        closing.enter_context(running(keeping, "accept connections", folder / "store.log"))
        (folder / "law").mkdir()
        law = sign_policy(folder / "law", {})
        deciding = control_plane(network, folder, DEMO / "tenants.yaml", law.section)
        closing.enter_context(running(deciding, "ready on", folder / "control-plane.log"))
        sealing_key = network.call(lambda: _supply(cloud))
        control = TlsFront(
            (GATEWAY, CONTROL_TLS_PORT), (GATEWAY, CONTROL_PORT), authority.issue(CONTROL)
        )
        closing.enter_context(fronted(network, control))
        services = TlsFront((GATEWAY, 443), cloud.api, authority.issue(KMS, S3))
        closing.enter_context(fronted(network, services))
        yield Stage(
            cloud=cloud,
            wire=wire,
            folder=folder,
            authority=authority,
            image=image,
            release=release,
            site=site,
            services=services,
            law=law,
            sealing_key=sealing_key,
        )


def _supply(cloud: RegionCloud) -> str:
    """Give secrets their values, and make keys and buckets; the key of recordings (ARN)."""
    values = {
        "inland/eu-central-1/node-secret": NODE_SECRET,
        "inland/eu-central-1/region-key": new_key_file(REGION),
        "inland/eu-central-1/turn": TURN_SECRET,
        "inland/control-plane/eu-central-1/a/signing-key": _signing_key(),
        "inland/control-plane/operator-key": OPERATOR_SHA256,
    }
    for name, value in values.items():
        cloud.operator.supply(name, value)
    keys = cloud.operator.client("kms")
    # moto leaves out what AWS never does.
    key = keys.create_key(KeyUsage="ENCRYPT_DECRYPT")["KeyMetadata"]["KeyId"]
    keys.create_alias(AliasName=f"alias/inland/{REGION}/{TENANT}", TargetKeyId=key)
    for bucket in (BUCKET, RECORDINGS):
        cloud.operator.client("s3").create_bucket(
            Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION}
        )
    return str(keys.create_key(KeyUsage="ENCRYPT_DECRYPT")["KeyMetadata"]["Arn"])


def _signing_key() -> str:
    key = Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
