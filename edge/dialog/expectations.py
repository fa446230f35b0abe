"""What may be said at each step: the step's answers, corrections, and the global commands.

Grammars are kept small, since every word in one is a word that can be misheard; they are built once
per step and handed out as the same object, so that a recogniser can keep what it compiled.
"""

from __future__ import annotations

from collections.abc import Iterator

from edge.dialog.agent import AgentSpec, Intent
from edge.dialog.flow_state import FlowState
from edge.dialog.slots import Slot
from edge.dialog.slots.base import one_of, tagged
from edge.dialog.slots.choices import YES_NO
from edge.events import Expectation
from edge.grammar import Alt, Grammar, Node, Opt, Seq, Tag, Tail, Words

REPEAT = ("repeat that", "say that again", "can you repeat that", "what did you say")
SORRY = ("pardon", "sorry", "excuse me")
HELP = ("help", "what can i say", "what can i do")
RESTART = ("start over", "start again")
NEVER_MIND = ("never mind", "forget it", "cancel that", "stop")
GOODBYE = ("goodbye", "bye", "hang up", "that's all", "nothing else")
NO_OFFER = ("neither", "none of them", "another day", "another time")
_WISH = ("i want to", "i would like to", "i'd like to", "can i", "could i", "i need to")
_TALK = ("talk to", "speak to", "speak with")
_CHANGE = ("change the", "change", "wrong", "the wrong", "not the")
_RATHER = ("actually", "change it to", "make it")
_PLACES = ("first", "second", "third")


class Expectations:
    """The expectation of every state of one agent."""

    def __init__(self, spec: AgentSpec) -> None:
        self._spec = spec
        self._commands = _commands(spec)
        self._built: dict[tuple[object, ...], Expectation] = {}

    def of(self, state: FlowState) -> Expectation:
        """What makes sense to say in ``state``."""
        key = (
            state.mode,
            state.intent,
            state.slot,
            tuple(sorted(state.values)),
            len(state.offers),
            state.rescue,
        )
        found = self._built.get(key)
        if found is None:
            found = self._built[key] = self._build(state)
        return found

    def suggestions(self, state: FlowState) -> tuple[str, ...]:
        """Up to three things to say, each in the grammar."""
        if state.rescue:
            return ("yes", "no")
        match state.mode:
            case "intent" | "more" | "ended":
                return tuple(intent.examples[0] for intent in self._spec.flow.intents[:3])
            case "slot":
                return self._asked(state).suggestions[:3]
            case "confirm":
                labels = [slot.label for slot in self._intent(state).slots]
                return ("yes", "no", *(f"change the {label}" for label in labels[:1]))
            case "change":
                return tuple(f"the {slot.label}" for slot in self._intent(state).slots[:3])

    def _build(self, state: FlowState) -> Expectation:
        name = state.mode if state.intent is None else f"{state.intent}.{state.slot or state.mode}"
        answers = [YES_NO] if state.rescue else []
        answers += self._answers(state)
        polite = Tail(one_of(("please", "thanks", "thank you")))
        root = Seq((Alt((*answers, *self._commands)), polite))
        return Expectation(name, Grammar(name, root), self.suggestions(state), self._keys(state))

    def _keys(self, state: FlowState) -> int:
        if state.mode == "slot" and not state.rescue and self._asked(state).keys[1]:
            return self._asked(state).keys[1]
        return 1 if self._spec.keys else 0

    def _answers(self, state: FlowState) -> Iterator[Node]:
        match state.mode:
            case "intent" | "more" | "ended":
                if state.mode == "more" and not state.rescue:
                    yield YES_NO
                for intent in self._spec.flow.intents:
                    yield _wish(intent)
            case "slot":
                if state.offers:
                    yield _offers(len(state.offers))
                intent, asked = self._intent(state), self._asked(state)
                rest = [s for s in intent.slots if s.id not in state.values and s.id != asked.id]
                yield Seq((asked.node, *_offhand(rest)))
                yield from _corrections(self._filled(state, intent))
            case "confirm":
                if not state.rescue:
                    yield YES_NO
                yield from _corrections(self._filled(state, self._intent(state)))
            case "change":
                filled = self._filled(state, self._intent(state))
                yield Seq((Opt(Words("the")), Alt(tuple(_label(slot) for slot in filled))))
                yield from _corrections(filled)

    def _intent(self, state: FlowState) -> Intent:
        if state.intent is None:
            raise ValueError(f"mode {state.mode} without an intent")
        return self._spec.flow.intent(state.intent)

    def _asked(self, state: FlowState) -> Slot:
        if state.slot is None:
            raise ValueError("mode slot without a slot")
        return self._intent(state).slot(state.slot)

    def _filled(self, state: FlowState, intent: Intent) -> list[Slot]:
        return [slot for slot in intent.slots if slot.id in state.values]


def _wish(intent: Intent) -> Node:
    """``i would like to book an appointment [with the dentist] [tomorrow] [at ten]``."""
    what = tagged(intent.examples, "intent", intent.id)
    return Seq((Opt(one_of(_WISH)), what, *_offhand(list(intent.slots))))


def _offhand(slots: list[Slot]) -> Iterator[Node]:
    for slot in slots:
        if slot.offhand:
            yield Tail(slot.aside)


def _corrections(filled: list[Slot]) -> Iterator[Node]:
    """``change the date``, ``no, on friday``, ``make it friday``.

    A value after a mere "no" needs its lead ("on", "at"): otherwise breath after a "no" is heard
    as a new time.
    """
    if filled:
        yield Seq((one_of(_CHANGE), Alt(tuple(_label(slot) for slot in filled))))
    for slot in filled:
        if slot.offhand:
            named = Words(f"change the {slot.label} to")
            firm = Seq((Opt(Words("no")), one_of(slot.leads)))
            yield Seq((Alt((one_of(_RATHER), named, firm)), slot.core))


def _label(slot: Slot) -> Node:
    return tagged((slot.label,), "change", slot.id)


def _offers(count: int) -> Node:
    places = tuple(
        Tag(Seq((Words(f"the {place}"), Opt(Words("one")))), "offer", str(number))
        for number, place in enumerate(_PLACES[:count])
    )
    return Alt((*places, tagged(NO_OFFER, "offer", "none")))


def _commands(spec: AgentSpec) -> tuple[Node, ...]:
    talk = Seq((Opt(one_of((*_WISH, "let me"))), one_of(_TALK)))
    return (
        tagged((*REPEAT, *SORRY), "command", "repeat"),
        tagged(HELP, "command", "help"),
        tagged(RESTART, "command", "restart"),
        tagged(NEVER_MIND, "command", "never_mind"),
        tagged(GOODBYE, "command", "goodbye"),
        Tag(Seq((Opt(talk), one_of(spec.escalation.words))), "command", "human"),
    )
