"""Inland is an extension of a PBX: registered with digest, and reached by those who dial it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from inland.bench.private_node import REGION
from inland.caller.options import AGENT
from inland.demo.phone import TENANT
from tests.peers import callers
from tests.peers.agents import write_agent
from tests.peers.baresip import Account, Baresip
from tests.peers.kamailio import Kamailio
from tests.peers.node import PhoneNode, phone_node
from tests.peers.program import until
from tests.peers.sipp import Sipp

PASSWORD = "known-to-the-pbx"
EXTENSION = "201"
EXPIRES = 15
"""Seconds that the PBX grants; the node asks again after 85 to 90 in the hundred of it."""


@asynccontextmanager
async def extension(
    folder: Path, pbx: Kamailio, *, transport: str = "udp", password: str = PASSWORD
) -> AsyncIterator[PhoneNode]:
    """A node that is extension 201 of ``pbx``, and nothing else."""
    entry = {
        "name": "reception",
        "trunk": "pbx",
        "username": EXTENSION,
        "password_env": "EXTENSION_PASSWORD",
        "tenant": TENANT,
        "agent": AGENT,
        "country": "DE",
    }
    pbx_trunk = {
        "name": "pbx",
        "address": f"sip:127.0.0.1:{pbx.port};transport={transport}",
        "networks": ["127.0.0.0/8"],
        "routes": [REGION],
    }
    agents = write_agent(folder / "agents")
    async with phone_node(
        folder,
        edge={"agents": str(agents)},
        passwords={"EXTENSION_PASSWORD": password},
        trunks=[pbx_trunk],
        numbers=[],
        registrations=[entry],
    ) as node:
        yield node


async def stands(node: PhoneNode) -> float:
    """The metric that says whether it is registered."""
    return await node.metric("inland_phone_registered", registration="reception")


def changes(node: PhoneNode) -> list[str]:
    """What the log says of the registration."""
    return re.findall(r'"registration changed".*?"state": "(\w+)"', node.log)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_call_to_the_extension_reaches_the_agent(tmp_path: Path, transport: str) -> None:
    async with Kamailio(tmp_path / "pbx", users={EXTENSION: PASSWORD, "202": "other"}) as pbx:
        async with extension(tmp_path / "node", pbx, transport=transport) as node:
            await pbx.logged("registered")
            await until(lambda: changes(node) == ["up"], "the success in the log")
            assert await stands(node) == 1.0
            assert pbx.count("challenged -5") == 1
            before = node.sessions()
            account = Account("202", registrar=f"127.0.0.1:{pbx.port}", password="other")
            async with Baresip(tmp_path / "colleague", account) as colleague:
                await colleague.event("REGISTER_OK")
                await colleague.dial(f"sip:{EXTENSION}@127.0.0.1:{pbx.port}")
                await colleague.event("CALL_ESTABLISHED")
                await colleague.hears(1.0)
                await colleague.hang_up()
                await colleague.event("CALL_CLOSED")
            history = await node.journal(await node.session(before))
            assert [turn.agent for turn in history.turns] == ["Hello."]
            assert pbx.count("routed BYE") == 1
            await pbx.logged("unregistered")  # the colleague went home
        # The node takes its binding back as it ends.
        assert pbx.count("unregistered") == 2
        async with Sipp(
            tmp_path / "late", callers.is_refused(404), f"127.0.0.1:{pbx.port}", service=EXTENSION
        ) as late:
            await late.finished()
    assert node.faults() == []


@pytest.mark.parametrize(("algorithm", "transport"), [("MD5", "udp"), ("SHA-256", "tcp")])
async def test_a_registration_is_renewed_before_it_lapses_though_its_nonce_went_stale(
    tmp_path: Path, algorithm: str, transport: str
) -> None:
    users = {EXTENSION: PASSWORD}
    async with Kamailio(
        tmp_path / "pbx", users=users, expires=EXPIRES, nonce_expires=6, algorithm=algorithm
    ) as pbx:
        async with extension(tmp_path / "node", pbx, transport=transport) as node:
            await pbx.logged("registered", 1)
            await until(lambda: changes(node) == ["up"], "the success in the log")
            assert await stands(node) == 1.0
            await pbx.logged("registered", 2, within=EXPIRES + 3.0)
            assert pbx.count("challenged anew") == 1
            # The password was asked for once: a stale nonce is no wrong answer.
            assert pbx.count("challenged -") == 1
            assert await stands(node) == 1.0
            # Had it lapsed in between, nobody could call.
            scenario = callers.talks(0.5)
            at = f"127.0.0.1:{pbx.port}"
            async with Sipp(tmp_path / "a", scenario, at, service=EXTENSION) as caller:
                await caller.finished()
        assert pbx.count("unregistered") == 1
    assert changes(node) == ["up", "down"]
    assert node.faults() == []


async def test_a_wrong_password_is_tried_once_and_told(tmp_path: Path) -> None:
    async with Kamailio(tmp_path / "pbx", users={EXTENSION: PASSWORD}) as pbx:
        async with extension(tmp_path / "node", pbx, password="a guess") as node:
            await pbx.logged("challenged -2")
            await until(lambda: changes(node) == ["down"], "the failure in the log")
            assert await stands(node) == 0.0
        assert pbx.count("registered") == 0
        assert pbx.count("challenged -2") == 1
