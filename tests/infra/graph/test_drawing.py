"""Pictures of graphs: what is in them, that they are well formed, and the same each time."""

from __future__ import annotations

import re
from itertools import combinations
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.graph.layout import Point, layout
from infra.graph.mermaid import draw_mermaid
from infra.graph.outline import Arrow, Box, Group, outline, reduced, walk
from infra.graph.svg import draw_svg
from infra.rules.model import Graph, Resource

EVIL = '\x01<b onload="x">&\'"]end\n%%{init'


def graph_of(*resources: Resource) -> Graph:
    return Graph(
        "small", "eu-central-1", {r.urn: r for r in sorted(resources, key=lambda r: r.urn)}
    )


def made(name: str, type_: str = "aws:kms/key:Key", parent: str = "", *needs: str) -> Resource:
    dependencies = {"input": tuple(needs)}
    return Resource(
        name, type_, name, {}, parent=parent, dependencies=dependencies, depends_on=needs
    )


def component(name: str, parent: str = "") -> Resource:
    return Resource(name, f"inland:region:{name.title()}", name, {}, custom=False, parent=parent)


SMALL = graph_of(
    Resource("home", "pulumi:providers:aws", "home", {"region": "eu-central-1"}),
    component("keys"),
    component("store"),
    component("users", "store"),
    made("key", "aws:kms/key:Key", "keys"),
    made("alias", "aws:kms/alias:Alias", "keys", "key"),
    made("user", "aws:elasticache/user:User", "users"),
    made("group", "aws:elasticache/userGroup:UserGroup", "users", "user"),
    made("valkey", "aws:elasticache/replicationGroup:ReplicationGroup", "store", "group", "key"),
    *(made(f"alarm-{n}", "aws:cloudwatch/metricAlarm:MetricAlarm", "", "valkey") for n in "abc"),
)


def titles(group: Group) -> dict[str, str]:
    return {shape.key: shape.title for shape in walk(group)}


def arrows(group: Group) -> set[tuple[str, str]]:
    names = titles(group)
    groups = [shape for shape in walk(group) if isinstance(shape, Group)]
    return {(names[a.tail], names[a.head]) for found in groups for a in found.arrows}


def test_arrows_join_the_children_of_the_innermost_group_with_both_ends() -> None:
    assert arrows(outline(SMALL)) == {
        ("key", "alias"),
        ("user", "group"),
        ("users", "valkey"),
        ("keys", "store"),
        ("store", "3 \N{MULTIPLICATION SIGN} MetricAlarm"),
    }


def test_a_provider_is_the_title_and_no_box() -> None:
    whole = outline(SMALL)
    assert (whole.title, whole.subtitle) == ("small / eu-central-1", "eu-central-1")
    assert "home" not in titles(whole).values()


@pytest.mark.parametrize(
    ("depth", "closed", "inside"),
    [(0, {"keys", "store"}, set()), (1, {"users"}, {"key", "valkey"}), (None, set(), {"user"})],
)
def test_components_below_the_depth_are_closed(
    depth: int | None, closed: set[str], inside: set[str]
) -> None:
    boxes = {shape.title: shape for shape in walk(outline(SMALL, depth)) if isinstance(shape, Box)}
    assert {title for title, box in boxes.items() if box.service == "component"} == closed
    assert inside <= set(boxes)


def test_what_follows_from_other_arrows_is_left_out() -> None:
    pairs = {("a", "b"), ("b", "c"), ("a", "c"), ("c", "d"), ("a", "d")}
    assert sorted(reduced(pairs)) == [Arrow("a", "b"), Arrow("b", "c"), Arrow("c", "d")]


def test_two_that_need_one_another_share_an_arrow() -> None:
    assert reduced({("a", "b"), ("b", "a")}) == [Arrow("a", "b", mutual=True)]


pairs_of_keys = st.sets(
    st.tuples(st.sampled_from("abcdefgh"), st.sampled_from("abcdefgh")).filter(
        lambda pair: pair[0] != pair[1]
    ),
    max_size=20,
)


def reach(pairs: set[tuple[str, str]]) -> set[tuple[str, str]]:
    found = set(pairs)
    while more := {(a, d) for a, b in found for c, d in found if b == c} - found:
        found |= more
    return found


@given(pairs_of_keys)
def test_fewer_arrows_reach_no_less(pairs: set[tuple[str, str]]) -> None:
    kept = {(a.tail, a.head) for a in reduced(pairs)}
    kept |= {(a.head, a.tail) for a in reduced(pairs) if a.mutual}
    assert kept <= pairs
    assert reach(kept) == reach(pairs)


