"""A machine before it is prepared, and all that preparing it asks."""

from __future__ import annotations

from pathlib import Path

from aiohttp import ClientSession

from edge.session.keys import new_key_file
from infra.cloud_init.document import (
    ControlPlaneRole,
    EdgeRole,
    NodeDocument,
    TurnRole,
)
from inland.fleet.aws import Aws
from inland.fleet.metadata import Metadata
from inland.fleet.places import Places
from inland.fleet.policy_carrier import PolicyCarrier
from inland.fleet.prepare import Preparation
from inland.fleet.supplies import Supplies
from tests.fakes.autoscaling import FakeAutoScaling
from tests.fakes.imds import FakeImds
from tests.fakes.stepping_clock import SteppingClock
from tests.inland.fleet.cloud import Operator
from tests.inland.fleet.documents import EDGE, document
from tests.inland.fleet.test_edge_files import PHONE

NODE_SECRET = "n0de-secret-n0de-secret"


class Rehearsal:
    """A machine before it is prepared, and the cloud around it."""

    def __init__(self, operator: Operator, imds: FakeImds, api: FakeAutoScaling, tmp: Path) -> None:
        self.operator, self.imds, self.api = operator, imds, api
        self.clock = SteppingClock()
        self.places = Places(run=tmp / "run", site=tmp / "site", state=tmp / "state")
        (self.places.site / "agents").mkdir(parents=True)

    def edge(self, *, phone: bool = False) -> EdgeRole:
        """An edge's role whose certificate and secrets are there."""
        self.operator.supply(EDGE.node_secret, NODE_SECRET)
        self.operator.supply(EDGE.region_key, new_key_file("eu-central-1"))
        arn = self.operator.certificate("eu.voice.example.org")
        changes: dict[str, object] = {"certificate": arn}
        if phone:
            (self.places.site / "phone.yaml").write_text(PHONE)
            changes["phone_secret"] = "inland/eu-central-1/phone"
            self.operator.supply("inland/eu-central-1/phone", '{"CARRIER_PASSWORD": "x"}')
        return EDGE.model_copy(update=changes)

    async def prepare(self, role: EdgeRole | TurnRole | ControlPlaneRole) -> NodeDocument:
        """Run it to its end."""
        told = document(role, endpoint=self.imds.url)
        aws = Aws(told.region, told.endpoint)
        try:
            async with ClientSession() as http:
                await Preparation(
                    document=told,
                    places=self.places,
                    metadata=Metadata(http, told.endpoint),
                    supplies=Supplies(aws, self.clock),
                    policy=PolicyCarrier(
                        aws,
                        self.clock,
                        bucket=told.bundle.bucket,
                        file=self.places.policy_bundle,
                    ),
                    http=http,
                    clock=self.clock,
                    cpus=2,
                ).run()
        finally:
            aws.close()
        return told
