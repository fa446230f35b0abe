"""The table of ``docs/residency.md``."""

from __future__ import annotations

from collections.abc import Sequence

from tests.layers.layer import Layer

BEGIN, END = "<!-- python -m tests.layers --table -->", "<!-- end of the table -->"


def table(groups: Sequence[tuple[str, Sequence[Layer]]]) -> str:
    """Markdown: each layer, what it holds, how it is switched off, and which tests notice."""
    lines = [
        "| | layer | what it holds | switched off: | tests that fail |",
        "|---|---|---|---|---|",
    ]
    for title, layers in groups:
        for place, layer in enumerate(layers):
            group = "" if place else title
            tests = "; ".join(f"`{short(test)}`" for test in layer.tests)
            lines.append(f"| {group} | `{layer.name}` | {layer.holds} | {layer.off} | {tests} |")
    return "\n".join(lines) + "\n"


def short(test: str) -> str:
    """A node id without the folder that every test is in."""
    return test.removeprefix("tests/")
