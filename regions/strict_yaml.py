"""Reads a YAML file into a strict model, and says which line to change when it cannot.

What YAML reads differently from what a person meant is refused with the cure: duplicate keys, the
YAML 1.1 booleans (``NO``, ``on``, …), numbers with leading zeros. Anchors, aliases, tags and merge
keys are refused, so a file is never larger than it looks. The rest follows the core schema of
YAML 1.2 (https://yaml.org/spec/1.2.2/#103-core-schema); dates stay text until the model reads them.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from regions.errors import ConfigError, Fault, Faults, dotted
from regions.errors import Path as Path_
from regions.yaml_cures import cure_of

__all__ = ["MAX_BYTES", "ConfigError", "key_lines", "load_yaml", "parse_yaml"]

MAX_BYTES = 1024 * 1024
"""Largest file that is read."""
MAX_DEPTH = 32
MAX_PROBLEMS = 10
"""Most problems that one error lists."""

Model = TypeVar("Model", bound=BaseModel)
Plain: TypeAlias = "str | int | float | bool | list[Plain] | dict[str, Plain] | None"

_YAML_1_1_BOOLEAN = re.compile(r"yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF", re.ASCII)
_BOOLEAN = {"true": True, "True": True, "TRUE": True, "false": False, "False": False}
_NULL = {"", "~", "null", "Null", "NULL"}
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})", re.ASCII)
_LEADING_ZERO = re.compile(r"[-+]?0[0-9_]+", re.ASCII)
_FLOAT = re.compile(r"[-+]?(\.[0-9]{1,30}|[0-9]{1,30}(\.[0-9]{0,30})?)([eE][-+]?[0-9]{1,3})?")
_LOADER = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader


def load_yaml(path: Path, model: type[Model]) -> Model:
    """Read ``path`` (UTF-8, at most 1 MiB, one document) as ``model``.

    Raises ``ConfigError`` whose text has a line per problem: file, line, key and what to do.
    """
    return parse_yaml(_text_of(path), str(path), model)


def parse_yaml(text: str, name: str, model: type[Model]) -> Model:
    """Like :func:`load_yaml`, for text; ``name`` stands for the file in messages."""
    reader = _Reader(name)
    data = _parsed(reader, text)
    if not isinstance(data, dict):
        raise ConfigError(f"{name}:1: should be a mapping of keys to values")
    try:
        return model.model_validate_json(json.dumps(data))
    except ValidationError as error:
        raise ConfigError("\n".join(_problems(name, reader, model, error))) from error


def key_lines(path: Path) -> dict[Path_, int]:
    """The line of every key and list entry of a file, for what is found wrong after reading it.

    Raises ``ConfigError`` as :func:`load_yaml` does.
    """
    reader = _Reader(str(path))
    _parsed(reader, _text_of(path))
    return reader.lines


def located(path: Path, faults: Iterable[Fault]) -> Iterator[str]:
    """``file:line: key: words`` for each fault of a file that was read."""
    reader = _Reader(str(path))
    _parsed(reader, _text_of(path))
    for fault in faults:
        known = reader.known_prefix(fault.path)
        yield f"{path}:{reader.lines.get(known, 1)}: {fault}"


def _text_of(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    if len(raw) > MAX_BYTES:
        raise ConfigError(f"{path}: larger than {MAX_BYTES // 1024} KiB: split it")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}:{line}: not UTF-8: save the file as UTF-8") from error


def _parsed(reader: _Reader, text: str) -> Plain:
    name = reader.name
    try:
        return reader.read(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = 1 if mark is None else mark.line + 1
        raise ConfigError(f"{name}:{line}: not YAML: {error.problem or error.context}") from error
    except yaml.reader.ReaderError as error:
        raise ConfigError(f"{name}: not YAML: {error.reason}") from error


def _problems(
    name: str, reader: _Reader, model: type[BaseModel], error: ValidationError
) -> Iterator[str]:
    found = [
        fault
        for detail in error.errors(include_url=False)
        for fault in _faults(reader, model, detail)
    ]
    for fault in found[:MAX_PROBLEMS]:
        where = f"{dotted(fault.path)}: " if fault.path else ""
        yield f"{name}:{reader.lines[reader.known_prefix(fault.path)]}: {where}{fault.words}"
    if len(found) > MAX_PROBLEMS:
        yield f"{name}: and {len(found) - MAX_PROBLEMS} more problems"


def _faults(reader: _Reader, model: type[BaseModel], detail: ErrorDetails) -> Iterator[Fault]:
    # A location also has parts that are no keys of the file (the variant of a union that was
    # tried), and ends in a key that is not there when one is missing.
    keys = detail["loc"]
    known = reader.known_prefix(keys)
    cause = detail.get("ctx", {}).get("error")
    if isinstance(cause, Faults):
        for fault in cause.faults:
            yield Fault((*known, *fault.path), fault.words)
    else:
        shown = (*known, keys[-1]) if detail["type"] == "missing" else known
        yield Fault(shown, cure_of(detail, model))


@dataclass
class _Open:
    """A list or mapping whose end has not been read yet."""

    path: Path_
    value: list[Plain] | dict[str, Plain]
    key: str | None = None


@dataclass
class _Reader:
    """Builds plain data from YAML events; keeps the line of every key."""

    name: str
    lines: dict[Path_, int] = field(default_factory=dict)

    def read(self, text: str) -> Plain:
        """The one document in ``text``. Raises ``ConfigError`` and PyYAML's own errors."""
        stack: list[_Open] = []
        document: Plain = None
        documents = 0
        events: Iterator[Any] = yaml.parse(text, Loader=_LOADER)
        for event in events:
            line = event.start_mark.line + 1
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise self._error(line, (), "a second document: one file, one document")
            elif isinstance(event, yaml.AliasEvent):
                raise self._error(line, _path(stack), "aliases are refused: write the value out")
            elif isinstance(event, yaml.CollectionEndEvent):
                document = stack.pop().value
            elif isinstance(event, yaml.NodeEvent):
                document = self._node(event, line, stack)
        return document

    def _node(self, event: Any, line: int, stack: list[_Open]) -> Plain:
        if event.anchor is not None:
            raise self._error(line, _path(stack), "anchors are refused: write the value out")
        parent = stack[-1] if stack else None
        if parent is not None and isinstance(parent.value, dict) and parent.key is None:
            self._key(event, line, parent)
            return parent.value
        path = _path(stack)
        if event.tag is not None and event.tag != "!":
            raise self._error(line, path, f"the tag {event.tag} is refused: write plain YAML")
        value: Plain
        if isinstance(event, yaml.ScalarEvent):
            value = self._scalar(event, line, path)
        else:
            value = {} if isinstance(event, yaml.MappingStartEvent) else []
            if len(stack) == MAX_DEPTH:
                raise self._error(line, path, f"nested deeper than {MAX_DEPTH} levels")
            stack.append(_Open(path, value))
        if parent is None or isinstance(parent.value, list):
            self.lines[path] = line
        if parent is not None:
            _put(parent, value)
        return value

    def _key(self, event: Any, line: int, parent: _Open) -> None:
        path = parent.path
        if not isinstance(event, yaml.ScalarEvent):
            raise self._error(line, path, "a key must be a word, not a list or mapping")
        plain = event.implicit[0]
        key = event.value
        if plain and key == "<<":
            raise self._error(line, path, "merge keys are refused: write the keys out")
        if plain and (key in _NULL or key in _BOOLEAN or _YAML_1_1_BOOLEAN.fullmatch(key)):
            raise self._error(
                line, path, f'YAML does not read the key {key} as text: quote it "{key}"'
            )
        if key in parent.value:
            first = self.lines[(*path, key)]
            raise self._error(line, (*path, key), f"the key is already on line {first}: keep one")
        parent.key = key
        self.lines[(*path, key)] = line

    def _scalar(self, event: Any, line: int, path: Path_) -> Plain:
        text: str = event.value
        if not event.implicit[0]:
            return text
        if text in _NULL:
            return None
        if text in _BOOLEAN or text == "FALSE":
            return _BOOLEAN.get(text, False)
        if _YAML_1_1_BOOLEAN.fullmatch(text):
            cure = (
                f'many programs read {text} as a boolean: quote it "{text}", or write true or false'
            )
            raise self._error(line, path, cure)
        if _LEADING_ZERO.fullmatch(text):
            cure = f'{text} may be octal or decimal: quote it "{text}" if it is text'
            raise self._error(line, path, cure)
        if _INTEGER.fullmatch(text):
            return int(text)
        if _FLOAT.fullmatch(text) and math.isfinite(float(text)):
            return float(text)
        return text

    def known_prefix(self, keys: Path_) -> Path_:
        """The longest path of the file that is made of parts of ``keys``, in order."""
        path: Path_ = ()
        for key in keys:
            if (*path, key) in self.lines:
                path = (*path, key)
        return path

    def _error(self, line: int, path: Path_, cure: str) -> ConfigError:
        where = f"{dotted(path)}: " if path else ""
        return ConfigError(f"{self.name}:{line}: {where}{cure}")


def _path(stack: list[_Open]) -> Path_:
    """Where the next value goes."""
    if not stack:
        return ()
    top = stack[-1]
    if isinstance(top.value, list):
        return (*top.path, len(top.value))
    return (*top.path, top.key) if top.key is not None else top.path


def _put(parent: _Open, value: Plain) -> None:
    if isinstance(parent.value, list):
        parent.value.append(value)
    elif parent.key is not None:
        parent.value[parent.key] = value
        parent.key = None
