"""The section ``keys.kms`` of a node's settings: keys of AWS KMS that wrap the sessions' keys."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from control_plane.contract import Identifier
from edge.section import Section

_ARN = re.compile(
    r"arn:(aws[a-z-]{0,12}):kms:([a-z0-9-]{1,30}):([0-9]{12}):(key/([A-Za-z0-9-]{1,64})|alias/.{1,250})"
)
_ALIAS = re.compile(r"alias/(?!aws/)[A-Za-z0-9/_-]{1,250}")
COPIED = "mrk-"
"""How the id of a multi-Region key begins ("Multi-Region keys in AWS KMS", AWS KMS Developer Guide,
read 2026-11-21): other regions may have a copy of it."""


@dataclass(frozen=True, slots=True)
class KeyArn:
    """The Amazon Resource Name of a key or of an alias."""

    text: str
    region: str
    account: str
    key_id: str | None
    """None for an alias."""

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The name's parts, or None when it is no such name."""
        found = _ARN.fullmatch(text)
        return None if found is None else cls(text, found[2], found[3], found[5])

    def problem(self, region: str, account: str) -> str | None:
        """Why a node of ``region`` and ``account`` may not use this key; None when it may."""
        if self.region != region:
            return f"is a key of region {self.region}, and this is {region}"
        if self.account != account:
            return f"is a key of account {self.account}, and this is {account}"
        if self.key_id is not None and self.key_id.startswith(COPIED):
            return "is a multi-Region key, which other regions may have a copy of"
        return None


def _named(text: str) -> str:
    if KeyArn.parse(text) is None and _ALIAS.fullmatch(text) is None:
        raise ValueError("write the ARN of a key, or alias/NAME for an alias of this region")
    return text


KeyName = Annotated[str, AfterValidator(_named)]


class KmsSettings(Section):
    """Which key of AWS KMS wraps whose sessions' keys."""

    account: Annotated[str, StringConstraints(pattern=r"^[0-9]{12}$")]
    """The account whose keys count; another one's are refused."""
    key: KeyName | None = None
    """For tenants that have no key of their own in ``tenants``."""
    tenants: dict[Identifier, KeyName] = Field(default_factory=dict, max_length=10_000)

    @model_validator(mode="after")
    def _has_keys(self) -> Self:
        if self.key is None and not self.tenants:
            raise ValueError("names no key: write key, or tenants with a key each")
        return self

    def key_of(self, tenant: str) -> str | None:
        """The name of the key for that tenant's sessions."""
        return self.tenants.get(tenant, self.key)

    @property
    def names(self) -> tuple[tuple[str, str], ...]:
        """Every key that is named, with its place in the settings."""
        own = [(f"tenants.{tenant}", name) for tenant, name in self.tenants.items()]
        return (*(() if self.key is None else (("key", self.key),)), *own)

    def problems(self, region: str) -> Iterator[str]:
        """What can be seen to be wrong with the names alone, on a node of ``region``."""
        for where, name in self.names:
            arn = KeyArn.parse(name)
            problem = None if arn is None else arn.problem(region, self.account)
            if problem is not None:
                yield f"{where}: {problem}: name one of this region and account"
