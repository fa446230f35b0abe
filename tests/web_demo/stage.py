"""Where the page is tested: its server, a control plane, edges, and a browser tab."""

from __future__ import annotations

import asyncio
import json
import wave
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from aiohttp import web
from playwright.async_api import ConsoleMessage, Page, expect

from control_plane.contract import Problem, RegionVerdict
from tests.fakes.scripted_edge import (
    HANG_SECONDS,
    ScriptedCall,
    ScriptedControlPlane,
    ScriptedEdge,
    serve,
)

expect.set_options(timeout=1000 * HANG_SECONDS)

WEB_DEMO = Path(__file__).parents[2] / "web_demo"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    "--allow-loopback-in-peer-connection",
]
SILENCE_MS = 2000
"""After which the page takes an edge for dead."""
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src blob:; "
    "connect-src 'self' http://127.0.0.1:*; base-uri 'none'; form-action 'none'"
)

Verdicts = tuple[RegionVerdict, ...]
REGIONS: list[dict[str, object]] = [
    {
        "id": "eu-central-1",
        "name": "Frankfurt",
        "country": "DE",
        "jurisdiction": "European Economic Area",
        "runs": True,
    },
    {
        "id": "eu-west-1",
        "name": "Dublin",
        "country": "IE",
        "jurisdiction": "European Economic Area",
        "runs": True,
    },
    {
        "id": "ap-south-1",
        "name": "Mumbai",
        "country": "IN",
        "jurisdiction": "India",
        "runs": True,
    },
    {
        "id": "me-central-1",
        "name": "Dubai",
        "country": "AE",
        "jurisdiction": "United Arab Emirates",
    },
]
COUNTRIES = {
    "DE": "Germany",
    "FR": "France",
    "IE": "Ireland",
    "IN": "India",
    "AE": "United Arab Emirates",
    "NO": "Norway",
    "US": "United States",
}
FROM_GERMANY = (
    RegionVerdict(
        region="eu-central-1", allowed=True, reason="eea: personal data may stay in the EEA"
    ),
    RegionVerdict(
        region="eu-west-1", allowed=True, reason="eea: personal data may stay in the EEA"
    ),
    RegionVerdict(
        region="ap-south-1",
        allowed=False,
        reason="in India: calls from the EEA stay in the EEA (GDPR Chapter V)",
    ),
    RegionVerdict(
        region="me-central-1",
        allowed=False,
        reason="in the United Arab Emirates: calls from the EEA stay in the EEA (GDPR Chapter V)",
    ),
)
WORLD = [
    {
        "id": f"us-west-{number}",
        "name": f"Harbour {number}",
        "country": "US",
        "countryName": "United States",
        "jurisdiction": "United States",
        "runs": False,
    }
    for number in range(1, 21)
]
"""As many more as a full catalogue has: none of them runs."""
NOWHERE = Problem(
    code="no_region_allowed",
    title="No region may serve this call",
    status=403,
    detail="No region is allowed by the law of us and the contract of clinic-eu.",
    regions=tuple(
        RegionVerdict(
            region=str(region["id"]), allowed=False, reason="contract: only callers from the EEA"
        )
        for region in REGIONS
    ),
)


def verdicts_of(*, country: str, regions: Sequence[Mapping[str, object]]) -> Verdicts:
    """Refused all, for one reason."""
    return tuple(
        RegionVerdict(
            region=str(region["id"]),
            allowed=False,
            reason=f"in the {region['jurisdiction']}: calls from {country} stay there (Article 1)",
        )
        for region in regions
    )


