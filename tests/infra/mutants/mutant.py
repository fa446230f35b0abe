"""A program that breaks a rule."""

from __future__ import annotations

from dataclasses import dataclass

from tests.infra.mutants.making import Spoil


@dataclass(frozen=True, slots=True)
class Mutant:
    """A spoiled program, the rule meant for it, and the rules that cannot but see it too.

    ``preview`` where the fault shows only before anything is made.
    """

    name: str
    rule: str
    spoil: Spoil
    preview: bool = False
    also: frozenset[str] = frozenset()
