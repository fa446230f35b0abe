"""Whether a call is recorded, and by what: the rule of law and contract, the agent's word, the
node's archive."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Self

from edge.clock import Clock
from edge.dialog.agent import AgentSpec
from edge.internal import Admitted
from edge.law import LawInForce
from edge.ledger import Place
from edge.leg import Leg
from edge.metrics import WorkerMetrics
from edge.policy_live import Leaves, rule_live
from edge.problem import EdgeRefusal
from edge.recording.archive import Archive, LegName, session_folder
from edge.recording.errors import RecordingError
from edge.recording.opened import open_archive
from edge.recording.recorder import Recorder, RecorderParts, RecordingCounts
from edge.recording.retention import sweep
from edge.recording.segment import SegmentSeal
from edge.recording.tap import Tap
from edge.session.journal import Journal
from edge.settings import NodeSettings
from regions.models import DataClass
from regions.policy import day_of

NOWHERE = Place("bucket", "recordings", "")
"""What receipts name where a node has no place for recordings."""


SWEEP_SECONDS = 300.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RecordingOrder:
    """That a call is to be recorded.

    ``begin`` makes the recorder when media flows. ``notice`` is heard before the caller's voice is
    recorded; None where the agent's author says why none is needed. A ``required`` recording that
    cannot be made ends the call.
    """

    begin: Callable[[], Recorder]
    notice: str | None
    required: bool


@dataclass(frozen=True, slots=True)
class Recordings:
    """What the calls of a worker are recorded with. ``archive`` is None on a node without one."""

    settings: NodeSettings
    archive: Archive | None
    thread: Executor
    law: LawInForce
    clock: Clock
    metrics: WorkerMetrics

    @classmethod
    def open(
        cls, settings: NodeSettings, law: LawInForce, clock: Clock, metrics: WorkerMetrics
    ) -> Self:
        """As the settings say; nothing is asked yet. Raises ``ArchiveBroken``."""
        mine = settings.recordings
        archive = None if mine is None else open_archive(mine, settings.region)
        thread = ThreadPoolExecutor(1, thread_name_prefix="press")
        return cls(settings, archive, thread, law, clock, metrics)

    def refusal(self, spec: AgentSpec, caller: Admitted) -> str | None:
        """Why the call is not recorded although its agent would; None where it is, or where the
        agent would not."""
        if spec.recording is None:
            return None
        if self.archive is None:
            return "the node keeps no recordings"
        return self._forbidden(caller)

    def require(self, spec: AgentSpec, caller: Admitted) -> None:
        """Raises ``EdgeRefusal`` (``wrong_region``) where a recording is required and refused."""
        if spec.recording is not None and spec.recording.required:
            reason = self.refusal(spec, caller)
            if reason is not None:
                raise EdgeRefusal("wrong_region", f"the agent's calls are recorded, and {reason}")

    def seconds(self, spec: AgentSpec, caller: Admitted) -> float | None:
        """How long the node keeps the call's recording, at most; None when there is none."""
        mine = self.settings.recordings
        if mine is None or spec.recording is None or self.refusal(spec, caller) is not None:
            return None
        return mine.keep or self.settings.session_hours * 3600

    def regions(self, spec: AgentSpec, caller: Admitted) -> tuple[str, ...]:
        """The regions that may have the call's recording; none when there is none."""
        if spec.recording is None or self.refusal(spec, caller) is not None:
            return ()
        return caller.regions[DataClass.RECORDING.value]

    def order(
        self, spec: AgentSpec, caller: Admitted, leg: Leg, journal: Journal
    ) -> RecordingOrder | None:
        """What the call is to be recorded with; a refusal is entered into its ledger.

        Raises ``EdgeRefusal`` as :meth:`require` does, also where the session has no key for it.
        """
        wanted, archive = spec.recording, self.archive
        if wanted is None:
            return None
        reason = self.refusal(spec, caller)
        if reason is None and journal.recording is None:
            reason = "the session was begun without a recording, or it is over"
        if reason is not None or archive is None or journal.recording is None:
            reason = reason or "the node keeps no recordings"
            if wanted.required:
                raise EdgeRefusal("wrong_region", f"the agent's calls are recorded, and {reason}")
            place = self._place
            journal.books.notary.ledger.refuse(place, DataClass.RECORDING, reason)
            return None
        key = journal.recording
        ends_at = key.tag.expires_at
        name = LegName.new(journal.leg, ends_at)

        def forbidden() -> str | None:
            if self.clock.wall() >= ends_at:
                return "the time for which it may be kept is over"
            return self._forbidden(caller)

        def begin() -> Recorder:
            return Recorder(
                RecorderParts(
                    tap=Tap(self.clock, lambda: leg.playout.rate),
                    archive=archive,
                    seal=SegmentSeal(key, spec.id, name.text),
                    leg=name,
                    folder=session_folder(caller.tenant, caller.session_id),
                    thread=self.thread,
                    ledger=journal.books.notary.ledger,
                    host=journal.books.host,
                    counts=self._counts(),
                    clock=self.clock,
                    refusal=forbidden,
                    on_law=self.law.on_change,
                )
            )

        return RecordingOrder(begin, wanted.notice, wanted.required)

    async def sweep(self) -> None:
        """Delete recordings whose time is over, now and every few minutes. Never returns."""
        while self.archive is not None:
            try:
                count = await sweep(self.archive, self.clock.wall())
            except RecordingError as error:
                log.warning("recordings not swept", extra={"reason": type(error).__name__})
            else:
                if count:
                    log.info("recordings expired", extra={"count": count})
            await asyncio.sleep(SWEEP_SECONDS)

    async def close(self) -> None:
        """Free everything, once no call is left."""
        self.thread.shutdown(wait=False, cancel_futures=True)
        if self.archive is not None:
            await self.archive.close()

    @property
    def _place(self) -> Place:
        if self.archive is not None:
            return self.archive.place
        return replace(NOWHERE, region=self.settings.region)

    def _counts(self) -> RecordingCounts:
        metrics, worker = self.metrics, self.metrics.worker

        def written(size: int) -> None:
            metrics.recorded_segments.labels(worker).inc()
            metrics.recorded_bytes.labels(worker).inc(size)

        return RecordingCounts(written, metrics.recording_gaps.labels(worker).inc)

    def _forbidden(self, caller: Admitted) -> str | None:
        """By the law and the contract of this moment."""
        here = self.settings.region
        ruling = rule_live(caller, region=here, law=self.law.now, on=day_of(self.clock.wall()))
        if isinstance(ruling, Leaves):
            return ruling.reason
        if here not in ruling.caller.regions.get(DataClass.RECORDING.value, ()):
            return f"{here} may not have the caller's recording"
        return None
