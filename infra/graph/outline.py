"""What a picture of a graph shows, before anyone draws it: groups, boxes and arrows.

A component is a group; resources of one type that stand together in large number are one box. An
arrow goes from what is needed to what needs it. It joins the two children of the innermost group
that has both ends, so that a picture stays readable; what follows from other arrows is left out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from infra.rules.model import Graph, Resource

TIMES = "\N{MULTIPLICATION SIGN}"
CROWD = 3
"""From so many on, resources of one type in one group are a single box."""


@dataclass(frozen=True, slots=True)
class Box:
    """One resource, a crowd of one type, or a component that is drawn closed."""

    key: str
    title: str
    subtitle: str
    service: str
    holds: tuple[str, ...] = ()
    """What data it keeps: the tags ``inland:holds``."""
    members: tuple[str, ...] = ()
    """The names of all that it stands for."""


@dataclass(frozen=True, slots=True)
class Group:
    """A component with what it is made of. The outermost group is the stack."""

    key: str
    title: str
    subtitle: str
    children: tuple[Group | Box, ...]
    arrows: tuple[Arrow, ...]


@dataclass(frozen=True, slots=True, order=True)
class Arrow:
    """From the child that is needed to the child that needs it; ``mutual`` when each does."""

    tail: str
    head: str
    mutual: bool = False


Shape: TypeAlias = Group | Box


@dataclass(slots=True)
class _Node:
    """A component while the tree is built."""

    resource: Resource | None
    components: list[_Node] = field(default_factory=list)
    resources: list[Resource] = field(default_factory=list)


def outline(graph: Graph, depth: int | None = None) -> Group:
    """The picture of a graph; components deeper than ``depth`` levels are closed boxes.

    Providers are not drawn: the title says the regions that they pin.
    """
    root = _tree(graph)
    ways: dict[str, tuple[str, ...]] = {}
    shape = _Outliner(depth, ways).group(root, (), _title(graph))
    return _with_arrows(shape, _arrows(graph, ways))


def walk(shape: Shape) -> Iterator[Shape]:
    """A shape and all inside it."""
    yield shape
    if isinstance(shape, Group):
        for child in shape.children:
            yield from walk(child)


def service_of(type_: str) -> str:
    """``aws:kms/key:Key`` is of ``kms``."""
    return type_.partition(":")[2].partition("/")[0] or type_


def short_type(type_: str) -> str:
    """``aws:kms/key:Key`` is called ``kms Key``; a component's ``inland:region:Keys``, ``Keys``."""
    last = type_.rpartition(":")[2]
    return f"{service_of(type_)} {last}" if "/" in type_ else last


def _title(graph: Graph) -> tuple[str, str]:
    providers = [r for r in graph.resources.values() if r.type.startswith("pulumi:providers:")]
    regions = sorted({str(r.properties["region"]) for r in providers if "region" in r.properties})
    return f"{graph.project} / {graph.stack}", ", ".join(regions)


def _tree(graph: Graph) -> _Node:
    nodes: dict[str, _Node] = {"": _Node(None)}
    components = [r for r in graph.resources.values() if not r.custom]
    for resource in components:
        nodes[resource.urn] = _Node(resource)
    for resource in components:
        nodes[_home(graph, resource)].components.append(nodes[resource.urn])
    for resource in graph.resources.values():
        if resource.custom and not resource.type.startswith("pulumi:providers:"):
            nodes[_home(graph, resource)].resources.append(resource)
    return nodes[""]


def _home(graph: Graph, resource: Resource) -> str:
    """The nearest component around a resource; a custom resource is nobody's group."""
    parent = graph.resources.get(resource.parent)
    while parent is not None and parent.custom:
        parent = graph.resources.get(parent.parent)
    return "" if parent is None else parent.urn


