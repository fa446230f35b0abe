"""The instance metadata service of EC2, version 2, on an address of the test's choice.

Written from "Use the Instance Metadata Service" and "Instance metadata categories" (Amazon EC2 User
Guide) and "Retrieve the target lifecycle state through instance metadata" (Amazon EC2 Auto Scaling
User Guide), 2026-11-21. A test changes the fields of :class:`Machine` while it serves.

``NodeDocument.endpoint`` is one address for the metadata *and* the AWS API, so whatever is not
below ``/latest/`` goes on to ``api`` when there is one (moto's server).
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field

from aiohttp import ClientSession, web
from yarl import URL

from tests.fakes.clock import FakeClock

TOKEN_PATH = "/latest/api/token"
TOKEN_HEADER = "X-aws-ec2-metadata-token"
TTL_HEADER = "X-aws-ec2-metadata-token-ttl-seconds"
MAX_TTL = 21_600
HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "transfer-encoding", "content-length", "content-encoding", "te"}
)


@dataclass
class Machine:
    """What the metadata say of one instance. None: the category is absent (404)."""

    instance_id: str = "i-0123456789abcdef0"
    region: str = "eu-central-1"
    zone: str = "eu-central-1a"
    local_ipv4: str = "10.20.0.10"
    public_ipv4: str | None = "203.0.113.10"
    target_lifecycle_state: str | None = "InService"
    """``autoscaling/target-lifecycle-state``: InService, Warmed:Stopped, Terminated, …"""
    spot_action: dict[str, str] | None = None
    """``spot/instance-action``: {"action": "terminate", "time": "2026-11-21T08:22:00Z"}."""
    rebalance_notice: str | None = None
    """``events/recommendations/rebalance``: when it was given, ISO 8601."""
    user_data: str | None = None
    role: str | None = "inland-node"
    access_key: str = "AKIAIOSFODNN7EXAMPLE"
    secret_key: str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
    session_token: str = "IQoJb3JpZ2luX2VjEXAMPLE"
    credentials_expire: str = "2099-01-01T00:00:00Z"
    more: dict[str, str] = field(default_factory=dict)
    """Further categories: path below ``/latest/meta-data/`` to text."""

    def categories(self) -> dict[str, str]:
        """Every category that is there: path below ``/latest/meta-data/`` to text."""
        spot = None if self.spot_action is None else json.dumps(self.spot_action)
        rebalance = self.rebalance_notice and json.dumps({"noticeTime": self.rebalance_notice})
        found = {
            "instance-id": self.instance_id,
            "local-ipv4": self.local_ipv4,
            "public-ipv4": self.public_ipv4,
            "placement/region": self.region,
            "placement/availability-zone": self.zone,
            "autoscaling/target-lifecycle-state": self.target_lifecycle_state,
            "spot/instance-action": spot,
            "events/recommendations/rebalance": rebalance,
        }
        if self.role is not None:
            found["iam/security-credentials/"] = self.role
            found[f"iam/security-credentials/{self.role}"] = self._credentials()
        return {path: text for path, text in found.items() if text is not None} | self.more

    def _credentials(self) -> str:
        return json.dumps(
            {
                "Code": "Success",
                "LastUpdated": "2026-11-21T08:00:00Z",
                "Type": "AWS-HMAC",
                "AccessKeyId": self.access_key,
                "SecretAccessKey": self.secret_key,
                "Token": self.session_token,
                "Expiration": self.credentials_expire,
            }
        )


class FakeImds:
    """Serve ``machine`` at ``url`` while entered.

    Tokens run out by ``clock``, which the test advances, or all at once by
    :meth:`forget_tokens`. ``failing`` makes every request end with that HTTP status.
    """

    def __init__(
        self,
        machine: Machine | None = None,
        *,
        api: str | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        clock: FakeClock | None = None,
    ) -> None:
        self.machine = machine or Machine()
        self.api = api
        self.url = ""
        self.failing: int | None = None
        self.asked: list[str] = []
        """Paths of the metadata that were answered with a valid token, oldest first."""
        self.tokens_given = 0
        self._host, self._port = host, port
        self._clock = clock or FakeClock()
        self._tokens: dict[str, float] = {}
        self._runner: web.AppRunner | None = None
        self._client: ClientSession | None = None

    async def __aenter__(self) -> FakeImds:
        app = web.Application(client_max_size=64 * 1024**2)
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._client = ClientSession(auto_decompress=False)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port).start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
        if self._client is not None:
            await self._client.close()

    def forget_tokens(self) -> None:
        """Every token that was given is refused from now on, as after its expiry."""
        self._tokens.clear()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if not request.path.startswith("/latest/"):
            return await self._forward(request)
        if self.failing is not None:
            return web.Response(status=self.failing)
        if request.path == TOKEN_PATH:
            return self._token(request)
        return self._metadata(request)

    def _token(self, request: web.Request) -> web.Response:
        seconds = request.headers.get(TTL_HEADER, "")
        if request.method != "PUT":
            return web.Response(status=405)
        if "X-Forwarded-For" in request.headers:
            return web.Response(status=403)
        if not seconds.isdecimal() or not 1 <= int(seconds) <= MAX_TTL:
            return web.Response(status=400)
        token = secrets.token_urlsafe(40)
        self._tokens[token] = self._clock.monotonic() + int(seconds)
        self.tokens_given += 1
        return web.Response(text=token, headers={TTL_HEADER: seconds})

    def _metadata(self, request: web.Request) -> web.Response:
        token = request.headers.get(TOKEN_HEADER, "")
        if self._tokens.get(token, float("-inf")) <= self._clock.monotonic():
            return web.Response(status=401)
        self.asked.append(request.path)
        if request.path == "/latest/user-data":
            text = self.machine.user_data
        else:
            categories = self.machine.categories()
            path = request.path.removeprefix("/latest/meta-data/")
            text = categories.get(path)
            if text is None and path == "iam/security-credentials":
                text = categories.get("iam/security-credentials/")
        return web.Response(status=404) if text is None else web.Response(text=text)

    async def _forward(self, request: web.Request) -> web.Response:
        if self.api is None or self._client is None:
            return web.Response(status=404)
        return await forward(request, self.api, self._client)


async def forward(request: web.Request, base: str, client: ClientSession) -> web.Response:
    """Ask the server at ``base`` what we were asked, and pass its answer on."""
    headers = {k: v for k, v in request.headers.items() if k.lower() not in HOP_BY_HOP}
    async with client.request(
        request.method,
        URL(base + request.raw_path, encoded=True),
        headers=headers,
        data=await request.read(),
        allow_redirects=False,
    ) as answer:
        kept = {k: v for k, v in answer.headers.items() if k.lower() not in HOP_BY_HOP}
        if "Content-Encoding" in answer.headers:
            kept["Content-Encoding"] = answer.headers["Content-Encoding"]
        return web.Response(status=answer.status, headers=kept, body=await answer.read())
