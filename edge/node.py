"""A node: starts, serves, drains, closes."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import ssl
import tempfile
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from aiohttp import web

from edge.api import create_app
from edge.audit_log import AuditError
from edge.audit_trail import AuditTrail, digest_of, open_log
from edge.beat import Beater
from edge.clock import SystemClock
from edge.egress.probe import BarrierMissing, probe
from edge.gate import Gate
from edge.groups import first_error
from edge.health import create_health_app
from edge.https import CertificateExpired, https_context
from edge.jwks import KeyCache
from edge.law import LawInForce
from edge.phone.logins import read_logins
from edge.phone.routing_client import routing_client
from edge.phone.switchboard import PhoneParts, Switchboard
from edge.phone.trunk import PasswordError
from edge.policy_node import NoLaw, first_law, hints_for, keeper_of
from edge.policy_teller import Teller
from edge.pool import WorkerPool, WorkerPoolError
from edge.receipts_api import operator_digest
from edge.recording.errors import RecordingError
from edge.recording.opened import check_archive
from edge.session.keys import LocalKeyFile
from edge.session.keys_opened import check_keys
from edge.session.receipt import RECEIPT_PURPOSE, ReceiptKey
from edge.session.resume import ResumeTokens
from edge.settings import SECRET_VARIABLE, NodeSettings, node_secret
from edge.speech.voice import VoiceError
from edge.speech.voices.process import VoiceProcess
from edge.tenancy import Tenancy
from edge.transport.sip.net.errors import NetError, TlsFilesError
from edge.turn import Relays, TurnSecretError, read_turn_secret

IDLE_CONNECTION_SECONDS = 15.0
"""A connection that sends no request for this long is closed: slow clients cost nothing."""

log = logging.getLogger(__name__)


class NodeError(Exception):
    """The node cannot start; the text says why and what to do."""


class Node:
    """One node of one region.

    ``on_ready`` is called once, when calls are taken. ``languages`` are those its agents speak.
    ``forbidden`` are addresses that it does not start where it can reach.
    """

    def __init__(
        self,
        settings: NodeSettings,
        *,
        languages: tuple[str, ...] = ("en",),
        on_ready: Callable[[], None] = lambda: None,
        forbidden: tuple[str, ...] = (),
    ) -> None:
        self.settings = settings
        self._forbidden = forbidden
        self._languages = languages
        self._on_ready = on_ready
        self._clock = SystemClock()
        self._ready = False

    async def serve(self, stop: asyncio.Event) -> None:
        """Start, serve until ``stop``, drain, close. Raises :class:`NodeError`."""
        async with AsyncExitStack() as closing:
            await self._serve(stop, closing)

    async def _serve(self, stop: asyncio.Event, closing: AsyncExitStack) -> None:
        settings = self.settings
        try:
            law = first_law(settings, self._clock)
        except NoLaw as error:
            raise NodeError(str(error)) from error
        await self._probe()
        secret = node_secret(settings)
        os.environ.pop(SECRET_VARIABLE, None)  # the children have no use for it
        settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        tls = self._tls()
        keys = KeyCache(settings.control_planes, self._clock)
        region_key = LocalKeyFile.open(
            settings.key_path, settings.region, make=settings.key_file is None
        )
        await self._check_keys()
        await self._check_recordings()
        resume = ResumeTokens(region_key.subkey("resume"), self._clock)
        directory = Path(tempfile.mkdtemp(prefix="inland-"))
        voice = VoiceProcess(
            directory / "voice.sock",
            voice=settings.voice,
            models=settings.models,
            languages=self._languages,
        )
        pool = WorkerPool(settings, directory, directory / "voice.sock", clock=self._clock, law=law)
        tenancy = Tenancy.of(settings)
        gate = Gate(
            settings,
            law,
            pool,
            keys,
            resume,
            self._clock,
            tenancy,
            ReceiptKey(region_key.subkey(RECEIPT_PURPOSE)).public,
            operator_digest(secret),
        )
        gate.audit = trail = await self._audit(region_key, law)
        closing.push_async_callback(trail.end)
        gate.relays = self._relays()
        gate.policy = await keeper_of(law, settings, secret, trail, closing)
        gate.phone = await self._phone(gate, secret, closing)
        beater = self._beater(gate, secret)
        try:
            await self._listen(gate, tls, closing)
            await self._run(gate, voice, beater, trail, stop)
        except* (VoiceError, WorkerPoolError, NetError) as errors:
            raise NodeError(str(first_error(errors))) from None
        finally:
            if self._ready:
                await asyncio.to_thread(beater.stop)
            await pool.stop()
            await voice.stop()
            shutil.rmtree(directory, ignore_errors=True)

    def _beater(self, gate: Gate, secret: str) -> Beater:
        settings = self.settings
        return Beater(
            node=settings.node,
            region=settings.region,
            url=settings.url,
            law=lambda: gate.law.now,
            version=version("inland"),
            secret=secret,
            control_planes=settings.control_planes,
            load=gate.load,
            sip=None if settings.sip is None else settings.sip.public_uri,
            tenants=settings.tenants,
            on_policy=hints_for(gate.policy),
        )

    async def _probe(self) -> None:
        """See that a barrier is there. Raises :class:`NodeError`."""
        try:
            outcomes = await probe(self._forbidden)
        except BarrierMissing as error:
            raise NodeError(str(error)) from error
        for outcome in outcomes.values():
            log.info("a forbidden address was out of reach", extra={"state": outcome})

    async def _phone(self, gate: Gate, secret: str, closing: AsyncExitStack) -> Switchboard | None:
        """The switchboard, when the settings have one. Raises :class:`NodeError`."""
        settings, phone = self.settings, self.settings.sip
        if phone is None:
            return None
        try:
            logins = read_logins(phone, os.environ)
        except PasswordError as error:
            raise NodeError(str(error)) from error
        for _, place in phone.passwords():
            if place.password_env is not None:
                os.environ.pop(place.password_env, None)  # nor for these
        router = await closing.enter_async_context(
            routing_client(settings.control_planes, node=settings.node, secret=secret)
        )
        return Switchboard(
            PhoneParts(
                settings=settings,
                phone=phone,
                logins=logins,
                law=gate.law,
                tenancy=gate.tenancy,
                pool=gate.pool,
                keys=gate.keys,
                router=router,
                clock=self._clock,
                draining=lambda: gate.draining,
                audit=gate.audit,
            )
        )

    async def _run(
        self,
        gate: Gate,
        voice: VoiceProcess,
        beater: Beater,
        trail: AuditTrail,
        stop: asyncio.Event,
    ) -> None:
        """Serve until ``stop``, then drain. Raises groups of errors."""
        async with asyncio.TaskGroup() as group:
            background = [
                group.create_task(gate.pool.run()),
                group.create_task(gate.keys.run()),
                group.create_task(trail.run()),
                group.create_task(Teller(gate.law, gate.pool, self._clock).run()),
            ]
            if gate.policy is not None:
                background.append(group.create_task(gate.policy.run()))
            await voice.start()
            background.append(group.create_task(voice.run()))
            await self._until_ready(gate, stop)
            if gate.phone is not None:
                await gate.phone.start()
                background.append(group.create_task(gate.phone.run()))
            if not stop.is_set():
                self._ready = True
                beater.start()
                self._on_ready()
            await stop.wait()
            gate.draining = True
            log.info("draining", extra={"node": self.settings.node, "count": gate.pool.active})
            await gate.pool.drain(self.settings.drain_seconds)
            await gate.pool.stop()
            if gate.phone is not None:
                await gate.phone.close()
            for task in background:
                task.cancel()

    async def _audit(self, key: LocalKeyFile, law: LawInForce) -> AuditTrail:
        """The audit log, with the node's start in it. Raises :class:`NodeError`."""
        settings = self.settings
        audit_log = open_log(
            settings.audit, settings.data, key, who=settings.node, clock=self._clock
        )
        trail = AuditTrail(audit_log, self._clock)
        try:
            await trail.begin(
                region=settings.region,
                version=version("inland"),
                policy=law.now.policy,
                settings=digest_of(settings.model_dump(mode="json")),
                pid=os.getpid(),
            )
        except AuditError as error:
            raise NodeError(f"audit: {error}") from error
        return trail

    async def _check_keys(self) -> None:
        """Refuse to start with a key of another region or account, or one that is of no use.

        Raises ``RegionRefused``, ``KeyRefused``, ``StoreBroken``; a key service that is away is
        waited for, as a store is.
        """
        problem = await check_keys(self.settings.region, self.settings.keys)
        if problem is not None:
            log.warning("keys not checked", extra={"reason": problem})

    async def _check_recordings(self) -> None:
        """Refuse to start with a bucket of another region, or a place that is of no use.

        Raises :class:`NodeError`; a bucket that is away is asked again before it is written to.
        """
        try:
            problem = await check_archive(self.settings.recordings, self.settings.region)
        except RecordingError as error:
            raise NodeError(str(error)) from error
        if problem is not None:
            log.warning("recordings not checked", extra={"reason": problem})

    def _relays(self) -> Relays | None:
        """What callers are told of the relays. Raises :class:`NodeError`."""
        turn = self.settings.turn
        if turn is None:
            return None
        try:
            return Relays(turn, read_turn_secret(turn.secret_file), self._clock)
        except TurnSecretError as error:
            raise NodeError(f"turn.secret_file: {error}") from error

    def _tls(self) -> ssl.SSLContext | None:
        """What HTTPS is served with. Raises :class:`NodeError`."""
        files = self.settings.tls
        if files is None:
            return None
        try:
            return https_context(files, datetime.fromtimestamp(self._clock.wall(), UTC))
        except (TlsFilesError, CertificateExpired) as error:
            raise NodeError(f"tls: {error}") from error

    async def _listen(
        self, gate: Gate, tls: ssl.SSLContext | None, closing: AsyncExitStack
    ) -> None:
        """Take requests until ``closing``. Raises :class:`NodeError`."""
        settings = self.settings
        await self._site(create_app(gate), settings.host, settings.port, "port", tls, closing)
        if settings.health_port is not None:
            app = create_health_app(gate)
            where = settings.health_host, settings.health_port
            await self._site(app, *where, "health_port", None, closing)

    async def _site(
        self,
        app: web.Application,
        host: str,
        port: int,
        key: str,
        tls: ssl.SSLContext | None,
        closing: AsyncExitStack,
    ) -> None:
        runner = web.AppRunner(app, access_log=None, keepalive_timeout=IDLE_CONNECTION_SECONDS)
        await runner.setup()
        closing.push_async_callback(runner.cleanup)
        try:
            await web.TCPSite(runner, host, port, backlog=1024, ssl_context=tls).start()
        except OSError as error:
            raise NodeError(
                f"cannot listen on {host}:{port}: {os.strerror(error.errno or 0)}; "
                f"end the program that uses the port, or set '{key}' in the node's settings"
            ) from error

    async def _until_ready(self, gate: Gate, stop: asyncio.Event) -> None:
        """Wait for the workers, and to know by which law calls are held, unless the node is stopped
        before that."""

        async def ready() -> None:
            await gate.pool.until_ready()
            if gate.policy is not None:
                await gate.policy.settled.wait()

        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(ready())
            stopped = group.create_task(stop.wait())
            await asyncio.wait({waiting, stopped}, return_when=asyncio.FIRST_COMPLETED)
            stopped.cancel()
            if stop.is_set():
                waiting.cancel()
