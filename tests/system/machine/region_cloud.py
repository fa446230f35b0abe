"""What stands around a machine of a region, as far as it is not the machine: AWS, store, control.

AWS is moto and what moto lacks: the instance metadata, the lifecycle actions of EC2 Auto Scaling,
and a check of what requests to S3 are signed with. The store is a redis-server with TLS, the
control plane Inland's own. A rehearsal: nothing here shows that AWS would answer the same.
"""

from __future__ import annotations

import asyncio
import hashlib
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.request import Request, urlopen

import yaml
from aiohttp import web
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from moto.acm.models import CertBundle, acm_backends
from moto.server import ThreadedMotoServer

from infra.documents.store import access_string
from tests.edge.transport.sip.net.certificates import Authority
from tests.fakes.autoscaling import FakeAutoScaling
from tests.fakes.imds import FakeImds, Machine
from tests.inland.fleet.cloud import Operator
from tests.system.machine.namespaces import Namespace

METADATA = "169.254.169.254"
GATEWAY = "10.20.0.1"
STORE = "store.example.org"
STORE_PORT = 6379
CONTROL_PORT = 7000
CONTROL, CONTROL_TLS_PORT = "control.example.org", 7443
"""Where nodes find the control plane; callers are on its own side of the wire."""
KMS = "kms.eu-central-1.amazonaws.com"
S3 = "s3.eu-central-1.amazonaws.com"
NODE_SECRET = "a-node-secret-of-the-rehearsal"
OPERATOR_KEY = "an-operator-key-of-the-rehearsal"
OPERATOR_SHA256 = hashlib.sha256(OPERATOR_KEY.encode()).hexdigest()


class CloudEnd(FakeImds):
    """The metadata, and every request to AWS, at the address of the metadata."""

    def __init__(self, machine: Machine, api: str) -> None:
        super().__init__(machine, api=api, host=METADATA, port=80)
        self.fetched: list[tuple[str, int]] = []
        """Objects that were asked of S3, with the status of the answer."""
        self.forged: list[str] = []
        """Requests to S3 whose signature is not that of the machine's credentials."""

    async def _forward(self, request: web.Request) -> web.Response:
        if "/s3/aws4_request" not in request.headers.get("Authorization", ""):
            return await super()._forward(request)
        if not self._is_signed(request):
            self.forged.append(request.path)
            return web.Response(status=403)
        answer = await super()._forward(request)
        self.fetched.append((request.path, answer.status))
        return answer

    def _is_signed(self, request: web.Request) -> bool:
        """Compute the signature again with botocore (AWS Signature Version 4)."""
        machine = self.machine
        credentials = Credentials(machine.access_key, machine.secret_key, machine.session_token)
        auth = S3SigV4Auth(credentials, "s3", machine.region)
        given = dict(
            part.strip().split("=", 1)
            for part in request.headers["Authorization"].partition(" ")[2].split(",")
        )
        signed = given["SignedHeaders"].split(";")
        if not {"host", "x-amz-content-sha256", "x-amz-date", "x-amz-security-token"} <= {*signed}:
            return False
        again = AWSRequest(
            request.method,
            f"http://{request.host}{request.raw_path}",
            headers={name: request.headers[name] for name in signed},
        )
        again.context["timestamp"] = request.headers["x-amz-date"]
        text = auth.string_to_sign(again, auth.canonical_request(again))
        return bool(given["Signature"] == auth.signature(text, again))


@dataclass(frozen=True, slots=True)
class RegionCloud:
    """AWS around the machine: its own address, the group that it belongs to, who owns the account.

    Whatever asks it runs in the cloud's namespace.
    """

    network: Namespace
    end: CloudEnd
    group: FakeAutoScaling
    operator: Operator
    api: tuple[str, int]
    """Where moto listens."""


@contextmanager
def region_cloud(network: Namespace, machine: Machine) -> Iterator[RegionCloud]:
    """Stand it up in ``network``: moto, in front of it the group, in front of that the metadata."""
    moto = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    network.call(moto.start)
    host, port = moto.get_host_and_port()
    api = f"http://{host}:{port}"
    network.call(lambda: urlopen(Request(f"{api}/moto-api/reset", method="POST")).close())
    started = threading.Event()
    stands: list[tuple[RegionCloud, asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def serve() -> None:
        stop = asyncio.Event()
        async with FakeAutoScaling(api=api) as group:
            end = CloudEnd(machine, group.url)
            async with end:
                cloud = RegionCloud(network, end, group, Operator(api), (host, port))
                stands.append((cloud, asyncio.get_running_loop(), stop))
                started.set()
                await stop.wait()

    thread = network.thread(lambda: asyncio.run(serve()))
    try:
        assert started.wait(30), "the fake cloud does not start"
        cloud, loop, stop = stands[0]
        yield cloud
        loop.call_soon_threadsafe(stop.set)
        thread.join(30)
    finally:
        moto.stop()


def certify(cloud: RegionCloud, domain: str, authority: Authority) -> str:
    """The ARN of an exportable certificate of ``authority`` for every name below ``domain``.

    moto signs by a key that it throws away: what it issued is replaced inside of it.
    """
    arn = cloud.network.call(lambda: cloud.operator.certificate(domain))
    files = authority.issue(f"*.{domain}")
    _, _, _, region, account, _ = arn.split(":", 5)
    acm_backends[account][region]._certificates[arn] = CertBundle(
        account,
        files.certificate.read_bytes(),
        files.key.read_bytes(),
        chain=authority.path.read_bytes(),
        region=region,
        arn=arn,
        cert_options={"Export": "ENABLED"},
    )
    return arn


@contextmanager
def running(command: list[str], ready: str, log: Path) -> Iterator[None]:
    """A program, from its word ``ready`` until it is ended."""
    with log.open("w+") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=output, text=True
        )
        try:
            assert process.stdout is not None
            for line in process.stdout:
                output.write(line)
                if ready in line:
                    break
            else:
                raise AssertionError(f"{command}: {log.read_text()}")
            yield
        finally:
            process.terminate()
            process.communicate(timeout=30)


def store(network: Namespace, folder: Path, authority: Authority, *tenants: str) -> list[str]:
    """The command of a store with TLS, whose tenants log in with whatever token they have."""
    files = authority.issue(STORE)
    config = folder / "redis.conf"
    lines = [
        *("port 0", f"tls-port {STORE_PORT}", f"bind {GATEWAY}", "save ''", f"dir {folder}"),
        *(f"tls-cert-file {files.certificate}", f"tls-key-file {files.key}"),
        *("tls-auth-clients no", "user default off"),
        *(f"user inland-{tenant} nopass {access_string(tenant)}" for tenant in tenants),
    ]
    config.write_text("\n".join(lines) + "\n")
    return network.command("redis-server", str(config))


def control_plane(
    network: Namespace, folder: Path, tenants: Path, policy: Mapping[str, object]
) -> list[str]:
    """The command of a control plane that knows the region's nodes; ``policy`` is that section of
    its settings."""
    config = folder / "control-plane.yaml"
    settings = {
        "host": GATEWAY,
        "port": CONTROL_PORT,
        "tenants": str(tenants),
        "key_file": str(folder / "signing.key"),
        "operator_key": OPERATOR_SHA256,
        "node_secrets": {"eu-central-1": [hashlib.sha256(NODE_SECRET.encode()).hexdigest()]},
        "policy": dict(policy),
    }
    config.write_text(yaml.safe_dump(settings))
    return network.command(sys.executable, "-m", "inland", "control-plane", "--config", str(config))
