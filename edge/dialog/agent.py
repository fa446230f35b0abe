"""What an agent is: one versioned YAML file. ``docs/agents.md`` is its manual."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import Field, StringConstraints, model_validator

from control_plane.contract import Identifier
from edge.dialog.escalation import Escalation
from edge.dialog.slots import Slot
from edge.dialog.slots.base import Key, Phrase, Sentence, Strict
from edge.dialog.template import fields_of, stray_brace
from edge.retention import Retention
from regions.models import CountryCode
from regions.strict_yaml import ConfigError, load_yaml

EnvironName = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]{0,63}$")]
Address = Annotated[
    str, StringConstraints(pattern=r"^https?://[^\s/?#@]{1,200}(/[^\s?#]{0,200})?$")
]
"""``https://host[:port][/path]``, without user, query or fragment."""
ArgumentValue: TypeAlias = str | int | float | bool
KeypadKey = Annotated[str, StringConstraints(pattern=r"^[0-9]$")]
HUMAN = "human"
"""The key for a person, whatever the words for one are."""
PHONE = "phone"
"""The slot that holds a telephone number, where an agent's ``subject`` names it."""
HERE = "here"
"""The region of the node itself."""


class Parameter(Strict):
    """One argument of a tool, typed. Values that do not fit are never sent."""

    type: Literal["string", "integer", "number", "boolean"]
    description: str = Field(default="", max_length=200)
    required: bool = True
    choices: tuple[str, ...] = Field(default=(), max_length=30)
    max_length: int = Field(default=200, ge=1, le=2000)
    """Characters of a string."""


class HttpTool(Strict):
    """A tool behind an HTTP endpoint that speaks JSON.

    Parameters named in ``path`` (``/v1/things/{id}``) go there, quoted; the others go into the
    query of GET and DELETE, into the JSON body of POST and PUT.
    """

    kind: Literal["http"]
    name: Key
    description: str = Field(default="", max_length=300)
    url: Address | None = None
    url_env: EnvironName | None = None
    """The environment variable that holds the address; the one that is set wins over ``url``."""
    region: Identifier = HERE
    """Where the service runs."""
    method: Literal["GET", "POST", "PUT", "DELETE"] = "POST"
    path: str = Field(default="", pattern=r"^(/[A-Za-z0-9._~{}/-]{0,200})?$")
    parameters: dict[Key, Parameter] = Field(default_factory=dict, max_length=20)
    timeout_seconds: float = Field(default=5.0, gt=0, le=60)
    idempotent: bool
    """Whether the service honours the Idempotency-Key header; only then is a call ever retried."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.url is None and self.url_env is None:
            raise ValueError("needs url or url_env")
        for field in fields_of(self.path):
            parameter = self.parameters.get(field)
            if parameter is None or not parameter.required:
                raise ValueError(f"path names {{{field}}}: declare it as a required parameter")
        return self


class PythonTool(Strict):
    """A tool in the node's own process: ``package.module:function``, decorated with ``@tool``."""

    kind: Literal["python"]
    name: Key
    description: str = Field(default="", max_length=300)
    call: str = Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.]{0,100}:[A-Za-z_][A-Za-z0-9_]{0,60}$")
    timeout_seconds: float = Field(default=2.0, gt=0, le=60)
    idempotent: bool = False
    """Whether calling it twice with the same arguments does no harm."""


Tool: TypeAlias = Annotated[HttpTool | PythonTool, Field(discriminator="kind")]


class Conflict(Strict):
    """What to do when the service answers 409 and offers something else instead.

    The answer's ``alternatives`` is a list of objects whose keys are slot ids:
    ``[{"date": "2026-11-24", "time": "10:30"}]``.
    """

    say: Sentence
    """``{alternatives}`` are the offers; the slots are as the caller wanted them."""
    none_left: Sentence
    """Said when nothing is offered or no offer suits, before ``otherwise`` is asked."""
    slot: Key
    """What the offers are about; the caller picks one of them, or another value."""
    otherwise: Key
    """The slot to ask when no offer suits: another day."""


