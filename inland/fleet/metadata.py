"""The instance metadata service of EC2, version 2 ("Use the Instance Metadata Service to access
instance metadata", Amazon EC2 User Guide, 2026-11-21)."""

from __future__ import annotations

from dataclasses import dataclass

import aiohttp

from inland.fleet.errors import MetadataAway, Unusable

ENDPOINT = "http://169.254.169.254"
TOKEN_SECONDS = 21_600
TIMEOUT_SECONDS = 3.0
MAX_BYTES = 16 * 1024
TARGET_STATE = "autoscaling/target-lifecycle-state"
SPOT_ACTION = "spot/instance-action"
REBALANCE = "events/recommendations/rebalance"


class Metadata:
    """Asks for categories; renews its session token when that has run out."""

    def __init__(self, http: aiohttp.ClientSession, endpoint: str | None = None) -> None:
        self._http = http
        self._base = (endpoint or ENDPOINT).rstrip("/")
        self._token: str | None = None
        self._timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)

    async def get(self, category: str) -> str | None:
        """The text of a category, None when there is no such. Raises :class:`MetadataAway`."""
        try:
            status, text = await self._ask(category)
            if status == 401:
                self._token = None
                status, text = await self._ask(category)
        except (aiohttp.ClientError, TimeoutError, UnicodeDecodeError) as error:
            raise MetadataAway(type(error).__name__) from error
        if status == 404:
            return None
        if status != 200:
            raise MetadataAway(f"status {status}")
        return text

    async def _ask(self, category: str) -> tuple[int, str]:
        if self._token is None:
            self._token = await self._new_token()
        async with self._http.get(
            f"{self._base}/latest/meta-data/{category}",
            headers={"X-aws-ec2-metadata-token": self._token},
            timeout=self._timeout,
            allow_redirects=False,
        ) as answer:
            return answer.status, (await answer.content.read(MAX_BYTES)).decode()

    async def _new_token(self) -> str:
        async with self._http.put(
            f"{self._base}/latest/api/token",
            headers={"X-aws-ec2-metadata-token-ttl-seconds": str(TOKEN_SECONDS)},
            timeout=self._timeout,
            allow_redirects=False,
        ) as answer:
            if answer.status != 200:
                raise MetadataAway(f"no token: status {answer.status}")
            return (await answer.content.read(MAX_BYTES)).decode("ascii")


@dataclass(frozen=True, slots=True)
class Machine:
    """What the metadata say of the machine, and what it has. ``cpus``: that we may run on."""

    instance_id: str
    region: str
    local_ipv4: str
    public_ipv4: str | None
    cpus: int


async def read_machine(metadata: Metadata, region: str, cpus: int) -> Machine:
    """The machine's facts. Raises :class:`MetadataAway`, and :class:`Unusable` when it stands
    anywhere but in ``region``."""
    found = {
        name: await metadata.get(name)
        for name in ("instance-id", "local-ipv4", "public-ipv4", "placement/region")
    }
    instance, address = found["instance-id"], found["local-ipv4"]
    if instance is None or address is None:
        raise MetadataAway("no instance-id or local-ipv4")
    if found["placement/region"] != region:
        raise Unusable(
            f"this machine stands in {found['placement/region']} and was told to serve {region}: "
            "start it in its own region"
        )
    return Machine(instance, region, address, found["public-ipv4"], cpus)