class _Outliner:
    """Gives every shape its key, and every URN the way of keys that leads to it."""

    def __init__(self, depth: int | None, ways: dict[str, tuple[str, ...]]) -> None:
        self._depth = depth
        self._ways = ways
        self._count = 0

    def _key(self) -> str:
        self._count += 1
        return f"n{self._count}"

    def group(self, node: _Node, way: tuple[str, ...], title: tuple[str, str]) -> Group:
        here = (*way, self._key())
        if node.resource is not None:
            self._ways[node.resource.urn] = here
        children: list[Shape] = []
        for inner in node.components:
            assert inner.resource is not None
            if self._depth is not None and len(here) > self._depth:
                children.append(self._closed(inner, here))
            else:
                named = inner.resource.name, short_type(inner.resource.type)
                children.append(self.group(inner, here, named))
        children += self._boxes(node.resources, here, title[0])
        return Group(here[-1], *title, tuple(children), ())

    def _boxes(
        self, resources: Sequence[Resource], way: tuple[str, ...], around: str
    ) -> Iterator[Box]:
        by_type: dict[str, list[Resource]] = defaultdict(list)
        for resource in resources:
            by_type[resource.type].append(resource)
        for type_, alike in sorted(by_type.items()):
            service, kind = service_of(type_), short_type(type_).rpartition(" ")[2]
            if len(alike) >= CROWD:
                yield self._box(alike, way, f"{len(alike)} {TIMES} {kind}", service)
                continue
            for resource in alike:
                # What is called as its component, or after it, need not say so again.
                own = resource.name.removeprefix(around).lstrip("-")
                subtitle = short_type(type_) if own else service
                yield self._box([resource], way, own or kind, subtitle)

    def _box(
        self, resources: Sequence[Resource], way: tuple[str, ...], title: str, subtitle: str
    ) -> Box:
        key = self._key()
        for resource in resources:
            self._ways[resource.urn] = (*way, key)
        names = tuple(resource.name for resource in resources)
        service = service_of(resources[0].type)
        return Box(key, title, subtitle, service, _held(resources), names)

    def _closed(self, node: _Node, way: tuple[str, ...]) -> Box:
        assert node.resource is not None
        key = self._key()
        inside = list(_all(node))
        for resource in inside:
            self._ways[resource.urn] = (*way, key)
        made = [resource for resource in inside if resource.custom]
        return Box(
            key,
            node.resource.name,
            f"{short_type(node.resource.type)}: {len(made)}",
            "component",
            _held(made),
            tuple(f"{short_type(r.type)} {r.name}" for r in made),
        )


def _all(node: _Node) -> Iterator[Resource]:
    """A component and all that is inside it."""
    if node.resource is not None:
        yield node.resource
    yield from node.resources
    for inner in node.components:
        yield from _all(inner)


def _held(resources: Sequence[Resource]) -> tuple[str, ...]:
    tags = [resource.properties.get("tags") for resource in resources]
    found = {
        str(tag["inland:holds"]) for tag in tags if isinstance(tag, dict) and "inland:holds" in tag
    }
    return tuple(sorted(found))


def _arrows(graph: Graph, ways: dict[str, tuple[str, ...]]) -> dict[str, set[tuple[str, str]]]:
    """Per group, the pairs (needed, needing) of its children."""
    pairs: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for urn, way in ways.items():
        resource = graph.resources[urn]
        for other in resource.depends_on:
            for level, (tail, head) in enumerate(zip(ways.get(other, ()), way, strict=False)):
                if tail != head:
                    pairs[way[level - 1]].add((tail, head))
                    break
    return pairs


def _with_arrows(shape: Group, pairs: dict[str, set[tuple[str, str]]]) -> Group:
    children = tuple(
        _with_arrows(child, pairs) if isinstance(child, Group) else child
        for child in shape.children
    )
    arrows = reduced(pairs.get(shape.key, set()))
    return Group(shape.key, shape.title, shape.subtitle, children, tuple(sorted(arrows)))


def reduced(pairs: set[tuple[str, str]]) -> list[Arrow]:
    """As few arrows as have the same reach; two that need one another share a mutual arrow."""
    mutual = {(a, b) for a, b in pairs if (b, a) in pairs}
    heads: dict[str, set[str]] = defaultdict(set)
    for tail, head in pairs - mutual:
        heads[tail].add(head)
    for tail, head in sorted(pairs - mutual):
        heads[tail].discard(head)
        if not _reaches(heads, tail, head):
            heads[tail].add(head)
    kept = [Arrow(tail, head) for tail, found in heads.items() for head in found]
    return kept + [Arrow(a, b, mutual=True) for a, b in mutual if a < b]


def _reaches(heads: dict[str, set[str]], tail: str, head: str) -> bool:
    seen, stack = {tail}, [tail]
    while stack:
        for there in heads.get(stack.pop(), set()) - seen:
            if there == head:
                return True
            seen.add(there)
            stack.append(there)
    return False
