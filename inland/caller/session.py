"""One call from placing it to its report."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from types import TracebackType
from typing import Self, assert_never

import aiohttp

from control_plane.contract import Candidate
from edge.clock import Clock, SystemClock
from edge.media.ticker import Ticker
from inland.caller.comeback import Back, Comeback
from inland.caller.dialler import CallLeg, Dialler, Place, worth_another
from inland.caller.errors import CallerError, UnreachableError
from inland.caller.network import HttpNetwork, Network
from inland.caller.options import CallOptions
from inland.caller.peer import PeerFactory
from inland.caller.records import Connected, Note, Placed, Reconnected, Record
from inland.caller.report import CallReport, Facts, summarise
from inland.caller.script import BargeIn, Line, PlayFile, Script, Speak
from inland.caller.talk import EdgeLost, KillDue, Over, Rendered, Talk
from inland.caller.utterances import SEND_RATES, Utterances, resampled, utterances


class HeadlessCall:
    """A call made by a program. Use it once::

        async with HeadlessCall(options) as call:
            report = await call.run(script)

    Calls of one process share a ``voice`` and a running ``ticker``; without a ticker the call
    runs its own. ``on_record`` hears every record as it happens. Entering opens no connection;
    leaving frees everything, also in the middle of a call.
    """

    def __init__(
        self,
        options: CallOptions,
        voice: Utterances | None = None,
        *,
        ticker: Ticker | None = None,
        clock: Clock | None = None,
        peers: PeerFactory | None = None,
        network: Network | None = None,
        on_record: Callable[[Record], None] | None = None,
    ) -> None:
        self._options = options
        self._utterances = voice
        self._ticker = ticker
        self._clock = clock or SystemClock()
        self._peers = peers
        self._network = network
        self._on_record = on_record
        self._stack = AsyncExitStack()
        self._records: list[Record] = []
        self._candidates: tuple[Candidate, ...] = ()
        self._talk: Talk | None = None
        self._leg: CallLeg | None = None
        self._session_id = ""
        self._stop_reason: str | None = None

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            if self._network is None:
                http = await stack.enter_async_context(aiohttp.ClientSession())
                options = self._options
                self._network = HttpNetwork(http, options.control_plane, options.key)
            if self._utterances is None:
                self._utterances = await stack.enter_async_context(utterances())
            if self._peers is None:
                from inland.caller.webrtc import WebRtcPeer

                self._peers = WebRtcPeer
            if self._ticker is None:
                self._ticker = Ticker()
                await stack.enter_async_context(running(self._ticker))
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if self._leg is not None:
                await self._leg.close()
        finally:
            await self._stack.aclose()

    def stop(self, reason: str = "interrupted") -> None:
        """Hang up as soon as can be; ``run`` then returns its report."""
        self._stop_reason = reason
        if self._talk is not None:
            self._talk.stop(reason)

    async def run(self, script: Script) -> CallReport:
        """Place the call, follow the script, hang up.

        Raises a :class:`CallerError` when the call never came about; a call that was lost later
        ends with a report that says so.
        """
        assert self._ticker is not None, "enter the call first"
        audio = await self._rendered(script)
        talk = self._talk = Talk(self._options, script, audio, self._clock, self._emit)
        if self._stop_reason is not None:
            talk.stop(self._stop_reason)
        await self._begin(talk)
        with subscribed(self._ticker, talk.tick):
            reason = await self._converse(talk)
        return await self._finish(talk, reason)

    async def _rendered(self, script: Script) -> dict[Line, Rendered]:
        """Everything that may be said, made before the call so that nobody waits for it."""
        assert self._utterances is not None
        audio: dict[Line, Rendered] = {}
        for line in script.everything:
            match line:
                case Speak(text) | BargeIn(text=text):
                    heard = await self._utterances.words(text)
                case PlayFile(path):
                    heard = await self._utterances.file(path)
                case _:
                    continue
            rate = SEND_RATES[self._options.codec]
            audio[line] = Rendered(heard, await asyncio.to_thread(resampled, heard, rate))
        return audio

    # --- legs --------------------------------------------------------------------------------

    def _dialler(self) -> Dialler:
        assert self._network is not None and self._peers is not None and self._ticker is not None
        return Dialler(self._network, self._peers, self._ticker, self._clock, self._options.codec)

    async def _begin(self, talk: Talk) -> None:
        """The first leg. Raises what the last candidate said when none takes the call."""
        options = self._options
        if options.edge is not None and options.token is not None:
            places: tuple[Place, ...] = (Place(options.edge),)
            token = options.token
        else:
            places, token = await self._route(talk)
        failure: CallerError = UnreachableError("the control plane named no edge")
        for place in places:
            try:
                leg = await self._dialler().dial(place, token, talk.attach)
            except CallerError as error:
                if not worth_another(error):
                    raise
                failure = error
                self._emit(Note(talk.now, str(error)))
            else:
                self._adopt(leg, talk)
                return
        raise failure

    async def _route(self, talk: Talk) -> tuple[tuple[Place, ...], str]:
        assert self._network is not None
        route = await self._network.route(self._options.agent, self._options.country)
        self._session_id = self._session_id or route.session_id
        self._candidates = route.candidates
        self._emit(
            Placed(
                t=talk.now,
                session_id=self._session_id,
                policy=route.policy,
                jurisdictions=route.jurisdictions,
                candidates=tuple(candidate.model_dump() for candidate in route.candidates),
                regions=tuple(verdict.model_dump() for verdict in route.regions),
            )
        )
        return tuple(Place.of(candidate) for candidate in route.candidates), route.token

    def _adopt(self, leg: CallLeg, talk: Talk) -> None:
        self._leg = leg
        created = talk.conversation.session
        assert created is not None
        facts = created.inland
        leg.place = Place(leg.place.url, facts.region, facts.node)
        self._session_id = created.session.id
        self._emit(
            Connected(
                t=talk.now,
                session_id=created.session.id,
                call_id=facts.call_id,
                region=facts.region,
                node=facts.node,
                url=leg.place.url,
                codec=self._options.codec,
                resumed=facts.resumed,
                connect_ms=round(leg.connect_ms, 1),
            )
        )
        talk.go_on()

    # --- the call ----------------------------------------------------------------------------

    async def _converse(self, talk: Talk) -> str:
        """Until it is over; returns the reason. The leg is hung up, and closed by the caller."""
        while True:
            signal = await talk.signal()
            match signal:
                case EdgeLost():
                    if not await self._reconnect(talk, signal):
                        return self._stop_reason or ("policy" if signal.moved else "lost")
                case KillDue():
                    await self._kill(talk)
                case Over(reason, by_edge):
                    if not by_edge:
                        await self._hang_up(talk, signal)
                    return reason
                case _:
                    assert_never(signal)

    async def _kill(self, talk: Talk) -> None:
        """Ask for the drill; what follows is noticed as any other death is."""
        created, leg = talk.conversation.session, self._leg
        assert created is not None and leg is not None
        assert leg.answer is not None and self._network is not None
        try:
            await self._network.drill(leg.answer, created.inland.resume_token)
            self._emit(Note(talk.now, f"drill: {leg.place} kills the worker of this call"))
        except CallerError as error:
            self._emit(Note(talk.now, f"no drill: {error}"))
        talk.carry_on()

    async def _hang_up(self, talk: Talk, over: Over) -> None:
        assert self._leg is not None and self._network is not None
        if over.reason == "lost":
            return
        try:
            await self._leg.hang_up(self._network)
        except CallerError as error:
            self._emit(Note(talk.now, f"hanging up failed: {error}"))

    async def _reconnect(self, talk: Talk, lost: EdgeLost) -> bool:
        """Go on elsewhere, as docs/protocol.md section 4 says."""
        old, created = self._leg, talk.conversation.session
        if old is None or created is None or not created.inland.resume_token:
            return False
        talk.detach()

        async def dial(place: Place, token: str, replica: str | None = None) -> CallLeg:
            try:
                return await self._dialler().dial(place, token, talk.attach, replica)
            except CallerError:
                talk.detach()
                raise

        silent_since = old.last_sign
        comeback = Comeback(
            dial,
            None if self._options.edge is not None else lambda: self._route(talk),
            talk.conversation.replicas,
            self._pause,
            self._clock,
            lambda text: self._emit(Note(talk.now, text)),
            lambda: self._stop_reason is not None,
        )
        known = tuple(Place.of(candidate) for candidate in self._candidates)
        try:
            back = await comeback.run(old.place, known, created.inland.resume_token, lost)
            if back is None:
                self._emit(Note(talk.now, "the conversation cannot go on anywhere: call anew"))
                return False
            self._reconnected(talk, lost, old, back, silent_since)
            return True
        finally:
            # Only now: a clean goodbye of the old leg could end the session it belongs to.
            await old.close()

    async def _pause(self, seconds: float) -> None:
        """Let so many seconds of the call's clock pass."""
        assert self._ticker is not None
        due = self._clock.monotonic() + seconds
        over = asyncio.Event()
        with subscribed(
            self._ticker, lambda: over.set() if self._clock.monotonic() >= due else None
        ):
            await over.wait()

    def _reconnected(
        self, talk: Talk, lost: EdgeLost, old: CallLeg, back: Back, since: float
    ) -> None:
        leg = back.leg
        self._adopt(leg, talk)
        created = talk.conversation.session
        assert created is not None
        self._emit(
            Reconnected(
                t=talk.now,
                why=lost.why,
                from_node=str(old.place),
                to_node=str(leg.place),
                attempts=back.tried,
                silent_ms=round((leg.last_sign - since) * 1000, 1),
                turns=len(created.inland.turns),
                carried_from=None if back.carried is None else old.place.region,
            )
        )

    # --- the end -----------------------------------------------------------------------------

    async def _finish(self, talk: Talk, reason: str) -> CallReport:
        assert self._leg is not None
        stats = talk.stats
        talk.detach()
        await self._leg.close()
        if talk.recording is not None and self._options.record is not None:
            await asyncio.to_thread(talk.recording.write, self._options.record)
        report = summarise(
            Facts(
                t=talk.now,
                reason=reason,
                session_id=self._session_id,
                region=self._leg.place.region,
                node=self._leg.place.node,
                candidates=self._candidates,
                lines_left=talk.player.lines_left,
                repeats=talk.player.repeats,
                stats=stats,
                gaps_ms=talk.gaps_ms,
                records=tuple(self._records),
                events=tuple(talk.events),
            )
        )
        self._emit(report.ended)
        return report

    def _emit(self, record: Record) -> None:
        self._records.append(record)
        if self._on_record is not None:
            self._on_record(record)


@contextmanager
def subscribed(ticker: Ticker, tick: Callable[[], None]) -> Iterator[None]:
    """``tick`` is called every 20 ms inside the block."""
    unsubscribe = ticker.subscribe(tick)
    try:
        yield
    finally:
        unsubscribe()


@asynccontextmanager
async def running(ticker: Ticker) -> AsyncIterator[None]:
    """``ticker`` runs inside the block. What the block raises comes out as it is."""
    failure: Exception | None = None
    async with asyncio.TaskGroup() as group:
        task = group.create_task(ticker.run())
        try:
            yield
        except Exception as error:  # a task group would wrap it, and callers match on its type
            failure = error
        finally:
            task.cancel()
    if failure is not None:
        raise failure
