"""The lifecycle actions of EC2 Auto Scaling, which moto does not have, in front of moto.

After "CompleteLifecycleAction" and "RecordLifecycleActionHeartbeat" (Amazon EC2 Auto Scaling API
Reference, 2026-11-21): what no waiting hook asked for is refused with ValidationError.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from urllib.parse import parse_qsl

from aiohttp import ClientSession, web

from tests.fakes.imds import forward
from tests.fakes.scripted_edge import serve

COMPLETE = "CompleteLifecycleAction"
HEARTBEAT = "RecordLifecycleActionHeartbeat"
PROTECT = "SetInstanceProtection"
OURS = (COMPLETE, HEARTBEAT, PROTECT)


class FakeAutoScaling:
    """Serve at ``url`` while entered. ``waiting`` are the hooks with an action under way."""

    def __init__(self, *waiting: str, api: str | None = None) -> None:
        self.url = ""
        self.waiting = set(waiting)
        self.results: list[tuple[str, str]] = []
        """Completed actions: hook and result."""
        self.beats: Counter[str] = Counter()
        self.protected: list[bool] = []
        self.refusals: dict[str, list[str]] = {}
        """Operation (or path of another service) to the error codes that its next calls get."""
        self.instances: set[str] = set()
        """Every instance that an accepted call named."""
        self.called = asyncio.Event()
        """Set after each lifecycle call; whoever waits clears it."""
        self._api = api
        self._client: ClientSession | None = None
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> FakeAutoScaling:
        app = web.Application(client_max_size=64 * 1024**2)
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._client = ClientSession(auto_decompress=False)
        self._runner, self.url = await serve(app)
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
        if self._client is not None:
            await self._client.close()

    async def _answer(self, request: web.Request) -> web.Response:
        target = request.headers.get("X-Amz-Target", "").rpartition(".")[2]
        form = dict(parse_qsl((await request.read()).decode(errors="replace")))
        name = target or form.get("Action") or request.path
        if self.refusals.get(name):
            return _refusal(self.refusals[name].pop(0), json_api=bool(target))
        if name in OURS:
            answer = self._lifecycle(name, form)
            self.called.set()
            return answer
        if self._api is None or self._client is None:
            return _refusal("InvalidAction", json_api=bool(target))
        return await forward(request, self._api, self._client)

    def _lifecycle(self, name: str, form: dict[str, str]) -> web.Response:
        if name == PROTECT:
            self.protected.append(form["ProtectedFromScaleIn"] == "true")
            self.instances.add(form["InstanceIds.member.1"])
            return _done(name)
        hook = form["LifecycleHookName"]
        if hook not in self.waiting:
            return _refusal("ValidationError", json_api=False)
        self.instances.add(form["InstanceId"])
        if name == HEARTBEAT:
            self.beats[hook] += 1
        else:
            self.waiting.discard(hook)
            self.results.append((hook, form["LifecycleActionResult"]))
        return _done(name)


def _done(name: str) -> web.Response:
    return web.Response(
        text=f'<{name}Response xmlns="http://autoscaling.amazonaws.com/doc/2011-01-01/">'
        f"<{name}Result/><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata>"
        f"</{name}Response>",
        content_type="text/xml",
    )


def _refusal(code: str, *, json_api: bool) -> web.Response:
    if json_api:
        return web.json_response({"__type": code, "message": "no"}, status=400)
    return web.Response(
        status=400,
        text=f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code>"
        "<Message>no</Message></Error><RequestId>r</RequestId></ErrorResponse>",
        content_type="text/xml",
    )
