"""The flow as a pure state machine: (state, what was heard) -> reply. No time, no I/O.

The state in a reply is final before its first word is spoken, so that an answer that is cut off
loses words and nothing else.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

from edge.dialog import phrasing
from edge.dialog.agent import AgentSpec, ArgumentValue, Intent, arguments_for
from edge.dialog.expectations import Expectations
from edge.dialog.flow_state import FlowState, Reply, SlotValue, Wanted
from edge.dialog.listening import understand
from edge.dialog.offers import named_offer, scalar, spoken_offers, valid_offers
from edge.dialog.slots import Moment, Rejected, Slot, Understood
from edge.dialog.template import fields_of, fill
from edge.dialog.tools import RETRYABLE, UNKNOWN
from edge.events import Expectation, Handover, HangUp, Heard, JsonValue, ToolReturned
from edge.grammar import Match

MISSES_BEFORE_OFFER = 3
"""Misunderstandings in a row before a person is offered."""
MISSES_BEFORE_HANDOVER = 5
MAX_DONE = 10


class Engine:
    """One agent's flow.

    ``today`` is asked for the day in the caller's zone; ``parameters`` names those of each tool.
    """

    def __init__(
        self,
        spec: AgentSpec,
        today: Callable[[], dt.date],
        parameters: Mapping[str, Collection[str]],
    ) -> None:
        self._spec = spec
        self._today = today
        self._parameters = parameters
        self._expectations = Expectations(spec)

    def expectation(self, state: FlowState) -> Expectation:
        """What may be said in ``state``."""
        return self._expectations.of(state)

    def greet(self, state: FlowState) -> Reply:
        """The first words."""
        return Reply(state, (self._spec.greeting,))

    def again(self, state: FlowState) -> Reply:
        """The words after a reconnect: what was not heard, else the pending question."""
        if state.mode == "ended":
            return self._goodbye(state)
        if state.handing:
            missed = self.not_taken(state)
            return Reply(missed.state, (phrasing.BACK, *missed.say))
        pending = (self.question(state),) if state.heard_all or not state.said else (state.said,)
        return Reply(state, (phrasing.BACK, *pending))

    def not_taken(self, state: FlowState) -> Reply:
        """The words when no person could take the caller: that, and the question as it stood."""
        state = state.but(handing=False, misses=0, silences=0)
        return Reply(state, (self._spec.escalation.failed, self.question(state)))

    def silence(self, state: FlowState) -> Reply:
        """The words when the caller says nothing."""
        silences = state.silences + 1
        state = state.but(silences=silences, handing=False)
        if silences > self._spec.silence.reprompts:
            ended = state.but(mode="ended")
            return Reply(ended, (self._spec.flow.goodbye,), end=HangUp("idle"))
        hint = phrasing.suggest(self._expectations.suggestions(state)) if silences > 1 else ""
        return Reply(state, phrasing.both(hint, self.question(state)))

    def hear(self, state: FlowState, heard: Heard) -> Reply:
        """The answer to an utterance."""
        if state.mode == "ended":
            return self._goodbye(state)
        state = state.but(handing=False)
        asked = self._asked(state)
        if heard.keyed:
            heard = replace(heard, text=self._keyed(state, asked, heard.text))
        moment = Moment(self._today(), state.part)
        meaning = understand(self.expectation(state).grammar, heard, asked, moment)
        if meaning is None:
            return self._missed(state)
        state = state.but(misses=0, silences=0)
        if isinstance(meaning, Match):
            return self._mean(state, meaning)
        intent = self._intent(state)
        if intent is None or asked is None:
            return self._missed(state)
        state = state.but(rescue=False)
        if isinstance(meaning, Rejected):
            return self._reask(state, asked, meaning.say)
        return self._filled(state, intent, {asked.id: meaning.value})

    def returned(self, state: FlowState, result: ToolReturned) -> Reply:
        """The words about the end of a tool call; the state no longer has it running."""
        intent = self._intent(state)
        running, state = state.running, state.but(running=None)
        if intent is None:
            return Reply(state, (self.question(state),))
        if result.ok:
            return self._succeeded(state, intent, result.output)
        output = result.output if isinstance(result.output, Mapping) else {}
        if output.get("error") == "conflict" and intent.conflict is not None:
            return self._offer(state, intent, output.get("body"))
        if output.get("error") in RETRYABLE:
            state = state.but(unsure=running)
        unknown = output.get("error") == UNKNOWN
        words = phrasing.UNKNOWN_OUTCOME if unknown else self._fill(intent.failure, intent, state)
        state = state.but(mode="confirm", slot=None)
        if unknown or not intent.confirm:
            state = _finished(state)
        return Reply(state.but(rescue=True, news=words), (words, phrasing.OFFER_PERSON))

    def question(self, state: FlowState) -> str:
        """What the caller is being asked in ``state``."""
        if state.rescue:
            return phrasing.OFFER_PERSON
        intent = self._intent(state)
        match state.mode:
            case "intent" | "ended":
                return self._spec.flow.ask
            case "more":
                return self._spec.flow.anything_else
            case "slot" if intent is not None and state.slot is not None:
                if state.offers and intent.conflict is not None:
                    return self._offer_words(state, intent)
                return intent.slot(state.slot).ask
            case "confirm" if intent is not None and intent.confirm is not None:
                return self._fill(intent.confirm, intent, state)
            case "change" if intent is not None:
                labels = [f"the {slot.label}" for slot in intent.slots if slot.id in state.values]
                return f"What should I change: {phrasing.either(labels)}?"
            case _:
                return self._spec.flow.ask

    def _keyed(self, state: FlowState, asked: Slot | None, keys: str) -> str:
        """A key is as good as its phrase, unless figures are asked and these may be the answer."""
        figures = asked is not None and asked.keys[1] and not state.rescue
        if asked is not None and figures and len(keys) >= asked.keys[0]:
            return keys
        return self._spec.phrase_of(keys) or keys

    # --- what the words mean -------------------------------------------------------------------

    def _mean(self, state: FlowState, match: Match) -> Reply:
        command = match.first("command")
        if command is not None:
            return self._command(state, command)
        answer = match.first("answer")
        if state.rescue and answer is not None:
            if answer == "yes":
                return self._handover(state, "requested")
            state = state.but(rescue=False)
            return Reply(state, (self.question(state),))
        state = state.but(rescue=False)
        wish = match.first("intent")
        if wish is not None:
            return self._begin(state, self._spec.flow.intent(wish), match)
        if state.mode == "more" and answer is not None:
            return self._goodbye(state) if answer == "no" else self._ask_anew(state)
        intent = self._intent(state)
        if intent is None:
            return self._missed(state)
        offer = match.first("offer")
        if offer is not None:
            return self._offer_taken(state, intent, offer)
        change = match.first("change")
        if change is not None:
            return self._reask(state, intent.slot(change))
        if state.mode == "confirm" and answer is not None and len(match.tags) == 1:
            return self._confirmed(state, intent, answer)
        return self._take(state, intent, match)

    def _command(self, state: FlowState, command: str) -> Reply:
        match command:
            case "repeat":
                return Reply(state, (state.said or self.question(state),))
            case "help":
                hint = phrasing.suggest(self._expectations.suggestions(state))
                return Reply(state, phrasing.both(hint, self.question(state)))
            case "restart":
                state = FlowState(done=state.done)
                return Reply(state, (phrasing.START_OVER, self.question(state)))
            case "never_mind":
                if state.mode in ("intent", "more"):
                    return self._ask_anew(state)
                state = _finished(state)
                return Reply(state, (phrasing.NEVER_MIND, self.question(state)))
            case "human":
                return self._handover(state, "requested")
            case _:
                return self._goodbye(state)

    def _begin(self, state: FlowState, intent: Intent, match: Match) -> Reply:
        fresh = FlowState(intent=intent.id, mode="slot", done=state.done)
        return self._take(fresh, intent, match)

    def _take(self, state: FlowState, intent: Intent, match: Match) -> Reply:
        """Fill what the words speak of: the asked slot first, then others, one per kind."""
        asked = self._asked(state)
        others = [slot for slot in intent.slots if slot is not asked and slot.offhand]
        values: dict[str, SlotValue] = {}
        rejected: tuple[Slot, Rejected] | None = None
        kinds: set[str] = set()
        part = match.first("part") or state.part
        moment = Moment(self._today(), part)
        for slot in ([asked] if asked is not None else []) + others:
            reading = None if slot.kind in kinds else slot.read(match, moment)
            if reading is None:
                continue
            if slot.kind != "choice":
                kinds.add(slot.kind)
            if isinstance(reading, Understood):
                values[slot.id] = scalar(reading.value)
            else:
                rejected = rejected or (slot, reading)
        state = state.but(part=part)
        if rejected is not None:
            state = state.but(values=state.values | values)
            return self._reask(state, rejected[0], rejected[1].say)
        if not values and intent.slots and state.mode != "slot":
            return self._missed(state)
        if not values and asked is not None:
            return self._missed(state)
        return self._filled(state, intent, values)

    def _filled(self, state: FlowState, intent: Intent, values: Mapping[str, JsonValue]) -> Reply:
        """Keep ``values``; then the next question, the confirmation, or the tool."""
        fresh = {name: scalar(value) for name, value in values.items()}
        offer = named_offer(intent, state.offers, fresh)
        state = state.but(values=state.values | fresh | offer, offers=())
        return self._advance(state, intent, echo=[s for s in intent.slots if s.id in fresh])

    def _advance(self, state: FlowState, intent: Intent, echo: list[Slot]) -> Reply:
        for slot in intent.slots:
            if slot.id not in state.values:
                state = state.but(mode="slot", slot=slot.id)
                understood = ", ".join(s.spoken(state.values[s.id]) for s in echo)
                words = f"{_capital(understood)}." if understood else ""
                return Reply(state, phrasing.both(words, slot.ask))
        if intent.confirm is not None:
            state = state.but(mode="confirm", slot=None)
            return Reply(state, (self.question(state),))
        return self._act(state, intent)

    def _confirmed(self, state: FlowState, intent: Intent, answer: str) -> Reply:
        if answer == "yes":
            return self._act(state, intent)
        if not state.values:
            state = _finished(state)
            return Reply(state, (phrasing.NEVER_MIND, self.question(state)))
        state = state.but(mode="change", slot=None)
        return Reply(state, (self.question(state),))

    def _act(self, state: FlowState, intent: Intent) -> Reply:
        if intent.tool is None:
            return self._succeeded(state, intent, None)
        sources = arguments_for(intent, self._parameters[intent.tool])
        arguments = {name: self._argument(value, state) for name, value in sources.items()}
        unsure = state.unsure
        if unsure is None or (unsure.tool, unsure.arguments) != (intent.tool, arguments):
            return Reply(state, tool=Wanted(intent.tool, arguments))
        return Reply(state, tool=Wanted(intent.tool, arguments, unsure.call_id))

    # --- what follows a tool -------------------------------------------------------------------

    def _succeeded(self, state: FlowState, intent: Intent, output: JsonValue) -> Reply:
        words = self._fill(intent.success, intent, state, output)
        done = (*state.done, intent.title)[-MAX_DONE:]
        # Only what was confirmed is worth telling twice: a caller who interrupts the opening hours
        # has heard enough of them.
        state = _finished(state).but(done=done, news=words if intent.confirm else "")
        return Reply(state, (words, self.question(state)))

    def _offer(self, state: FlowState, intent: Intent, body: JsonValue) -> Reply:
        conflict = intent.conflict
        if conflict is None:
            raise ValueError(f"{intent.id} has no conflict")
        offers = valid_offers(intent, body)
        if not offers:
            return self._other(state, intent)
        state = state.but(mode="slot", slot=conflict.slot, offers=offers)
        return Reply(state, (self._offer_words(state, intent),))

    def _offer_taken(self, state: FlowState, intent: Intent, offer: str) -> Reply:
        if offer == "none" or int(offer) >= len(state.offers):
            return self._other(state, intent)
        chosen = state.offers[int(offer)]
        return self._advance(state.but(values=state.values | chosen, offers=()), intent, echo=[])

    def _other(self, state: FlowState, intent: Intent) -> Reply:
        """No offer suits: ask ``otherwise``, and what hangs on it, anew."""
        conflict = intent.conflict
        if conflict is None:
            return self._missed(state)
        words = self._fill(conflict.none_left, intent, state)
        gone = (conflict.slot, conflict.otherwise)
        values = {name: value for name, value in state.values.items() if name not in gone}
        state = state.but(mode="slot", slot=conflict.otherwise, values=values, offers=(), part=None)
        return Reply(state, (words, intent.slot(conflict.otherwise).ask))

    def _offer_words(self, state: FlowState, intent: Intent) -> str:
        conflict = intent.conflict
        if conflict is None:
            raise ValueError(f"{intent.id} has no conflict")
        offers = spoken_offers(intent, conflict.slot, state.offers, state.values)
        return self._fill(conflict.say, intent, state, alternatives=offers)

    # --- small replies -------------------------------------------------------------------------

    def _missed(self, state: FlowState) -> Reply:
        misses = state.misses + 1
        state = state.but(misses=misses, silences=0)
        if misses >= MISSES_BEFORE_HANDOVER:
            return self._handover(state, "not_understood")
        if misses >= MISSES_BEFORE_OFFER:
            return Reply(state.but(rescue=True), (phrasing.OFFER_PERSON,))
        if misses == 1:
            return Reply(state, (phrasing.NOT_UNDERSTOOD, self.question(state)))
        hint = phrasing.suggest(self._expectations.suggestions(state))
        return Reply(state, phrasing.both(hint, self.question(state)))

    def _reask(self, state: FlowState, slot: Slot, why: str = "") -> Reply:
        values = {name: value for name, value in state.values.items() if name != slot.id}
        state = state.but(mode="slot", slot=slot.id, values=values, offers=())
        return Reply(state, phrasing.both(why, slot.ask))

    def _ask_anew(self, state: FlowState) -> Reply:
        state = FlowState(done=state.done)
        return Reply(state, (self.question(state),))

    def _goodbye(self, state: FlowState) -> Reply:
        return Reply(
            state.but(mode="ended", rescue=False),
            (self._spec.flow.goodbye,),
            end=HangUp("completed"),
        )

    def _handover(self, state: FlowState, reason: str) -> Reply:
        summary = phrasing.summary(self._intent(state), state.values, state.done)
        return Reply(
            state.but(handing=True, rescue=False),
            (self._spec.escalation.say,),
            end=Handover(reason, summary, self._spec.escalation.target),
        )

    # --- names to things -----------------------------------------------------------------------

    def _intent(self, state: FlowState) -> Intent | None:
        return None if state.intent is None else self._spec.flow.intent(state.intent)

    def _asked(self, state: FlowState) -> Slot | None:
        intent = self._intent(state)
        if intent is None or state.mode != "slot" or state.slot is None:
            return None
        return intent.slot(state.slot)

    @staticmethod
    def _argument(value: ArgumentValue, state: FlowState) -> ArgumentValue:
        if not isinstance(value, str):
            return value
        names = fields_of(value)
        if len(names) == 1 and value == f"{{{names[0]}}}":
            return state.values[names[0]]
        return fill(value, lambda name: str(state.values[name]))

    @staticmethod
    def _fill(
        template: str,
        intent: Intent,
        state: FlowState,
        result: JsonValue = None,
        alternatives: str = "",
    ) -> str:
        return phrasing.filled(template, intent, state.values, result, alternatives)


def _finished(state: FlowState) -> FlowState:
    return FlowState(mode="more", done=state.done)


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]
