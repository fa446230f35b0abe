"""The residency tag: travels with every stored or sent piece of session data."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, ValidationError, field_validator

from regions.errors import TagError
from regions.models import DataClass, Id, Strict

MAX_BYTES = 4096
"""Longest canonical form that is read."""


def _distinct(values: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(values)) != len(values):
        raise ValueError("lists an id twice")
    return values


Ids = Annotated[tuple[Id, ...], Field(min_length=1, max_length=32), AfterValidator(_distinct)]


class ResidencyTag(Strict):
    """Whose data this is, which law binds it and where it may be."""

    tenant: Id
    jurisdictions: Ids
    """Kept sorted: their order means nothing."""
    data_class: DataClass
    allowed_regions: Ids
    """In order of preference. A tag that is turned to other classes (:meth:`for_class`) must list
    only regions that may hold every one of them."""
    policy: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z._-]{1,32}#[0-9a-f]{12}$")]
    """``version#digest`` of the catalogue that decided."""
    session: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z._-]{1,64}$")]
    expires_at: int = Field(ge=0)
    """Unix seconds; afterwards the data is deleted."""

    @field_validator("jurisdictions", mode="after")
    @classmethod
    def _in_order(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(sorted(values))

    def for_class(self, data_class: DataClass) -> ResidencyTag:
        """The same tag for another class of the session's data."""
        return self.model_copy(update={"data_class": data_class})

    def canonical(self) -> bytes:
        """The one byte form of this tag: sorted compact JSON with a version, UTF-8."""
        body = {"v": 1, **self.model_dump(mode="json")}
        return json.dumps(body, sort_keys=True, separators=(",", ":")).encode()

    @classmethod
    def from_canonical(cls, raw: bytes) -> Self:
        """Read what :meth:`canonical` wrote; any other spelling of it is refused.

        Raises ``TagError``.
        """
        try:
            tag = _Versioned.model_validate_json(raw) if len(raw) <= MAX_BYTES else None
        except ValidationError as error:
            raise TagError(f"not a residency tag: {error.error_count()} wrong fields") from error
        if tag is None:
            raise TagError(f"not a residency tag: longer than {MAX_BYTES} bytes")
        found = cls(**_fields(tag))
        if found.canonical() != raw:
            raise TagError("not a residency tag in canonical form")
        return found


class _Versioned(ResidencyTag):
    v: Literal[1]


def _fields(tag: _Versioned) -> dict[str, Any]:
    return {name: getattr(tag, name) for name in ResidencyTag.model_fields}
