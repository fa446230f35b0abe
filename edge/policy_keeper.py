"""Keeps a node under the newest policy bundle: looks for it, verifies it, puts it in force."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Sequence
from contextlib import suppress

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from prometheus_client import CollectorRegistry, Counter, Gauge

from edge.audit_trail import Audit, Unaudited
from edge.law import LawInForce
from edge.policy_kept import KeptBroken, KeptBundle, Signed
from edge.policy_sources import Source, SourceAway
from regions.bundle import BundleRefused, newer, verify

KEEP_SECONDS = 2.0
"""What writing a bundle down may hold up; a disk that hangs is waited for beside the next looks."""

log = logging.getLogger(__name__)


class PolicyMetrics:
    """What Prometheus is told of a node's law."""

    def __init__(self, law: LawInForce) -> None:
        self.registry = CollectorRegistry()
        self.refused = Counter(
            "inland_policy_refused",
            "Policy bundles that were not put in force, by code",
            ("code",),
            registry=self.registry,
        )
        serial = Gauge(
            "inland_policy_serial",
            "Number of the policy bundle in force; 0 is the catalogue of the settings",
            registry=self.registry,
        )
        serial.set_function(lambda: law.now.serial)


class PolicyKeeper:
    """A bundle that no trusted key signed, that is older, or that says otherwise under the number
    in force is refused, and the node goes on with what it has. :meth:`run` belongs in the node's
    task group.
    """

    def __init__(
        self,
        law: LawInForce,
        trusted: Sequence[Ed25519PublicKey],
        kept: KeptBundle,
        sources: Sequence[Source],
        *,
        region: str,
        refresh_seconds: float,
        audit: Audit | None = None,
    ) -> None:
        self._law = law
        self._trusted = tuple(trusted)
        self._kept = kept
        self._sources = tuple(sources)
        self._region = region
        self._refresh = refresh_seconds
        self._audit = audit or Unaudited()
        self._turn = asyncio.Lock()
        self._hinted = asyncio.Event()
        self._looked_for = 0
        self._failing: dict[str, str] = {}
        self._refused: dict[str, str] = {}
        self._unkept: Signed | None = None
        self._writing: tuple[Signed, asyncio.Future[None]] | None = None
        self.metrics = PolicyMetrics(law)
        self.settled = asyncio.Event()
        """Set once it is known which law to begin with: a bundle was kept or came, or somebody
        said that there is none. Until then the node takes no calls."""
        if law.now.serial:
            self.settled.set()

    def hint(self, serial: int) -> None:
        """Somebody has bundle ``serial``: look at once if it is newer. Called on the loop."""
        if serial > max(self._law.now.serial, self._looked_for):
            self._looked_for = serial
            self._hinted.set()

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            self._hinted.clear()
            await self.look()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._refresh):
                    await self._hinted.wait()

    async def look(self) -> None:
        """Look everywhere once."""
        await self._write_down()
        async with asyncio.TaskGroup() as group:
            for source in self._sources:
                group.create_task(self._look(source))

    async def _look(self, source: Source) -> None:
        try:
            found = await source.look()
        except SourceAway as away:
            self._looked_for = 0  # the next hint brings another look
            if self._failing.get(source.name) != str(away):
                log.warning("policy bundle not fetched", extra={"reason": str(away)})
            self._failing[source.name] = str(away)
            return
        self._failing.pop(source.name, None)
        if found is not None:
            await self._offer(source, found)
        self.settled.set()

    async def _offer(self, source: Source, raw: bytes) -> None:
        async with self._turn:
            try:
                # Reading a long bundle takes a while, which callers must not hear.
                body = await asyncio.to_thread(verify, raw, self._trusted)
                if newer(body, self._law.now):
                    await self._enforce(Signed(raw, body))
            except BundleRefused as refused:
                if refused.code == "malformed":  # cut short on its way, maybe
                    source.forget()
                self._refuse(source.name, raw, refused.code)
            else:
                self._refused.pop(source.name, None)

    async def _enforce(self, signed: Signed) -> None:
        law = signed.body.law()
        self._unkept = signed
        self._law.replace(law, signed.raw)
        log.warning("policy in force", extra={"count": law.serial})
        if all(region.id != self._region for region in law.catalogue.regions):
            # Nothing may be here by that law, and so nothing stays.
            log.error("the policy has no such region: all calls end", extra={"code": self._region})
        self._audit.policy_in_force(law.serial, law.policy)
        await self._write_down()

    async def _write_down(self) -> None:
        """Keep what is in force; tried again at the next look, since a tightened law does not wait
        for a disk, and the one after it neither."""
        while (signed := self._unkept) is not None:
            if self._writing is None:
                loop = asyncio.get_running_loop()
                self._writing = signed, loop.run_in_executor(None, self._kept.keep, signed)
            written, writing = self._writing
            await asyncio.wait({writing}, timeout=KEEP_SECONDS)
            try:
                if not writing.done():
                    raise TimeoutError
                self._writing = None
                writing.result()
            except (OSError, KeptBroken) as error:  # TimeoutError is an OSError
                log.error("policy bundle not kept", extra={"reason": type(error).__name__})
                return
            if self._unkept is written:
                self._unkept = None

    def _refuse(self, name: str, raw: bytes, code: str) -> None:
        self.metrics.refused.labels(code).inc()
        digest = hashlib.sha256(raw).hexdigest()
        if self._refused.get(name) == digest:
            return  # said once
        self._refused[name] = digest
        log.error("policy bundle refused", extra={"code": code})
        self._audit.policy_refused(code)