class Intent(Strict):
    """One thing a caller may want, and how it is done: learn the slots, confirm, call, tell."""

    id: Key
    title: Sentence
    """"You can <title>": book an appointment."""
    examples: tuple[Phrase, ...] = Field(min_length=1, max_length=20)
    slots: tuple[Slot, ...] = Field(default=(), max_length=10)
    confirm: Sentence | None = None
    """A question that repeats every slot; without it the tool runs as soon as all is known."""
    tool: Key | None = None
    arguments: dict[Key, ArgumentValue] = Field(default_factory=dict, max_length=20)
    """``"{slot}"`` or a constant for each parameter; parameters named like a slot need no entry."""
    success: Sentence
    """Said at the end; ``{result.key}`` is from the tool's answer, ``:digits`` spells it."""
    failure: Sentence = "Sorry, that did not work."
    conflict: Conflict | None = None

    @model_validator(mode="after")
    def _names_exist(self) -> Self:
        slots = [slot.id for slot in self.slots]
        _distinct("slot", slots)
        known = set(slots)
        if self.confirm is not None:
            _fields_exist("confirm", self.confirm, known)
        _fields_exist("failure", self.failure, known)
        _fields_exist("success", self.success, known, result=self.tool is not None)
        for name, value in self.arguments.items():
            if isinstance(value, str):
                _fields_exist(f"arguments.{name}", value, known)
        if self.conflict is not None:
            for key, name in (("slot", self.conflict.slot), ("otherwise", self.conflict.otherwise)):
                if name not in known:
                    raise ValueError(f"conflict.{key}: {_unknown(name, known)}")
            _fields_exist("conflict.say", self.conflict.say, known | {"alternatives"})
            _fields_exist("conflict.none_left", self.conflict.none_left, known)
        return self

    def slot(self, name: str) -> Slot:
        """The slot with this id. Raises ``KeyError``."""
        for slot in self.slots:
            if slot.id == name:
                return slot
        raise KeyError(name)


class Flow(Strict):
    """What the agent can do without a language model."""

    intents: tuple[Intent, ...] = Field(min_length=1, max_length=20)
    ask: Sentence = "How can I help?"
    anything_else: Sentence = "Anything else?"
    goodbye: Sentence = "Goodbye."

    @model_validator(mode="after")
    def _distinct_intents(self) -> Self:
        _distinct("intent", [intent.id for intent in self.intents])
        phrases = [phrase for intent in self.intents for phrase in intent.examples]
        _distinct("example", phrases)
        return self

    def intent(self, name: str) -> Intent:
        """The intent with this id. Raises ``KeyError``."""
        for intent in self.intents:
            if intent.id == name:
                return intent
        raise KeyError(name)


class Model(Strict):
    """A language model behind an OpenAI-compatible chat completions endpoint."""

    url: Address
    """Up to, and without, ``/chat/completions``: ``https://host/v1``."""
    model: str = Field(min_length=1, max_length=120)
    api_key_env: EnvironName | None = None
    region: Identifier
    """Where it runs; the call's policy must allow transcripts there."""
    first_token_seconds: float = Field(default=2.0, gt=0, le=30)
    total_seconds: float = Field(default=15.0, gt=0, le=120)


class Silence(Strict):
    """When the caller says nothing."""

    seconds: float = Field(default=8.0, ge=2, le=60)
    reprompts: int = Field(default=2, ge=0, le=5)
    """Questions repeated before the agent says goodbye and hangs up."""


class Recording(Strict):
    """That calls are recorded, where law and contract let this node's region do so.

    The caller's voice is recorded once the notice has been heard to its end.
    """

    notice: Sentence | None = None
    """What the agent says before anything else, and nobody can interrupt."""
    no_notice: str | None = Field(default=None, min_length=20, max_length=300)
    """Instead of a notice: why callers need not be told by the agent, for whoever audits it."""
    required: bool = False
    """Take no call that may not be recorded; without it such a call goes on unrecorded."""

    @model_validator(mode="after")
    def _told_or_excused(self) -> Self:
        if (self.notice is None) == (self.no_notice is None):
            raise ValueError(
                "write a notice for callers, or no_notice with the reason why they need none"
            )
        return self


class Notices(Strict):
    """What a caller is told when a law or contract that came into force keeps the call from its
    region. Nothing is filled in."""

    moved: Sentence = "One moment, please. This call goes on in another region."
    ended: Sentence = (
        "I am sorry, this call has to end now: the rules on where it may be handled have changed. "
        "Please call again."
    )


