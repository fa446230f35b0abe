"""``docs/residency.md`` says what is there: its table, its tests, its files, its numbers."""

from __future__ import annotations

import re
from pathlib import Path

from tests.layers.catalogue import GROUPS, LAYERS
from tests.layers.copies import ROOT
from tests.layers.table import BEGIN, END, short, table

PATH = ROOT / "docs" / "residency.md"
DOCUMENT = PATH.read_text(encoding="utf-8")
SPANS = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", DOCUMENT, flags=re.DOTALL))
TEST = re.compile(r"(?P<path>[a-z0-9_/]+\.py)(?P<names>(?:::\w+)*)")
OF_THE_HOUSE = ("regions/", "control_plane/", "edge/", "inland/", "infra/", "web_demo/", "docs/")
MOST_LINES = 250


def a_test(span: str) -> tuple[Path, list[str]] | None:
    """The file and the names in it, when a span of code is a test: paths are below ``tests/``."""
    found = TEST.fullmatch(span)
    if found is None:
        return None
    path = ROOT / "tests" / found["path"]
    return (path, found["names"].split("::")[1:]) if "/test_" in f"/{found['path']}" else None


def test_the_table_is_what_the_script_prints() -> None:
    assert DOCUMENT.count(BEGIN) == DOCUMENT.count(END) == 1
    inside = DOCUMENT.partition(BEGIN)[2].partition(END)[0]
    assert inside.strip() == table(GROUPS).strip(), "print it: python -m tests.layers --table"


def test_every_test_that_is_named_is_there() -> None:
    named = [(span, found) for span in SPANS if (found := a_test(span)) is not None]
    assert len(named) > len(LAYERS)
    gone = []
    for span, (path, names) in named:
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        if not text or not all(
            re.search(rf"^\s*(class|def|async def) {name}\b", text, re.MULTILINE) for name in names
        ):
            gone.append(span)
    assert gone == []


def test_every_file_that_is_named_is_there() -> None:
    """Folders and modules of ours; tests are looked for on their own."""
    paths = [
        span.partition(" ")[0]
        for span in SPANS
        if span.startswith(OF_THE_HOUSE) and "*" not in span and a_test(span) is None
    ]
    assert paths
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_every_link_leads_to_a_file_and_a_heading() -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", DOCUMENT)
    assert links
    for link in links:
        assert not link.startswith("http"), "a source is named by its title and date"
        name, _, heading = link.partition("#")
        target = PATH.parent / name if name else PATH
        assert target.is_file(), link
        headings = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.MULTILINE)
        slugs = {re.sub(r"[^a-z0-9 -]", "", each.lower()).replace(" ", "-") for each in headings}
        assert not heading or heading in slugs, link


def test_claims_are_numbered_without_a_gap() -> None:
    numbers = [int(number) for number in re.findall(r"^\| (\d+) \|", DOCUMENT, re.MULTILINE)]
    assert numbers == list(range(1, len(numbers) + 1))


def test_every_layers_tests_stand_in_the_table() -> None:
    for layer in LAYERS:
        assert all(f"`{short(test)}`" in DOCUMENT for test in layer.tests)


def test_it_can_be_read_in_one_sitting() -> None:
    assert len(DOCUMENT.splitlines()) <= MOST_LINES


def test_the_readme_leads_to_it() -> None:
    assert "(docs/residency.md)" in (ROOT / "README.md").read_text(encoding="utf-8")
