"""The YAML form of a script.

The document is read as nodes, not as values, so that an error can name the line it stands in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import yaml

from inland.caller.errors import ScriptError
from inland.caller.script import (
    MAX_LINES,
    BargeIn,
    HangUp,
    Line,
    Pause,
    PlayFile,
    Press,
    Rule,
    Script,
    Speak,
    TypeIn,
    checked_answer,
    checked_file,
    checked_keys,
    checked_text,
    parse_pattern,
    parse_repeats,
    parse_seconds,
)

T = TypeVar("T")

_ANSWERS = ("say", "type", "wav", "barge", "press", "wait", "hangup")


def parse_yaml(text: str, path: Path) -> Script:
    """A script of the keys ``lines``, ``rules`` and ``repeat``.

    Raises :class:`ScriptError` that names the file and the line.
    """
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ScriptError(f"{path}:{line}: not YAML: {error.problem}") from None
    except yaml.YAMLError as error:
        raise ScriptError(f"{path}:1: not YAML: {error}") from None
    if root is None:
        return Script()
    reader = _Reader(path)
    lines: tuple[Line, ...] = ()
    rules: tuple[Rule, ...] = ()
    repeats = 0
    for key, name, value in reader.pairs(root):
        match name:
            case "lines":
                lines = tuple(reader.line(item) for item in reader.items(value))
            case "rules":
                rules = tuple(reader.rule(item) for item in reader.items(value))
            case "repeat":
                repeats = reader.repeats(value)
            case _:
                raise reader.error(key, f"unknown key {name!r}; there are lines, rules and repeat")
    return Script(lines, rules, repeats)


class _Reader:
    """Turns YAML nodes into lines and rules; every error names the node's place."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def error(self, node: yaml.Node, message: str) -> ScriptError:
        return ScriptError(f"{self._path}:{node.start_mark.line + 1}: {message}")

    def checked(self, node: yaml.Node, make: Callable[[], T]) -> T:
        try:
            return make()
        except ValueError as error:
            raise self.error(node, str(error)) from None

    def pairs(self, node: yaml.Node) -> Iterator[tuple[yaml.Node, str, yaml.Node]]:
        if not isinstance(node, yaml.MappingNode):
            raise self.error(node, "keys and values belong here")
        seen: set[str] = set()
        for key, value in node.value:
            name = self.text(key)
            if name in seen:
                raise self.error(key, f"{name!r} is here twice")
            seen.add(name)
            yield key, name, value

    def items(self, node: yaml.Node) -> list[yaml.Node]:
        if not isinstance(node, yaml.SequenceNode):
            raise self.error(node, "a list belongs here")
        if len(node.value) > MAX_LINES:
            raise self.error(node, f"more than {MAX_LINES} lines")
        return list(node.value)

    def text(self, node: yaml.Node) -> str:
        if not isinstance(node, yaml.ScalarNode):
            raise self.error(node, "text belongs here")
        return str(node.value)

    def repeats(self, node: yaml.Node) -> int:
        return self.checked(node, lambda: parse_repeats(self.text(node)))

    def line(self, node: yaml.Node) -> Line:
        if isinstance(node, yaml.ScalarNode):
            if self.text(node) == "hangup":
                return HangUp()
            return self.checked(node, lambda: Speak(checked_text(self.text(node))))
        return self._answer(node, {name: (key, value) for key, name, value in self.pairs(node)})

    def rule(self, node: yaml.Node) -> Rule:
        entries = {name: (key, value) for key, name, value in self.pairs(node)}
        if "when" not in entries:
            raise self.error(node, "a rule needs 'when', a regular expression")
        _, when = entries.pop("when")
        _, repeat = entries.pop("repeat", (when, None))
        pattern = self.checked(when, lambda: parse_pattern(self.text(when)))
        answer = self._answer(node, entries)
        checked = self.checked(node, lambda: checked_answer(answer))
        return Rule(pattern, checked, self._flag(repeat))

    def _flag(self, node: yaml.Node | None) -> bool:
        if node is None:
            return False
        text = self.text(node)
        if text not in ("true", "false"):
            raise self.error(node, "repeat is true or false")
        return text == "true"

    def _answer(self, node: yaml.Node, entries: dict[str, tuple[yaml.Node, yaml.Node]]) -> Line:
        after = entries.pop("after", None)
        if len(entries) != 1:
            raise self.error(node, f"exactly one of {', '.join(_ANSWERS)} belongs here")
        ((name, (key, value)),) = entries.items()
        if after is not None and name != "barge":
            raise self.error(after[0], "'after' belongs to 'barge'")
        text = self.text(value)
        return self.checked(value, lambda: self._made(key, name, text, after))

    def _made(
        self, key: yaml.Node, name: str, text: str, after: tuple[yaml.Node, yaml.Node] | None
    ) -> Line:
        match name:
            case "say":
                return Speak(checked_text(text))
            case "type":
                return TypeIn(checked_text(text))
            case "wav":
                return PlayFile(checked_file(text, self._path.parent))
            case "barge":
                delay = self.text(after[1]) if after else "300ms"
                return BargeIn(parse_seconds(delay), checked_text(text))
            case "press":
                return Press(checked_keys(text))
            case "wait":
                return Pause(parse_seconds(text))
            case "hangup":
                return HangUp()
            case _:
                raise self.error(key, f"unknown key {name!r}; there are {', '.join(_ANSWERS)}")