def config() -> Mapping[str, object]:
    """What the demo's server tells the page."""
    return {
        "controlPlane": "",
        "drills": True,
        # Shorter than for a real edge, because tests wait for it; eight beats of the scripted one,
        # because a busy machine may hold up some. Not shorter than what the page takes for a sleep
        # of its own machine.
        "silenceMs": SILENCE_MS,
        "tenants": [
            {
                "id": "clinic-eu",
                "name": "Riverside Clinic",
                "agent": "clinic-reception",
                "key": "pk_demo_clinic",
                "hint": ["I would like to book an appointment", "What are your opening hours"],
            },
            {
                "id": "bank-in",
                "name": "Lotus Bank",
                "agent": "bank-desk",
                "key": "pk_demo_bank",
                "hint": ["I lost my card"],
            },
        ],
        "countries": [{"code": code, "name": name} for code, name in COUNTRIES.items()],
        "defaultCountry": "DE",
    }


def talk_wav(path: Path) -> Path:
    """A recording for the fake microphone: bursts of a tone, 48 kHz mono, two seconds."""
    at = np.arange(96_000) / 48_000
    burst = (at % 0.5 < 0.25) * np.sin(2 * np.pi * 300 * at) * 9000
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(48_000)
        out.writeframes(burst.astype(np.int16).tobytes())
    return path


class Stage:
    """One test's whole world. ``page`` is a fresh tab that has not been opened yet."""

    def __init__(self, page: Page, edge: ScriptedEdge, other: ScriptedEdge) -> None:
        self.page, self.edge, self.other = page, edge, other
        self.control = ScriptedControlPlane()
        self.faults: list[str] = []
        self.url = ""
        self.regions: Sequence[Mapping[str, object]] = REGIONS
        self._runner: web.AppRunner | None = None
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("console", self._listen)

    def _listen(self, message: ConsoleMessage) -> None:
        # A refused request is logged by the browser itself; the page must handle it, not hide it.
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            self.faults.append(message.text)

    async def open(self) -> None:
        """Serve the page under a strict content security policy and open it."""
        app = web.Application()
        self.control.offer(self.edge, self.other, verdicts=FROM_GERMANY)
        self.control.routes(app)

        async def configuration(request: web.Request) -> web.Response:
            return web.json_response(
                {
                    **config(),
                    "controlPlane": str(request.url.origin()),
                    "regions": self.regions,
                },
                dumps=json.dumps,
            )

        async def index(request: web.Request) -> web.FileResponse:
            return web.FileResponse(WEB_DEMO / "index.html")

        async def secure(request: web.Request, response: web.StreamResponse) -> None:
            response.headers["Content-Security-Policy"] = CSP

        app.on_response_prepare.append(secure)
        app.router.add_get("/config.json", configuration)
        app.router.add_get("/", index)
        app.router.add_static("/", WEB_DEMO)
        self._runner, self.url = await serve(app)
        await self.page.goto(self.url)
        await self.page.wait_for_selector('body[data-phase="idle"]')

    async def show_the_world(self) -> None:
        """Open the page again, with a catalogue of 24 regions of which three run."""
        self.regions = [*REGIONS, *WORLD]
        await self.page.reload()
        await self.page.wait_for_selector('body[data-phase="idle"]')

    async def call(self) -> ScriptedCall:
        """Press *Call*; returns the edge's side once the page says that it is connected."""
        await self.page.click("#call")
        return await self.connected(self.edge)

    async def connected(self, edge: ScriptedEdge) -> ScriptedCall:
        call = await edge.next_call()
        await self.page.wait_for_selector('body[data-phase="live"]')
        return call

    async def until(self, condition: str) -> None:
        """Returns at the first frame at which ``condition``, a JavaScript expression, holds.

        Playwright's own ``wait_for_function`` evaluates strings in the page, which the content
        security policy refuses.
        """
        look = f"const look = () => ({condition}) ? done() : requestAnimationFrame(look); look();"
        waited = self.page.evaluate(f"() => new Promise((done) => {{ {look} }})")
        await asyncio.wait_for(waited, HANG_SECONDS)

    async def close(self) -> None:
        await self.page.close()
        if self._runner is not None:
            await self._runner.cleanup()
