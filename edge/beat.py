"""A node's heartbeat: every second, to every replica of the control plane, from its own thread.

A thread, because a node whose loop stalls for a moment is late, not dead; an own connection per
replica, because one that hangs must not delay the others.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import logging
import secrets
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from pydantic import ValidationError

from control_plane.contract import BEAT_SECONDS, BeatAnswer, Heartbeat
from regions.law import Law

REQUEST_SECONDS = 2.0
"""What one beat may take; the next one waits for it."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class NodeLoad:
    """What changes from beat to beat."""

    capacity: int
    active: int
    draining: bool


class Beater:
    """Beats until stopped.

    ``load`` and ``law``, the one in force, are called from the threads and must only read; so is
    ``on_policy``, with the serial of the bundle that a replica has. ``sip`` is the address for
    phone calls, where there is one; ``tenants`` are the only ones that the node serves, where it
    does not serve all.
    """

    def __init__(
        self,
        *,
        node: str,
        region: str,
        url: str,
        law: Callable[[], Law],
        version: str,
        secret: str,
        control_planes: Sequence[str],
        load: Callable[[], NodeLoad],
        sip: str | None = None,
        tenants: tuple[str, ...] | None = None,
        on_policy: Callable[[int], None] = lambda serial: None,
    ) -> None:
        self._facts = {
            "node": node,
            "region": region,
            "url": url,
            "version": version,
        }
        self._law = law
        self._on_policy = on_policy
        self._sip = sip
        self._tenants = tenants
        self._boot = secrets.token_hex(8)
        self._secret = secret
        self._load = load
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(base,), name=f"beat-{index}", daemon=True)
            for index, base in enumerate(control_planes)
        ]

    def start(self) -> None:
        """Begin to beat."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Send one last beat (which may say that the node drains) and end the threads."""
        self._stop.set()
        for thread in self._threads:
            thread.join(REQUEST_SECONDS + BEAT_SECONDS)

    def _run(self, base: str) -> None:
        target = urlsplit(base)
        make = (
            http.client.HTTPSConnection if target.scheme == "https" else http.client.HTTPConnection
        )
        connection = make(target.hostname or "", target.port, timeout=REQUEST_SECONDS)
        healthy = True
        sequence = 0
        while True:
            last = self._stop.is_set()
            sequence += 1
            problem = self._beat(connection, target.path.rstrip("/"), sequence)
            if (problem == "") != healthy:
                healthy = problem == ""
                log.log(
                    logging.INFO if healthy else logging.WARNING,
                    "control plane answers" if healthy else "control plane does not take beats",
                    extra={"reason": problem},
                )
            if last:
                connection.close()
                return
            self._stop.wait(BEAT_SECONDS)

    def _beat(self, connection: http.client.HTTPConnection, prefix: str, sequence: int) -> str:
        """Send one beat; returns what is wrong, or an empty string."""
        load, law = self._load(), self._law()
        beat = Heartbeat(
            **self._facts,
            policy=law.policy,
            serial=law.serial or None,
            sip=self._sip,
            tenants=self._tenants,
            boot=self._boot,
            sequence=sequence,
            capacity=load.capacity,
            active=load.active,
            draining=load.draining,
        )
        try:
            connection.request(
                "POST",
                f"{prefix}/v1/nodes/{beat.node}/beat",
                body=beat.model_dump_json(exclude_none=True),
                headers={
                    "Authorization": f"Bearer {self._secret}",
                    "Content-Type": "application/json",
                },
            )
            answer = connection.getresponse()
            body = answer.read(4096)
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            return type(error).__name__
        if answer.status == 200:
            self._heard(body)
        return "" if answer.status < 300 else f"{answer.status} {_code(body)}"

    def _heard(self, body: bytes) -> None:
        """What is no answer of a control plane says nothing; the beat was taken all the same."""
        with contextlib.suppress(ValidationError):
            self._on_policy(BeatAnswer.model_validate_json(body).policy)


def _code(body: bytes) -> str:
    try:
        code = json.loads(body).get("code", "")
    except (ValueError, AttributeError):
        return ""
    return code if isinstance(code, str) else ""
