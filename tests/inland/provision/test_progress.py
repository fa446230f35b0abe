"""Progress: counts, words and lines, from what the engine says."""

from __future__ import annotations

import io
import random

from inland.provision.progress import Progress, Step, component_of, plain, short_type
from inland.provision.screen import Screen

ROOT = "urn:pulumi:eu-central-1::inland-region::inland:region:RegionalRuntime$inland:region:"
KEY = f"{ROOT}Keys$aws:kms/key:Key::data"
CACHE = f"{ROOT}Store$aws:elasticache/replicationGroup:ReplicationGroup::store"
GROUP = f"{ROOT}Fleet$aws:autoscaling/group:Group::edge"


def test_a_resource_belongs_to_its_innermost_component() -> None:
    assert (component_of(KEY), short_type(KEY)) == ("Keys", "Key")
    assert component_of("urn:pulumi:s::p::aws:kms/key:Key::x") == "Stack"


def test_totals_are_known_before_anything_runs() -> None:
    progress = Progress([KEY, CACHE])
    assert (progress.finished, progress.total) == (0, 2)
    assert "0 of 2" in progress.render("up", 0, 0, 100)[0]


def test_what_is_deleted_without_being_in_the_graph_raises_the_total() -> None:
    progress = Progress([KEY])
    progress.feed(Step("began", "delete", GROUP), 0)
    progress.feed(Step("ended", "delete", GROUP), 1)
    assert (progress.finished, progress.total) == (1, 2)


def test_a_slow_resource_says_for_how_long_and_what_is_normal() -> None:
    progress = Progress([CACHE])
    progress.feed(Step("began", "create", CACHE), 10)
    line = progress.render("up", 0, 130, 200)[1]
    assert "ReplicationGroup store (120 s; 10 to 20 minutes are normal)" in line


def test_what_did_not_change_is_no_line_of_a_log() -> None:
    progress = Progress([KEY])
    assert progress.feed(Step("began", "same", KEY), 0) is None
    assert progress.feed(Step("ended", "same", KEY), 0) is None
    assert progress.summary() == "1 unchanged"


def test_a_failure_is_named_in_its_component_and_stays() -> None:
    progress = Progress([KEY, CACHE])
    progress.feed(Step("began", "create", KEY), 0)
    assert progress.feed(Step("failed", "create", KEY), 3) == "failed Key data"
    assert any("FAILED data" in line for line in progress.render("up", 0, 4, 100))


def test_a_replacement_of_several_steps_counts_once() -> None:
    progress = Progress([KEY])
    for operation in ("create-replacement", "replace", "delete-replaced"):
        progress.feed(Step("began", operation, KEY), 0)
        progress.feed(Step("ended", operation, KEY), 1)
    assert progress.finished == 1
    assert progress.summary() == "1 replaced"


def test_any_order_of_steps_ends_with_everything_done() -> None:
    chance = random.Random(4)
    urns = [KEY, CACHE, GROUP]
    for _ in range(50):
        progress = Progress(urns)
        steps = [Step(phase, "create", urn) for urn in urns for phase in ("began", "ended")]
        chance.shuffle(steps)
        for number, step in enumerate(steps):
            progress.feed(step, number)
        assert progress.finished == progress.total == 3


def test_lines_fit_the_terminal() -> None:
    progress = Progress([KEY, CACHE, GROUP])
    progress.feed(Step("began", "create", CACHE), 0)
    assert all(len(line) <= 40 for line in progress.render("up", 0, 1, 40))


def test_a_provider_s_words_bring_no_terminal_sequence() -> None:
    assert plain("\x1b[31mred\x1b[0m\x07 line\r") == "red line"


def test_without_a_terminal_every_change_is_a_line() -> None:
    out = io.StringIO()
    with Screen("up", [KEY], out, clock=lambda: 0.0) as screen:
        screen.step(Step("began", "create", KEY))
        screen.step(Step("ended", "create", KEY))
        screen.note("warning: mind the gap")
    assert out.getvalue().splitlines() == [
        "creating Key data",
        "created Key data (0 s)",
        "warning: mind the gap",
    ]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_in_a_terminal_the_view_is_painted_over_and_the_last_one_stays() -> None:
    out = Terminal()
    with Screen("up", [KEY], out, clock=lambda: 0.0) as screen:
        screen.step(Step("ended", "create", KEY))
    assert out.getvalue().rstrip().endswith("done")
    assert "1 of 1" in out.getvalue()
