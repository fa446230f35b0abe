"""moto behind a real HTTP server, and the credentials of one account in it."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch
from urllib.request import Request, urlopen

import boto3
from botocore.config import Config
from moto.route53.models import HostedZoneIdentifier
from moto.server import ThreadedMotoServer
from moto.utilities.id_generator import moto_id_manager

DOMAIN = "example.org"
"""Above the domains of all shipped stacks."""
OPERATOR = "arn:aws:iam::{account}:role/operator"


class Cloud:
    """All regions of one account; clients are kept. Thread-safe."""

    def __init__(self, endpoint: str, account: str) -> None:
        """Assumes a role of ``account``: moto then keeps its resources apart from others'."""
        self.endpoint = endpoint
        self._lock = threading.Lock()
        self._clients: dict[tuple[str, str], Any] = {}
        outside = boto3.Session("anybody", "anybody", region_name="us-east-1")
        sts = outside.client("sts", endpoint_url=endpoint)
        role = OPERATOR.format(account=account)
        given = sts.assume_role(RoleArn=role, RoleSessionName="rehearsal")["Credentials"]
        sts.close()
        self._session = boto3.Session(
            given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"]
        )

    def client(self, service: str, region: str) -> Any:
        """A client of boto3 that asks moto."""
        with self._lock:
            if (service, region) not in self._clients:
                self._clients[service, region] = self._session.client(
                    service,
                    region_name=region,
                    endpoint_url=self.endpoint,
                    config=Config(
                        s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}
                    ),
                )
            return self._clients[service, region]

    def regions(self, service: str) -> list[str]:
        """Every region in which botocore knows the service, in AWS's ordinary partition."""
        return sorted(self._session.get_available_regions(service))

    def close(self) -> None:
        """Close the connections of all clients."""
        for client in self._clients.values():
            client.close()


@dataclass(frozen=True, slots=True)
class Aws:
    """One region of a cloud, and whose it is."""

    cloud: Cloud
    region: str

    def __getattr__(self, service: str) -> Any:
        """``aws.ec2`` is the client of EC2 in this region."""
        return self.cloud.client(service, self.region)

    @property
    def account(self) -> str:
        """Whom AWS takes the caller for."""
        return str(self.sts.get_caller_identity()["Account"])


@contextmanager
def moto() -> Iterator[str]:
    """A server on a free port of loopback, empty at the start; yields its address."""
    # Thousands of images for each region that is asked: nobody here starts from one of them.
    with patch.dict(os.environ, MOTO_EC2_LOAD_DEFAULT_AMIS="false"):
        server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
        server.start()
        try:
            host, port = server.get_host_and_port()
            urlopen(Request(f"http://{host}:{port}/moto-api/reset", method="POST")).close()
            yield f"http://{host}:{port}"
        finally:
            server.stop()


def serve_zone(cloud: Cloud, account: str, zone_id: str) -> None:
    """The hosted zone that an operator has before any stack, under the id in the stack file."""
    zones = cloud.client("route53", "us-east-1")
    if any(zone["Id"].endswith(zone_id) for zone in zones.list_hosted_zones()["HostedZones"]):
        return
    moto_id_manager.set_custom_id(HostedZoneIdentifier(account, f"{DOMAIN}.", None), zone_id)
    made = zones.create_hosted_zone(Name=DOMAIN, CallerReference=zone_id)
    assert made["HostedZone"]["Id"] == f"/hostedzone/{zone_id}"
