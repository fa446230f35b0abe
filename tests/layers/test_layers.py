"""Taking away any one layer of enforcement makes a named test fail."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.layers.catalogue import LAYERS
from tests.layers.copies import ROOT, copy, tracked, without
from tests.layers.layer import Layer, Patch, PatchMisfit, misfits
from tests.layers.running import Ending, NotRun, Verdict, judge, run
from tests.layers.stand import WORKERS, Stand

PATIENCE = 900
"""Seconds; all layers are tried at once, so the first one asked for may wait for many others."""
Trials = dict[str, Future[Verdict]]


@pytest.fixture(scope="module")
def trials(
    request: pytest.FixtureRequest,
) -> Iterator[Trials]:
    """Every layer that this session asks for, tried in the background."""
    wanted = {
        str(item.callspec.id)
        for item in request.session.items
        if isinstance(item, pytest.Function)
        and item.originalname == test_named_tests_fail_without_the_layer.__name__
    }
    layers = [layer for layer in LAYERS if layer.name in wanted]
    with TemporaryDirectory(prefix="inland-layers-") as folder, ThreadPoolExecutor(WORKERS) as pool:
        stand = Stand(Path(folder), layers)
        yield {layer.name: pool.submit(stand.judge, layer) for layer in layers}
        pool.shutdown(cancel_futures=True)


@pytest.mark.timeout(PATIENCE)
@pytest.mark.parametrize("layer", LAYERS, ids=[layer.name for layer in LAYERS])
def test_named_tests_fail_without_the_layer(layer: Layer, trials: Trials) -> None:
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


def test_what_is_made_is_not_copied_with_git_and_without(tmp_path: Path) -> None:
    names = tracked()
    assert "regions/policy.py" in names
    for name in ("a.py", "b/c.yaml", "b/__pycache__/c.pyc", ".venv/d.py", "dist/e.tar"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    assert tracked(tmp_path) == ("a.py", "b/c.yaml")
    copy(tmp_path / "copy", tmp_path)
    assert (tmp_path / "copy" / "b" / "c.yaml").read_text() == "x"
    for made in ("__pycache__", ".venv/", "dist/"):
        assert not any(made in name for name in names)


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


def small_tree(folder: Path, tests: str) -> Path:
    """A tree with one module of ours and one of tests, in place of the whole."""
    for name in ("witness.py", "__init__.py"):
        target = folder / "tests" / "layers" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text((ROOT / "tests" / "layers" / name).read_text())
    (folder / "regions").mkdir()
    for name in ("regions/__init__.py", "tests/__init__.py"):
        (folder / name).write_text("")
    (folder / "regions" / "geo.py").write_text("LOCKED = True\n")
    (folder / "tests" / "test_ways.py").write_text(tests)
    return folder


def test_only_a_claim_that_does_not_hold_counts(tmp_path: Path) -> None:
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
    tree = small_tree(tmp_path, WAYS_TO_END)
    found = run(tree, [f"tests/test_ways.py::test_{name}" for name in ends])
    assert {name.partition("test_ways.py::test_")[2]: e.end for name, e in found.items()} == ends


def test_what_is_imported_from_elsewhere_than_the_copy_shows_nothing(tmp_path: Path) -> None:
    """The working tree is installed, so whatever the copy lacks comes from there."""
    tree = small_tree(tmp_path, "import web_demo\ndef test_passes(): pass\n")
    with pytest.raises(NotRun, match="imported from elsewhere"):
        run(tree, ["tests/test_ways.py::test_passes"])


def test_a_module_that_cannot_be_imported_shows_nothing(tmp_path: Path) -> None:
    tree = small_tree(tmp_path, "import regions.gone\ndef test_passes(): pass\n")
    with pytest.raises(NotRun, match="cannot be imported"):
        run(tree, ["tests/test_ways.py::test_passes"])


LOOKS = """
from regions import geo
def test_looks(): assert geo.LOCKED
def test_looks_away(): assert geo
def test_fails_anyhow(): assert not geo
"""


@pytest.mark.parametrize(
    ("tests", "said"),
    [
        (("looks",), ()),
        (("looks", "looks_away"), ("looks_away: passes without the layer",)),
        (("looks", "fails_anyhow"), ("fails_anyhow: failed with the layer on",)),
    ],
    ids=["noticed", "not by all", "failing anyhow"],
)
def test_every_named_test_must_pass_with_the_layer_and_fail_without(
    tmp_path: Path, tests: tuple[str, ...], said: tuple[str, ...]
) -> None:
    tree = small_tree(tmp_path, LOOKS)
    names = [f"tests/test_ways.py::test_{name}" for name in tests]
    layer = small(Patch("regions/geo.py", "True", "False"), *names)
    verdict = judge(layer, tree, run(tree, names))
    assert verdict.noticed is (said == ())
    assert len(verdict.problems) == len(said)
    assert all(words in problem for words, problem in zip(said, verdict.problems, strict=True))
    assert (tree / "regions" / "geo.py").read_text() == "LOCKED = True\n"


def test_tests_that_did_not_run_with_the_layers_on_are_tried_once_and_told_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []

    def not_run(tree: Path, tests: Sequence[str], *, seconds: float) -> dict[str, Ending]:
        tried.extend(tests)
        raise NotRun("no time")

    monkeypatch.setattr("tests.layers.stand.copy", lambda to: small_tree(to, LOOKS))
    monkeypatch.setattr("tests.layers.stand.run", not_run)
    layer = small(Patch("regions/geo.py", "True", "False"), "tests/test_ways.py::test_looks")
    stand = Stand(tmp_path, [layer])
    for _ in range(2):
        with pytest.raises(NotRun, match="no time"):
            stand.judge(layer)
    assert tried == list(layer.tests)
