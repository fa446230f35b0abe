"""What the double knows of a stack between two updates: a JSON file, as Pulumi's own is."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from tests.infra.rehearsal.kind import Kept


@dataclass(frozen=True, slots=True)
class Entry:
    """A resource that was made. ``inputs`` have the provider's default tags in them."""

    urn: str
    type: str
    id: str
    region: str
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]
    protect: bool
    needs: tuple[str, ...]
    """URNs that it was made from: they are deleted after it."""

    @property
    def kept(self) -> Kept:
        """What a handler sees of it."""
        return Kept(self.id, self.inputs, self.outputs)


class State:
    """The entries of one stack, by URN."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.entries: dict[str, Entry] = {}
        if path.exists():
            for item in json.loads(path.read_text()):
                found = Entry(**item)
                self.entries[found.urn] = replace(found, needs=tuple(found.needs))

    def save(self) -> None:
        """Write all entries; a later update begins with them."""
        listed = [asdict(entry) for _, entry in sorted(self.entries.items())]
        self._path.write_text(json.dumps(listed, indent=1))

    def unprotect(self) -> None:
        """As ``pulumi state unprotect --all`` does."""
        self.entries = {urn: replace(entry, protect=False) for urn, entry in self.entries.items()}
        self.save()

    def last_first(self, urns: Iterable[str]) -> list[Entry]:
        """These entries, each before all that it needs."""
        wanted = sorted(set(urns))
        done: dict[str, None] = {}

        def visit(urn: str) -> None:
            if urn in done or urn not in self.entries:
                return
            for need in self.entries[urn].needs:
                visit(need)
            done[urn] = None

        for urn in wanted:
            visit(urn)
        return [self.entries[urn] for urn in reversed(done) if urn in wanted]
