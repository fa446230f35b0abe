"""Says what a validation error means for whoever wrote the file."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel
from pydantic_core import ErrorDetails

_CURES = {
    "missing": "is missing: add it",
    "string_type": "should be text: put it in quotes",
    "bool_type": "should be true or false",
    "tuple_type": "should be a list",
    "list_type": "should be a list",
    "dict_type": "should be a mapping of keys to values",
    "model_type": "should be a mapping of keys to values",
    "int_type": "should be a whole number",
    "float_type": "should be a number",
}


def cure_of(detail: ErrorDetails, model: type[BaseModel]) -> str:
    """The problem and its cure in words, without the offending value (it may be a secret)."""
    kind = detail["type"]
    if kind == "extra_forbidden":
        return _unknown_key(detail, model)
    if kind == "value_error":
        return str(detail["ctx"]["error"])
    words = _CURES.get(kind, detail["msg"])
    return words[0].lower() + words[1:]


def _unknown_key(detail: ErrorDetails, model: type[BaseModel]) -> str:
    *outer, key = detail["loc"]
    fields = [name for found in _models_at(model, outer) for name in _names(found)]
    close = get_close_matches(str(key), fields, n=1)
    if close:
        return f"unknown key: did you mean {close[0]!r}?"
    known = ", ".join(sorted(set(fields)))
    return f"unknown key: the keys here are {known}" if known else "unknown key: remove it"


def _models_at(model: type[BaseModel], location: list[str | int]) -> list[type[BaseModel]]:
    """The models that a mapping at ``location`` may be of."""
    models = [model]
    for part in location:
        inner = [
            field.annotation
            for found in models
            for name, field in found.model_fields.items()
            if part in (name, field.alias)
        ]
        # Parts that name no field (a position in a list, a key of a dict) stay at this level.
        models = [found for kind in inner for found in _models_in(kind)] or models
    return models


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in get_args(annotation) for model in _models_in(inner)]


def _names(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]
