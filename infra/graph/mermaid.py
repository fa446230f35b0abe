"""A graph as a Mermaid flowchart, for documents that draw such themselves.

Syntax: Mermaid's "Flowcharts" page, entity codes included (2026-11-21).
"""

from __future__ import annotations

from collections.abc import Iterator

from infra.graph.outline import Box, Shape, outline
from infra.rules.model import Graph


def draw_mermaid(graph: Graph, depth: int | None = None) -> str:
    """The text of a flowchart; components deeper than ``depth`` levels are closed."""
    lines = ["flowchart LR", *_shape(outline(graph, depth), "  ")]
    lines.append("  classDef holds stroke-width:3px")
    return "\n".join(lines) + "\n"


def _shape(shape: Shape, indent: str) -> Iterator[str]:
    if isinstance(shape, Box):
        style = ":::holds" if shape.holds else ""
        yield f'{indent}{shape.key}["{_label(shape.title, shape.subtitle)}"]{style}'
        return
    yield f'{indent}subgraph {shape.key}["{_label(shape.title, shape.subtitle)}"]'
    for child in shape.children:
        yield from _shape(child, indent + "  ")
    yield f"{indent}end"
    for arrow in shape.arrows:
        yield f"{indent}{arrow.tail} {'<-->' if arrow.mutual else '-->'} {arrow.head}"


def _label(title: str, subtitle: str) -> str:
    return f"{_escaped(title)}<br/>{_escaped(subtitle)}" if subtitle else _escaped(title)


def _escaped(text: str) -> str:
    """Every character that Mermaid or HTML could read as syntax, as an entity code."""
    return "".join(c if c.isalnum() or c in " -_./,:" else f"#{ord(c)};" for c in text)
