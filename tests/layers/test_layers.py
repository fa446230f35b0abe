"""Taking away any one layer of enforcement makes a named test fail."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.layers.catalogue import LAYERS
from tests.layers.copies import ROOT, tracked, without
from tests.layers.layer import Layer, Patch, PatchMisfit, misfits
from tests.layers.running import Verdict, run
from tests.layers.stand import WORKERS, Stand

PATIENCE = 900
"""Seconds; all layers are tried at once, so the first one asked for may wait for many others."""
Trials = dict[str, Future[Verdict]]


@pytest.fixture(scope="module")
def trials(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Trials]:
    """Every layer that this session asks for, tried in the background."""
    wanted = {
        str(item.callspec.id)
        for item in request.session.items
        if isinstance(item, pytest.Function)
        and item.originalname == test_a_named_test_misses_the_layer.__name__
    }
    layers = [layer for layer in LAYERS if layer.name in wanted]
    stand = Stand(tmp_path_factory.mktemp("layers"), layers)
    with ThreadPoolExecutor(WORKERS) as pool:
        yield {layer.name: pool.submit(stand.judge, layer) for layer in layers}
        pool.shutdown(cancel_futures=True)


@pytest.mark.timeout(PATIENCE)
@pytest.mark.parametrize("layer", LAYERS, ids=[layer.name for layer in LAYERS])
def test_a_named_test_misses_the_layer(layer: Layer, trials: Trials) -> None:
    verdict = trials[layer.name].result()
    if verdict.skipped:
        pytest.skip(f"its test is skipped here: {verdict.skipped}")
    assert verdict.problems == ()


def test_every_layer_has_a_name_words_and_a_test_of_its_own() -> None:
    assert len({layer.name for layer in LAYERS}) == len(LAYERS)
    for layer in LAYERS:
        assert layer.patches
        assert layer.tests
        assert "|" not in layer.holds + layer.off, "it would break the table"
        assert misfits(layer, ROOT) == ()


# --- the script itself ----------------------------------------------------------------------------


def small(patch: Patch, *tests: str) -> Layer:
    return Layer("small", "it holds", "it does not", (patch,), tests)


@pytest.mark.parametrize(
    ("old", "new"), [("not in there", "x"), ("a", "b"), ("once", "once")], ids=str
)
def test_a_patch_that_does_not_fit_exactly_once_is_an_error(old: str, new: str) -> None:
    with pytest.raises(PatchMisfit, match=r"some\.py"):
        Patch("some.py", old, new).apply("a once a")


def test_a_layer_with_a_test_that_is_not_there_does_not_fit(tmp_path: Path) -> None:
    (tmp_path / "some.py").write_text("x = 1\n")
    (tmp_path / "test_some.py").write_text("def test_here() -> None: ...\n")
    patch = Patch("some.py", "1", "2")
    assert misfits(small(patch, "test_some.py::test_here"), tmp_path) == ()
    for test in ("test_some.py::test_gone", "test_other.py::test_here"):
        assert misfits(small(patch, test), tmp_path) == (f"small: there is no {test}",)


def test_the_layer_is_off_in_the_copy_for_as_long_as_it_is_asked(tmp_path: Path) -> None:
    (tmp_path / "some.py").write_text("x = 1\ny = 1\n")
    twice = Layer(
        "l", "h", "o", (Patch("some.py", "x = 1", "x = 2"), Patch("some.py", "y = 1", "y = 2")), ()
    )
    with without(twice, tmp_path):
        assert (tmp_path / "some.py").read_text() == "x = 2\ny = 2\n"
    assert (tmp_path / "some.py").read_text() == "x = 1\ny = 1\n"


def test_files_that_git_ignores_are_not_copied() -> None:
    names = tracked()
    assert "regions/policy.py" in names
    assert not any("__pycache__" in name or name.startswith(".git/") for name in names)


WAYS_TO_END = """
import pytest
from regions import geo

def test_passes(): pass
def test_claims(): assert geo is None
def test_nothing_raised():
    with pytest.raises(ValueError): pass
def test_takes_one_of_none(): (found,) = ()
def test_broken(): geo.no_such_name()
def test_skipped(): pytest.skip("no such program")
@pytest.mark.timeout(1)
def test_hangs():
    while True: pass
@pytest.mark.parametrize("n", [1, 2])
def test_one_of_two(n): assert n == 1
@pytest.fixture
def bad(): assert False
def test_with_a_bad_fixture(bad): pass
"""


def test_only_a_claim_that_does_not_hold_counts_as_missing_the_layer(tmp_path: Path) -> None:
    for name in ("witness.py", "__init__.py", "copies.py", "layer.py"):
        target = tmp_path / "tests" / "layers" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text((ROOT / "tests" / "layers" / name).read_text())
    for name in ("regions/__init__.py", "tests/__init__.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / "regions" / "geo.py").write_text("")
    (tmp_path / "tests" / "test_ways.py").write_text(WAYS_TO_END)
    ends = {
        "passes": "passed",
        "claims": "failed",
        "nothing_raised": "failed",
        "takes_one_of_none": "failed",
        "broken": "broke",
        "skipped": "skipped",
        "hangs": "broke",
        "one_of_two": "failed",
        "with_a_bad_fixture": "broke",
    }
    found = run(tmp_path, [f"tests/test_ways.py::test_{name}" for name in ends])
    assert {name.partition("test_ways.py::test_")[2]: e.end for name, e in found.items()} == ends
