"""What a caller is going to say, line by line.

The plain form has one utterance per line; docs/call.md describes both forms.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from inland.caller.errors import ScriptError

MAX_TEXT = 500
"""Longest utterance, characters; the edge takes no longer typed text either."""
MAX_LINES = 1000
MAX_BYTES = 256 * 1024
MAX_REPEATS = 10
MAX_KEYS = 32
"""Longest entry on a telephone's keys."""


@dataclass(frozen=True, slots=True)
class Speak:
    """Say this when the agent has finished."""

    text: str


@dataclass(frozen=True, slots=True)
class PlayFile:
    """Play this recording when the agent has finished."""

    path: Path


@dataclass(frozen=True, slots=True)
class TypeIn:
    """Type this on the data channel when the agent has finished."""

    text: str


@dataclass(frozen=True, slots=True)
class BargeIn:
    """Say this ``after`` seconds of the agent's next audio, while it speaks."""

    after: float
    text: str


@dataclass(frozen=True, slots=True)
class Pause:
    """Say nothing for so many seconds once the agent has finished."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Press:
    """Press these keys of the telephone, one after the other, when the agent has finished."""

    keys: str


@dataclass(frozen=True, slots=True)
class HangUp:
    """End the call when the agent has finished."""


Line: TypeAlias = Speak | PlayFile | TypeIn | BargeIn | Press | Pause | HangUp


@dataclass(frozen=True, slots=True)
class Rule:
    """An answer for when the agent's last words match ``pattern``."""

    pattern: re.Pattern[str]
    answer: Line
    repeat: bool
    """Usable any number of times, not only once."""


@dataclass(frozen=True, slots=True)
class Script:
    """Lines to say in order, and rules that come before them whenever they match.

    ``repeats``: how often a line that the edge says it did not understand is said again.
    """

    lines: tuple[Line, ...] = ()
    rules: tuple[Rule, ...] = ()
    repeats: int = 0

    @property
    def everything(self) -> tuple[Line, ...]:
        """Every line and every rule's answer."""
        return self.lines + tuple(rule.answer for rule in self.rules)

    @property
    def speaks(self) -> bool:
        """Whether any of it must be synthesised."""
        return any(isinstance(line, Speak | BargeIn) for line in self.everything)


def load_script(path: Path) -> Script:
    """The script in a file; ``.yaml`` and ``.yml`` are YAML, anything else is plain text.

    Raises :class:`ScriptError` that names the file and the line.
    """
    try:
        raw = path.read_bytes()
        text = raw.decode("utf-8")
    except OSError as error:
        raise ScriptError(f"{path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise ScriptError(f"{path}:{line}: not UTF-8 text") from error
    if len(raw) > MAX_BYTES:
        raise ScriptError(f"{path}: larger than {MAX_BYTES // 1024} KiB; is it a script?")
    if path.suffix.lower() in (".yaml", ".yml"):
        from inland.caller.script_yaml import parse_yaml

        return parse_yaml(text, path)
    return parse_plain(text, path)


def parse_plain(text: str, path: Path) -> Script:
    """A plain script. ``path`` is named in errors, and sound files are relative to its folder."""
    lines: list[Line] = []
    rules: list[Rule] = []
    repeats = 0
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        try:
            if line.startswith("!repeat"):
                repeats = parse_repeats(line.removeprefix("!repeat").strip())
            elif (rule := _rule(line, path.parent)) is not None:
                rules.append(rule)
            else:
                lines.append(parse_line(line, path.parent))
            if len(lines) + len(rules) > MAX_LINES:
                raise ValueError(f"more than {MAX_LINES} lines")
        except ValueError as error:
            raise ScriptError(f"{path}:{number}: {error}") from None
    return Script(tuple(lines), tuple(rules), repeats)


def parse_line(line: str, folder: Path) -> Line:
    """One line of a plain script. Raises ``ValueError`` with what is wrong."""
    if not line.startswith("!"):
        return Speak(checked_text(line))
    directive, _, rest = line[1:].partition(" ")
    rest = rest.strip()
    match directive:
        case "barge":
            delay, _, words = rest.partition(" ")
            return BargeIn(parse_seconds(delay), checked_text(words))
        case "type":
            return TypeIn(checked_text(rest))
        case "wav":
            return PlayFile(checked_file(rest, folder))
        case "press":
            return Press(checked_keys(rest))
        case "wait":
            return Pause(parse_seconds(rest))
        case "hangup" if not rest:
            return HangUp()
        case "hangup":
            raise ValueError("!hangup takes nothing after it")
        case _:
            raise ValueError(
                f"!{directive} is not a directive; "
                "there are !barge, !type, !wav, !press, !wait, !hangup and !repeat"
            )


def _rule(line: str, folder: Path) -> Rule | None:
    pattern, arrow, answer = line.partition("=>")
    if not arrow:
        return None
    repeat = pattern.endswith("*") and pattern[:-1].endswith((" ", "\t"))
    compiled = parse_pattern(pattern[:-1] if repeat else pattern)
    return Rule(compiled, checked_answer(parse_line(answer.strip(), folder)), repeat)


def checked_answer(line: Line) -> Line:
    """A line that can answer a rule. Raises ``ValueError`` when it cannot."""
    if isinstance(line, BargeIn | Pause):
        raise ValueError(
            "a rule answers with words, a recording, typed words, keys or by hanging up"
        )
    return line


def parse_pattern(text: str) -> re.Pattern[str]:
    """A rule's regular expression. Raises ``ValueError`` with what is wrong."""
    pattern = text.strip()
    if not pattern:
        raise ValueError("a rule needs a pattern before =>")
    try:
        return re.compile(pattern, re.IGNORECASE)
    except re.error as error:
        raise ValueError(f"{pattern!r} is not a regular expression: {error}") from None


def parse_seconds(text: str) -> float:
    """``400ms``, ``1.5s`` or ``2`` as seconds. Raises ``ValueError`` with what is wrong."""
    match = re.fullmatch(r"([0-9]{1,6}(?:\.[0-9]{1,3})?)(ms|s)?", text)
    if match is None:
        raise ValueError(f"{text!r} is not a time like 400ms or 1.5s")
    return float(match[1]) / (1000 if match[2] == "ms" else 1)


def parse_repeats(text: str) -> int:
    """How often to say a line again. Raises ``ValueError`` with what is wrong."""
    if not text.isdecimal() or int(text) > MAX_REPEATS:
        raise ValueError(f"repeat takes a number from 0 to {MAX_REPEATS}")
    return int(text)


def checked_text(text: str) -> str:
    """Words with single spaces. Raises ``ValueError`` when there are none or too many."""
    words = " ".join(text.split())
    if not words:
        raise ValueError("there are no words to say")
    if len(words) > MAX_TEXT:
        raise ValueError(f"longer than {MAX_TEXT} characters")
    return words


def checked_keys(text: str) -> str:
    """Keys of a telephone. Raises ``ValueError`` when there are none, or others."""
    if not re.fullmatch(r"[0-9*#]+", text):
        raise ValueError(f"{text!r} are not keys of a telephone: 0 to 9, * and #")
    if len(text) > MAX_KEYS:
        raise ValueError(f"more than {MAX_KEYS} keys")
    return text


def checked_file(name: str, folder: Path) -> Path:
    """A sound file that exists. Raises ``ValueError`` when it does not."""
    if not name:
        raise ValueError("there is no file to play")
    path = folder / name
    if not path.is_file():
        raise ValueError(f"there is no file {path}")
    return path
