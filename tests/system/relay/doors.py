"""What runs inside a namespace as a process of its own: the page, and the balancer's TLS.

``python -m tests.system.relay.doors page CONFIG`` serves the demo's page on 127.0.0.1:8080;
``… tls CHAIN KEY`` ends TLS at the balancer and passes the rest on to the relay;
``… placed KEY`` ends when the control plane places a caller.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path

import aiohttp
from aiohttp import web

from inland.demo.page import create_page
from tests.system.relay.network import (
    BALANCER,
    CONTROL_PORT,
    EDGE,
    EDGE_PORT,
    EDGE_PUBLIC,
    RELAY,
    TURN_PORT,
    TURNS_PORT,
)

PAGE_PORT = 8080
CONTROL = f"http://{EDGE_PUBLIC}:{CONTROL_PORT}"


async def page(config: str) -> None:
    """Serve the page to a browser of the same machine."""
    edge = f"http://{EDGE_PUBLIC}:{EDGE_PORT}"
    runner = web.AppRunner(create_page(json.loads(config), [CONTROL, edge]), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", PAGE_PORT).start()
    await asyncio.Event().wait()


async def tls(chain: str, key: str) -> None:
    """A TLS listener as a network load balancer has it: bytes in, bytes out."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(Path(chain), Path(key))

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection(RELAY, TURN_PORT)
        async with asyncio.TaskGroup() as group:
            group.create_task(_pour(reader, inner_writer))
            group.create_task(_pour(inner_reader, writer))

    server = await asyncio.start_server(pass_on, BALANCER, TURNS_PORT, ssl=context)
    await server.serve_forever()


async def _pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


async def placed(key: str) -> None:
    """Ask for a place until there is one; whoever started this bounds the time."""
    url = f"http://{EDGE}:{CONTROL_PORT}/v1/route"
    asked = {"agent": "clinic-reception", "country": "DE"}
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {key}"}) as http:
        while True:
            with contextlib.suppress(aiohttp.ClientError):
                async with http.post(url, json=asked) as answer:
                    if answer.status == 200:
                        return
            await asyncio.sleep(0.2)


if __name__ == "__main__":
    doors: dict[str, Callable[..., Coroutine[None, None, None]]]
    doors = {"page": page, "tls": tls, "placed": placed}
    asyncio.run(doors[sys.argv[1]](*sys.argv[2:]))
