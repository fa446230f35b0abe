"""Nothing of the edge leaves it but by the outbound factory, and by what is listed here."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.architecture.clients import clients
from tests.architecture.test_imports import modules

FACTORY = "edge.outbound"
REDIS = "the region's session store: sealed before it is sent, its address in the settings"
SOCKETS = "the phone line: its own sockets for signalling and media, to carriers and callers"
CHILD = "a child of this node, spoken to by pipes and unix sockets"
CONTROL_PLANE = "the control plane: no word, number or name of a caller is sent there"
ALLOWED: Mapping[str, tuple[frozenset[str], str]] = {
    FACTORY: (frozenset({"aiohttp.ClientSession", "aiohttp.TCPConnector"}), "the factory itself"),
    "edge.beat": (frozenset({"http.client"}), f"heartbeats to {CONTROL_PLANE}"),
    "edge.jwks": (frozenset({"aiohttp.ClientSession"}), f"public keys of {CONTROL_PLANE}"),
    "edge.phone.routing_client": (
        frozenset({"aiohttp.ClientSession", "aiohttp.TCPConnector"}),
        f"where a phone call goes, by countries: {CONTROL_PLANE}",
    ),
    "edge.policy_sources": (
        frozenset({"aiohttp.ClientSession"}),
        f"signed policy bundles of {CONTROL_PLANE}",
    ),
    "edge.pool": (
        frozenset(
            {"aiohttp.ClientSession", "aiohttp.UnixConnector", "asyncio.create_subprocess_exec"}
        ),
        CHILD,
    ),
    "edge.speech.voices.process": (frozenset({"asyncio.create_subprocess_exec"}), CHILD),
    "edge.speech.voices.client": (frozenset({"create_unix_connection"}), CHILD),
    "edge.speech.sherpa_model": (
        frozenset({"asyncio.create_subprocess_exec"}),
        "a trial of a model file in a child, before any call",
    ),
    "edge.dialog.tool_python": (
        frozenset({"importlib.import_module"}),
        "a function of the operator's own, in this process: only the barrier holds it back",
    ),
    "edge.egress.probe": (
        frozenset({"asyncio.open_connection"}),
        "a handshake with a forbidden address, before any call",
    ),
    "edge.egress.resolve": (frozenset({"dns"}), "the machine's resolvers, read for the barrier"),
    "edge.egress.tripwire": (frozenset({"socket"}), "reads the family of others' sockets"),
    "edge.recording.bucket": (
        frozenset({"boto3", "botocore"}),
        "the region's bucket of recordings: sealed before they are sent, its region checked first",
    ),
    "edge.session.kms_client": (
        frozenset({"boto3", "botocore"}),
        "the region's key service: wraps of keys, and no data",
    ),
    "edge.session.redis_connections": (frozenset({"redis"}), REDIS),
    "edge.session.redis_errors": (frozenset({"redis"}), REDIS),
    "edge.session.redis_login": (
        frozenset({"redis", "botocore"}),
        f"signs logins with the machine's role: {REDIS}",
    ),
    "edge.session.redis_sentinel": (frozenset({"redis"}), REDIS),
    "edge.session.redis_tenants": (frozenset({"redis"}), REDIS),
    "edge.transport.sip.media.carrier": (frozenset({"socket"}), SOCKETS),
    "edge.transport.sip.media.poll": (frozenset({"socket"}), SOCKETS),
    "edge.transport.sip.media.ports": (frozenset({"socket"}), SOCKETS),
    "edge.transport.sip.net.connections": (
        frozenset({"socket", "create_connection", "sock_connect"}),
        SOCKETS,
    ),
    "edge.transport.sip.net.datagrams": (frozenset({"socket"}), SOCKETS),
    "edge.transport.sip.net.lookup": (
        frozenset({"dns", "socket"}),
        "where a carrier is: names of the settings, and of a carrier's own messages",
    ),
    "edge.transport.sip.net.own_address": (
        frozenset({"socket"}),
        "asks the routing table by connecting a datagram socket, which sends nothing",
    ),
    "edge.transport.webrtc.udpmux": (
        frozenset({"socket"}),
        "media of browsers: one UDP port, to who proved to be there (ICE)",
    ),
}
PLANTED = {
    "import aiohttp\naiohttp.ClientSession()": "aiohttp.ClientSession",
    "import aiohttp as a\na.ClientSession()": "aiohttp.ClientSession",
    "from aiohttp import ClientSession as S\nS()": "aiohttp.ClientSession",
    "from aiohttp import request": "aiohttp.request",
    "from aiohttp.client import ClientSession": "aiohttp.client",
    "import aiohttp\nmake = aiohttp.ClientSession": "aiohttp.ClientSession",
    "import aiohttp\nx = getattr(aiohttp, 'ClientSession')": "ClientSession",
    "import asyncio\nasync def f(): await asyncio.open_connection('x', 1)": (
        "asyncio.open_connection"
    ),
    "from asyncio import open_connection": "asyncio.open_connection",
    "async def f(loop): await loop.create_connection(None)": "create_connection",
    "async def f(loop): await loop.create_datagram_endpoint(None)": "create_datagram_endpoint",
    "async def f(self): await self._loop.sock_connect(1, 2)": "sock_connect",
    "import socket": "socket",
    "from socket import create_connection": "socket",
    "import urllib.request": "urllib.request",
    "from urllib import request": "urllib.request",
    "from urllib.request import urlopen": "urllib.request",
    "import http.client as c": "http.client",
    "from http import client": "http.client",
    "def f():\n    import httpx": "httpx",
    "import requests": "requests",
    "import litellm": "litellm",
    "import boto3": "boto3",
    "import smtplib": "smtplib",
    "import subprocess\nsubprocess.run(['curl', 'https://x.example'])": "subprocess",
    "import asyncio\nasyncio.create_subprocess_exec('curl')": "asyncio.create_subprocess_exec",
    "import os\nos.system('curl x')": "os.system",
    "from os import posix_spawn": "os.posix_spawn",
    "import os\nos.execvp('curl', [])": "os.execvp",
    "__import__('socket')": "__import__",
    "import importlib\nimportlib.import_module('socket')": "importlib.import_module",
    "import ssl\nssl.get_server_certificate(('x', 1))": "ssl.get_server_certificate",
}


def found_in_the_edge() -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for name, tree in modules("edge"):
        for _, what in clients(tree):
            found[name].add(what)
    return found


def test_no_module_of_the_edge_makes_a_client_but_the_factory_and_those_with_a_reason() -> None:
    wrong = {
        name: what - ALLOWED.get(name, (frozenset(), ""))[0]
        for name, what in found_in_the_edge().items()
    }
    assert {name: what for name, what in wrong.items() if what} == {}


def test_no_exception_outlives_its_reason() -> None:
    found = found_in_the_edge()
    stale = {name: what - found.get(name, set()) for name, (what, _) in ALLOWED.items()}
    assert {name: what for name, what in stale.items() if what} == {}
    assert all(reason for _, reason in ALLOWED.values())


@pytest.mark.parametrize("source", PLANTED)
def test_a_planted_client_is_found(source: str) -> None:
    assert PLANTED[source] in {what for _, what in clients(ast.parse(source))}


@pytest.mark.parametrize(
    "source",
    [
        "import aiohttp\ndef f(http: aiohttp.ClientSession) -> aiohttp.ClientSession: ...",
        "import aiohttp\nhttp: aiohttp.ClientSession | None",
        "from aiohttp import web\nweb.Application()",
        "from urllib.parse import urlsplit",
        "import sqlite3\nsqlite3.connect('x')",
        "import asyncio\nasyncio.start_unix_server(None, 'x')",
    ],
)
def test_what_makes_no_client_is_left_alone(source: str) -> None:
    assert list(clients(ast.parse(source))) == []


def test_a_client_planted_in_the_edge_would_be_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "edge" / "dialog").mkdir(parents=True)
    (tmp_path / "edge" / "dialog" / "extra.py").write_text("import httpx\n")
    monkeypatch.setattr("tests.architecture.test_imports.ROOT", tmp_path)
    assert found_in_the_edge() == {"edge.dialog.extra": {"httpx"}}
