"""The demo page's server: static files, and the addresses that this demo runs on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from aiohttp import web

import web_demo

FOLDER = Path(web_demo.__file__).parent
KINDS = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".ico": "image/x-icon",
}
"""What of the folder is served, and as what; its Python and Markdown are not. A machine's own table
of types may call a script plain text, which a browser then does not run."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def create_page(config: Mapping[str, object], connect: Sequence[str]) -> web.Application:
    """The page. ``connect`` lists the origins it may talk to; the browser enforces it."""
    policy = "; ".join(
        [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' data:",
            "media-src 'self' blob:",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            f"connect-src 'self' {' '.join(connect)}",
        ]
    )

    @web.middleware
    async def harden(request: web.Request, handler: Handler) -> web.StreamResponse:
        response = await handler(request)
        response.headers["Content-Security-Policy"] = policy
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["Permissions-Policy"] = "microphone=(self), camera=(), geolocation=()"
        response.headers["Cache-Control"] = "no-cache"
        return response

    async def configuration(request: web.Request) -> web.Response:
        return web.json_response(config)

    app = web.Application(middlewares=[harden])
    app.router.add_get("/config.json", configuration)
    for path in sorted(FOLDER.rglob("*")):
        if path.is_file() and path.suffix in KINDS:
            name = path.relative_to(FOLDER).as_posix()
            app.router.add_get(f"/{name}", _file(path))
            if name == "index.html":
                app.router.add_get("/", _file(path))
    return app


def _file(path: Path) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def serve(request: web.Request) -> web.StreamResponse:
        kind = f"{KINDS[path.suffix]}; charset=utf-8"
        return web.FileResponse(path, headers={"Content-Type": kind})

    return serve
