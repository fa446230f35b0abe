"""S3 as moto doubles it, behind a real HTTP server on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import boto3
from botocore.config import Config
from moto.server import ThreadedMotoServer

from edge.recording.bucket import BucketArchive
from edge.recording.settings import RecordingsSettings
from tests.edge.session.parts import EU

ACCOUNT = "123456789012"
"""moto's."""
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "s"}


@dataclass
class S3Server:
    """``url`` is its endpoint."""

    url: str

    def client(self, region: str = EU) -> Any:
        """As an operator has it."""
        return boto3.client(
            "s3",
            region_name=region,
            endpoint_url=self.url,
            config=Config(s3={"addressing_style": "path"}),
        )

    def bucket(self, name: str, region: str = EU) -> str:
        """Make one; its name."""
        client = self.client(region)
        client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": region})
        client.close()
        return name

    def settings(self, bucket: str, **more: Any) -> RecordingsSettings:
        """Of a node that keeps its recordings there."""
        return RecordingsSettings(bucket=bucket, endpoint=self.url, **more)

    def archive(self, bucket: str, region: str = EU, **more: Any) -> BucketArchive:
        """As a node of ``region`` opens it."""
        return BucketArchive.open(self.settings(bucket, **more), region)


@contextmanager
def s3_server() -> Iterator[S3Server]:
    """A server with nothing in it; this process's credentials are its own meanwhile."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    with patch.dict("os.environ", CREDENTIALS):
        server.start()
        try:
            host, port = server.get_host_and_port()
            yield S3Server(f"http://{host}:{port}")
        finally:
            server.stop()