class AgentSpec(Strict):
    """One agent."""

    id: Identifier
    version: int = Field(ge=1)
    language: str = Field(default="en-US", pattern=r"^en(-[A-Z]{2})?$")
    """BCP 47. The flow's grammars are English."""
    voice: str = Field(default="default", pattern=r"^[A-Za-z0-9_.:+-]{1,64}$")
    greeting: Sentence
    prompt: str = Field(default="", max_length=8000)
    """Instructions for a language model; unused without one."""
    flow: Flow
    tools: tuple[Tool, ...] = Field(default=(), max_length=20)
    model: Model | None = None
    silence: Silence = Silence()
    escalation: Escalation = Escalation()
    keys: dict[KeypadKey, Phrase] = Field(default_factory=dict, max_length=10)
    """What a key of the telephone stands for where no figures are asked: a phrase as if it were
    said, or ``human``."""
    retention: Retention = Retention()
    """How long what callers say here is kept, where the node would keep it longer."""
    recording: Recording | None = None
    """Without it no call is recorded."""
    carry: bool = True
    """Whether callers may carry the conversation, sealed, to another region that may have it."""
    notices: Notices = Notices()
    """What callers are told when the law ends or moves their call."""
    subject: tuple[Key, ...] = Field(default=(), max_length=7)
    """Slots whose values tell whom a conversation is about: it can be found by them, to be erased
    or handed out (:mod:`edge.session.subjects`)."""
    subject_country: CountryCode | None = None
    """In which country's form callers say their number in the slot ``phone``."""
    latency_budget_ms: int = Field(default=500, ge=100, le=10_000)
    """End of the caller's speech to the first audio; slower answers are counted as such."""

    def phrase_of(self, keys: str) -> str | None:
        """What these keys stand for, or None."""
        phrase = self.keys.get(keys)
        return self.escalation.words[0] if phrase == HUMAN else phrase

    @model_validator(mode="after")
    def _tools_exist(self) -> Self:
        names = [tool.name for tool in self.tools]
        _distinct("tool", names)
        for intent in self.flow.intents:
            where = f"flow.intents {intent.id!r}"
            if intent.tool is None:
                continue
            if intent.tool not in names:
                raise ValueError(f"{where}: tool: {_unknown(intent.tool, set(names))}")
            tool = self.tool(intent.tool)
            if isinstance(tool, HttpTool):
                _arguments_fit(where, intent, tool)
        return self

    @model_validator(mode="after")
    def _subjects_are_slots(self) -> Self:
        slots = {slot.id for intent in self.flow.intents for slot in intent.slots}
        _distinct("subject", self.subject)
        for name in self.subject:
            if name not in slots:
                raise ValueError(f"subject: {_unknown(name, slots)}")
        if (PHONE in self.subject) != (self.subject_country is not None):
            raise ValueError(
                'subject_country: goes with the slot phone of subject, as in "DE": people say '
                "their number as they dial it at home"
            )
        return self

    def tool(self, name: str) -> Tool:
        """The tool with this name. Raises ``KeyError``."""
        for tool in self.tools:
            if tool.name == name:
                return tool
        raise KeyError(name)


def load_agent(path: Path) -> AgentSpec:
    """Read one agent file. Raises ``ConfigError`` naming file, line, key and cure."""
    return load_yaml(path, AgentSpec)


def load_agents(directory: Path) -> dict[str, AgentSpec]:
    """Every ``*.yaml`` of ``directory`` by agent id. Raises ``ConfigError``."""
    paths = sorted(directory.glob("*.yaml"))
    if not paths:
        raise ConfigError(
            f"{directory}: no agent here: put a *.yaml file there, see docs/agents.md"
        )
    agents: dict[str, AgentSpec] = {}
    for path in paths:
        spec = load_agent(path)
        if spec.id in agents:
            raise ConfigError(f"{path}: id: another file has {spec.id!r} too; rename one")
        agents[spec.id] = spec
    return agents


def arguments_for(intent: Intent, parameters: Collection[str]) -> Mapping[str, ArgumentValue]:
    """Each parameter's source: the intent's own entry, else the slot of the same name."""
    slots = {slot.id for slot in intent.slots}
    named: dict[str, ArgumentValue] = {p: f"{{{p}}}" for p in parameters if p in slots}
    return named | intent.arguments


def _arguments_fit(where: str, intent: Intent, tool: HttpTool) -> None:
    for name in intent.arguments:
        if name not in tool.parameters:
            cure = _unknown(name, set(tool.parameters))
            raise ValueError(f"{where}: arguments of {tool.name}: {cure}")
    given = arguments_for(intent, tuple(tool.parameters))
    for name, parameter in tool.parameters.items():
        if parameter.required and name not in given:
            raise ValueError(
                f"{where}: {tool.name} needs {name!r}: add a slot of that name, or "
                f"arguments: {{{name}: …}}"
            )


def _fields_exist(key: str, template: str, slots: set[str], *, result: bool = False) -> None:
    if stray_brace(template):
        raise ValueError(f"{key}: braces hold one lower-case name, like {{date}}")
    for field in fields_of(template):
        head, _, rest = field.partition(".")
        if not (head in slots and not rest) and not (result and head == "result" and rest):
            raise ValueError(f"{key}: {{{field}}}: {_unknown(head, slots)}")


def _unknown(name: str, known: set[str]) -> str:
    names = ", ".join(sorted(known)) or "none is declared"
    return f"there is no {name!r} (known: {names})"


def _distinct(what: str, names: Sequence[str]) -> None:
    for name, count in Counter(names).items():
        if count > 1:
            raise ValueError(f"{what} {name!r} appears {count} times; each needs its own")