@given(
    pairs_of_keys,
    st.fixed_dictionaries(
        {key: st.tuples(st.floats(20, 300), st.floats(20, 300)) for key in "abcdefgh"}
    ),
)
def test_boxes_never_overlap_and_stay_inside(
    pairs: set[tuple[str, str]], sizes: dict[str, Point]
) -> None:
    single = sorted((a.tail, a.head) for a in reduced(pairs))
    placed = layout(sizes, single)
    assert set(placed.at) == set(sizes)
    assert set(placed.paths) == set(single)
    for key, (x, y) in placed.at.items():
        assert -0.01 <= x <= x + sizes[key][0] <= placed.width + 0.01
        assert -0.01 <= y <= y + sizes[key][1] <= placed.height + 0.01
    for one, other in combinations(sizes, 2):
        (ax, ay), (bx, by) = placed.at[one], placed.at[other]
        apart = (
            ax + sizes[one][0] <= bx + 0.01
            or bx + sizes[other][0] <= ax + 0.01
            or ay + sizes[one][1] <= by + 0.01
            or by + sizes[other][1] <= ay + 0.01
        )
        assert apart, (one, other)


def test_arrows_of_a_chain_run_rightwards() -> None:
    sizes: dict[str, Point] = dict.fromkeys("abc", (50.0, 20.0))
    placed = layout(sizes, [("a", "b"), ("b", "c"), ("a", "c")])
    assert [placed.at[key][0] for key in "abc"] == sorted(placed.at[key][0] for key in "abc")
    assert all(path[0][0] < path[-1][0] for path in placed.paths.values())


@pytest.mark.parametrize("depth", [None, 0, 1])
def test_the_svg_is_well_formed_and_names_everything(depth: int | None) -> None:
    text = draw_svg(SMALL, depth)
    root = ElementTree.fromstring(text)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    told = "".join(root.itertext())
    assert all(name in told for name in ("keys", "store", "valkey", "alarm-b"))
    assert draw_svg(SMALL, depth) == text


def test_the_svg_asks_for_nothing_from_elsewhere() -> None:
    assert re.findall(r"(?:href|src|url|@import|style)=?[^\s]*", draw_svg(SMALL)) == [
        'url(#head)"/>'
    ] * len(re.findall("marker-end", draw_svg(SMALL)))


@pytest.mark.parametrize("kind", ["name", "component", "project", "tag"])
def test_hostile_names_are_text_in_both_pictures(kind: str) -> None:
    box = made(EVIL if kind == "name" else "x")
    if kind == "tag":
        box = Resource("x", "aws:s3/bucket:Bucket", "x", {"tags": {"inland:holds": EVIL}})
    inside = component(EVIL if kind == "component" else "c")
    graph = graph_of(box, inside, made("y", "aws:kms/key:Key", inside.urn, box.urn))
    if kind == "project":
        graph = Graph(EVIL, EVIL, graph.resources)
    root = ElementTree.fromstring(draw_svg(graph))
    assert EVIL[1:].replace("\n", " ") in "".join(root.itertext()).replace("\n", " ")
    assert {element.tag.rpartition("}")[2] for element in root.iter()} <= {
        *("svg", "title", "marker", "path", "rect", "text", "tspan", "g"),
    }
    for line in draw_mermaid(graph).splitlines():
        assert re.fullmatch(
            r'flowchart LR| +(subgraph n\d+\["[^"<>&]*(<br/>[^"<>&]*)?"\]|end|n\d+ <?--> n\d+'
            r'|n\d+\["[^"<>&]*<br/>[^"<>&]*"\](:::holds)?|classDef holds stroke-width:3px)',
            line,
        ), line


def test_the_mermaid_text_of_a_small_graph() -> None:
    assert draw_mermaid(SMALL, 0).splitlines() == [
        "flowchart LR",
        '  subgraph n1["small / eu-central-1<br/>eu-central-1"]',
        '    n2["keys<br/>Keys: 2"]',
        '    n3["store<br/>Store: 3"]',
        '    n4["3 #215; MetricAlarm<br/>cloudwatch"]',
        "  end",
        "  n2 --> n3",
        "  n3 --> n4",
        "  classDef holds stroke-width:3px",
    ]


def test_what_keeps_data_is_marked() -> None:
    box = Resource("b", "aws:s3/bucket:Bucket", "b", {"tags": {"inland:holds": "recordings"}})
    assert ":::holds" in draw_mermaid(graph_of(box))
    assert "keeps data" in draw_svg(graph_of(box))
    assert "holds: recordings" in draw_svg(graph_of(box))
    assert "keeps data" not in draw_svg(SMALL)
