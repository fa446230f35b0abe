"""A layer of enforcement, and how it is switched off."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


class PatchMisfit(Exception):
    """A patch does not fit its file any more: mend the layer. The text says which."""


@dataclass(frozen=True, slots=True)
class Patch:
    """``old`` stands in the file exactly once and becomes ``new``. ``path`` is below the root."""

    path: str
    old: str
    new: str

    def apply(self, text: str) -> str:
        """The text with the layer switched off. Raises ``PatchMisfit``."""
        count = text.count(self.old)
        if count != 1:
            raise PatchMisfit(f"{self.path}: holds {count} times, not once: {self.old!r}")
        if self.new == self.old:
            raise PatchMisfit(f"{self.path}: the patch changes nothing")
        return text.replace(self.old, self.new)


@dataclass(frozen=True, slots=True)
class Layer:
    """One thing that stands between a call's data and the wrong place.

    ``holds`` is what it enforces, ``off`` what is done to take it away, both in words. ``tests``
    are pytest's node ids without parameters; with the layer off every one of them must fail.
    """

    name: str
    holds: str
    off: str
    patches: tuple[Patch, ...]
    tests: tuple[str, ...]

    @property
    def files(self) -> tuple[str, ...]:
        """The files that are patched, once each."""
        return tuple(dict.fromkeys(patch.path for patch in self.patches))

    def spoil(self, read: Callable[[str], str]) -> dict[str, str]:
        """Each file that is patched, with the layer off. Raises ``PatchMisfit``."""
        texts: dict[str, str] = {}
        for patch in self.patches:
            text = texts.get(patch.path)
            texts[patch.path] = patch.apply(read(patch.path) if text is None else text)
        return texts


def misfits(layer: Layer, root: Path) -> tuple[str, ...]:
    """What of a layer does not fit the tree below ``root``: a patch, or a test that is not there.

    Whether a test is there is read from its file: a function of that name.
    """
    found: list[str] = []
    try:
        layer.spoil(lambda path: (root / path).read_text())
    except (PatchMisfit, OSError) as error:
        found.append(f"{layer.name}: {error}")
    for test in layer.tests:
        path, _, name = test.partition("::")
        file = root / path
        words = f"def {name.rpartition('::')[2]}("
        if not file.is_file() or words not in file.read_text():
            found.append(f"{layer.name}: there is no {test}")
    return tuple(found)
