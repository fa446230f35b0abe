"""A graph as an SVG picture that needs nothing else and reads on light and on dark pages.

Boxes are filled and their text is dark; lines and headings are a grey with enough contrast on both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import Final

from infra.graph.layout import Placed, Point, layout
from infra.graph.outline import Arrow, Box, Group, Shape, outline, walk
from infra.rules.model import Graph

PADDING = 14.0
HEADING = 24.0
BOX_HEIGHT = 40.0
MARGIN = 12.0
TITLE_SIZE, SUBTITLE_SIZE, HEADING_SIZE = 12.0, 10.5, 12.5
GREY, LINE = "#7a828e", "#8b939f"


@dataclass(frozen=True, slots=True)
class _Family:
    """Services that are one colour, and what the legend calls them."""

    label: str
    fill: str
    services: tuple[str, ...]


FAMILIES: Final = (
    _Family("network", "#cfe3fb", ("ec2", "vpc", "lb", "route53", "acm")),
    _Family("machines", "#fde0c2", ("autoscaling", "launchTemplate")),
    _Family("data", "#d3f0d2", ("s3", "elasticache", "secretsmanager", "ssm", "dynamodb", "sqs")),
    _Family("keys", "#f8d3d6", ("kms",)),
    _Family("permissions", "#e6d9f7", ("iam", "organizations")),
    _Family("watch", "#f7efb5", ("cloudwatch", "sns", "budgets")),
    _Family("closed component", "#e3e6ea", ("component",)),
)
_OTHER: Final = "#e9ebee"


def draw_svg(graph: Graph, depth: int | None = None) -> str:
    """The picture; components deeper than ``depth`` levels are closed. Same graph, same text."""
    picture = _Picture()
    whole = outline(graph, depth)
    width, height = picture.size(whole)
    body = [*picture.shape(whole, MARGIN, MARGIN)]
    legend, legend_width = _legend(whole, MARGIN, height + 2 * MARGIN)
    full = max(width, legend_width) + 2 * MARGIN, height + 3 * MARGIN + 20
    return "\n".join([*_head(whole, full), *body, *legend, "</svg>"]) + "\n"


def _head(whole: Group, size: Point) -> Iterator[str]:
    width, height = f"{size[0]:.0f}", f"{size[1]:.0f}"
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" role="img" font-family="system-ui, sans-serif">'
    )
    yield f"<title>{_text(whole.title)}</title>"
    for name, orient in (("head", "auto"), ("tail", "auto-start-reverse")):
        yield (
            f'<marker id="{name}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
            f'markerHeight="7" orient="{orient}"><path d="M0 0L8 4L0 8z" fill="{LINE}"/></marker>'
        )


class _Picture:
    """Sizes and places the shapes of one outline, each group once."""

    def __init__(self) -> None:
        self._placed: dict[str, Placed] = {}

    def size(self, shape: Shape) -> Point:
        """The outer width and height of a shape."""
        if isinstance(shape, Box):
            texts = _wide(shape.title, TITLE_SIZE, bold=True), _wide(shape.subtitle, SUBTITLE_SIZE)
            return max(*texts, 60.0) + 20, BOX_HEIGHT
        placed = self._inside(shape)
        heading = _wide(f"{shape.title}  {shape.subtitle}", HEADING_SIZE, bold=True)
        return (
            max(placed.width, heading) + 2 * PADDING,
            placed.height + HEADING + 2 * PADDING - 4,
        )

    def _inside(self, group: Group) -> Placed:
        if group.key not in self._placed:
            sizes = {child.key: self.size(child) for child in group.children}
            pairs = [(arrow.tail, arrow.head) for arrow in group.arrows]
            self._placed[group.key] = layout(sizes, pairs)
        return self._placed[group.key]

    def shape(self, shape: Shape, x: float, y: float) -> Iterator[str]:
        """The elements of a shape whose left upper corner is at (x, y)."""
        if isinstance(shape, Box):
            yield from _box(shape, x, y, self.size(shape)[0])
            return
        width, height = self.size(shape)
        yield (
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="8" '
            f'fill="#808890" fill-opacity="0.07" stroke="{LINE}" stroke-opacity="0.6"/>'
        )
        yield (
            f'<text x="{x + PADDING:.1f}" y="{y + 20:.1f}" font-size="{HEADING_SIZE}" '
            f'fill="{GREY}"><tspan font-weight="700">{_text(shape.title)}</tspan>'
            f'<tspan dx="7">{_text(shape.subtitle)}</tspan></text>'
        )
        placed = self._inside(shape)
        left, top = x + PADDING, y + HEADING + PADDING - 4
        for arrow in shape.arrows:
            yield _arrow(arrow, placed, left, top)
        for child in shape.children:
            dx, dy = placed.at[child.key]
            yield from self.shape(child, left + dx, top + dy)


def _arrow(arrow: Arrow, placed: Placed, left: float, top: float) -> str:
    points = [(left + x, top + y) for x, y in placed.paths[arrow.tail, arrow.head]]
    steps = [f"M{points[0][0]:.1f} {points[0][1]:.1f}"]
    for (ax, ay), (bx, by) in pairwise(points):
        bend = (bx - ax) / 2
        steps.append(f"C{ax + bend:.1f} {ay:.1f} {bx - bend:.1f} {by:.1f} {bx:.1f} {by:.1f}")
    start = ' marker-start="url(#tail)"' if arrow.mutual else ""
    return (
        f'<path d="{"".join(steps)}" fill="none" stroke="{LINE}" stroke-width="1.3"'
        f'{start} marker-end="url(#head)"/>'
    )


def _box(box: Box, x: float, y: float, width: float) -> Iterator[str]:
    told = [f"holds: {', '.join(box.holds)}"] if box.holds else []
    yield f"<g><title>{_text(chr(10).join([*told, *box.members]))}</title>"
    yield (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{BOX_HEIGHT}" rx="5" '
        f'fill="{_fill(box.service)}" stroke="{LINE}"/>'
    )
    if box.holds:
        yield _inner(x, y, width, BOX_HEIGHT)
    middle = x + width / 2
    for text, dy, size, style in (
        (box.title, 17.0, TITLE_SIZE, 'font-weight="600" fill="#15191f"'),
        (box.subtitle, 31.0, SUBTITLE_SIZE, 'fill="#3d4450"'),
    ):
        yield (
            f'<text x="{middle:.1f}" y="{y + dy:.1f}" font-size="{size}" text-anchor="middle" '
            f"{style}>{_text(text)}</text>"
        )
    yield "</g>"


def _fill(service: str) -> str:
    return next((f.fill for f in FAMILIES if service in f.services), _OTHER)


def _legend(whole: Group, x: float, y: float) -> tuple[list[str], float]:
    """What the colours and borders in this picture mean, in one row; and how wide it is."""
    boxes = [shape for shape in walk(whole) if isinstance(shape, Box)]
    used = {box.service for box in boxes}
    marks = [(f.label, f.fill, False) for f in FAMILIES if used & set(f.services)]
    if any(box.holds for box in boxes):
        marks.append(("keeps data", _OTHER, True))
    lines: list[str] = []
    for label, fill, holds in marks:
        lines.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="20" height="14" rx="3" '
            f'fill="{fill}" stroke="{LINE}"/>'
        )
        if holds:
            lines.append(_inner(x, y, 20, 14))
        lines.append(_grey(label, x + 26, y + 11))
        x += 26 + _wide(label, SUBTITLE_SIZE) + 18
    note = "an arrow goes from what is needed to what needs it"
    lines.append(_grey(note, x, y + 11))
    return lines, x + _wide(note, SUBTITLE_SIZE)


def _inner(x: float, y: float, width: float, height: float) -> str:
    """A second border, inside the fill: it is seen on any page."""
    return (
        f'<rect x="{x + 2.5:.1f}" y="{y + 2.5:.1f}" width="{width - 5:.1f}" '
        f'height="{height - 5:.1f}" rx="3" fill="none" stroke="#3d4450" stroke-width="1.4"/>'
    )


def _grey(text: str, x: float, y: float) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{SUBTITLE_SIZE}" fill="{GREY}">'
        f"{_text(text)}</text>"
    )


def _text(text: str) -> str:
    """As XML's character data: entities for syntax, and nothing for what XML 1.0 cannot say."""
    return escape("".join(c for c in text if c >= " " or c in "\n\t"))


_NARROW: Final[Mapping[str, float]] = dict.fromkeys("fijlrtI.,:;'|!()[] -/", 0.36) | dict.fromkeys(
    "mwMW@%", 0.92
)


def _wide(text: str, size: float, *, bold: bool = False) -> float:
    """About how wide a text is in a common sans-serif; rather too wide than too narrow."""
    ems = sum(_NARROW.get(c, 0.7 if c.isupper() else 0.59) for c in text)
    return ems * size * (1.13 if bold else 1.0)
