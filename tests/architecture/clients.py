"""What in a module could make a connection, or start a program that does: found in its source."""

from __future__ import annotations

import ast
from collections.abc import Iterator

CLIENT_MODULES = frozenset(
    {
        *(
            "aiohttp.client",
            "aiohttp.connector",
            "aioboto3",
            "aiobotocore",
            "anthropic",
            "asyncssh",
            "boto3",
            "botocore",
            "curl_cffi",
        ),
        *("dns", "ftplib", "google.cloud", "grpc", "http.client", "httpcore", "httpx", "imaplib"),
        *("litellm", "multiprocessing.connection", "nntplib", "openai", "paramiko", "poplib"),
        *("pty", "pycurl", "redis", "requests", "smtplib", "socket", "_socket", "socketserver"),
        *("subprocess", "_posixsubprocess", "telnetlib", "trio", "anyio", "urllib.request"),
        *("urllib3", "uvloop", "websocket", "websockets", "xmlrpc", "zmq"),
    }
)
"""Whoever imports one of these can leave the process by itself."""
CLIENT_NAMES = frozenset(
    {
        *("aiohttp.ClientSession", "aiohttp.TCPConnector", "aiohttp.UnixConnector"),
        *("aiohttp.NamedPipeConnector", "aiohttp.request", "aiohttp.client", "aiohttp.connector"),
        *("asyncio.open_connection", "asyncio.open_unix_connection"),
        *("asyncio.create_subprocess_exec", "asyncio.create_subprocess_shell"),
        *("ssl.get_server_certificate", "importlib.import_module"),
        *("os.system", "os.popen", "os.posix_spawn", "os.posix_spawnp"),
        *(f"os.{verb}{kind}" for verb in ("exec", "spawn") for kind in ("l", "le", "lp", "lpe")),
        *(f"os.{verb}{kind}" for verb in ("exec", "spawn") for kind in ("v", "ve", "vp", "vpe")),
        *("__import__", "eval", "exec"),
    }
)
CLIENT_METHODS = frozenset(
    {
        *("create_connection", "create_unix_connection", "create_datagram_endpoint"),
        *("open_connection", "open_unix_connection", "sock_connect", "sock_sendto"),
        *("subprocess_exec", "subprocess_shell"),
    }
)
"""Of an event loop, whatever it is called."""


def clients(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and name of everything that could be a client. Annotations are none."""
    names = dict(_imported(tree))
    only_said = {id(part) for node in ast.walk(tree) for part in _annotation(node)}
    for node in ast.walk(tree):
        if id(node) in only_said:
            continue
        for found in _found(node, names):
            yield getattr(node, "lineno", 0), found


def _found(node: ast.AST, names: dict[str, str]) -> Iterator[str]:
    match node:
        case ast.Import(names=aliases):
            yield from (module for alias in aliases if (module := _client_module(alias.name)))
        case ast.ImportFrom(module=str(module), names=aliases):
            for alias in aliases:
                whole = f"{module}.{alias.name}"
                if whole in CLIENT_NAMES:
                    yield whole
                elif found := _client_module(whole) or _client_module(module):
                    yield found
        case ast.Attribute(attr=attr):
            dotted = _dotted(node, names)
            if dotted in CLIENT_NAMES:
                yield dotted
            elif attr in CLIENT_METHODS:
                yield attr
        case ast.Name(id=name, ctx=ast.Load()) if names.get(name, name) in CLIENT_NAMES:
            yield names.get(name, name)
        case ast.Call(func=ast.Name(id="getattr"), args=[_, ast.Constant(value=str(name)), *_]):
            if name in CLIENT_METHODS or any(each.endswith(f".{name}") for each in CLIENT_NAMES):
                yield name


def _client_module(name: str) -> str | None:
    """The client module that ``name`` is, or is inside."""
    parts = name.split(".")
    whole = (".".join(parts[:count]) for count in range(len(parts), 0, -1))
    return next((each for each in whole if each in CLIENT_MODULES), None)


def _imported(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """What each imported name stands for."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.asname:
                    yield alias.asname, alias.name
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            for alias in node.names:
                yield alias.asname or alias.name, f"{node.module}.{alias.name}"


def _dotted(node: ast.expr, names: dict[str, str]) -> str:
    """``a.b.c`` with what ``a`` stands for; "" for what is no chain of names."""
    match node:
        case ast.Name(id=name):
            return names.get(name, name)
        case ast.Attribute(value=value, attr=attr):
            before = _dotted(value, names)
            return f"{before}.{attr}" if before else ""
        case _:
            return ""


def _annotation(node: ast.AST) -> Iterator[ast.AST]:
    said: list[ast.expr | None] = []
    match node:
        case ast.AnnAssign(annotation=annotation):
            said = [annotation]
        case ast.arg(annotation=annotation):
            said = [annotation]
        case ast.FunctionDef(returns=returns) | ast.AsyncFunctionDef(returns=returns):
            said = [returns]
    for each in said:
        if each is not None:
            yield from ast.walk(each)
