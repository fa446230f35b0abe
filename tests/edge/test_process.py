"""What a process of a node does first."""

from __future__ import annotations

import resource

import pytest

from edge.process import open_many_files


def test_a_process_may_open_as_many_files_as_the_machine_lets_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[int, tuple[int, int]]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (1024, 524_288))
    monkeypatch.setattr(resource, "setrlimit", lambda kind, limits: asked.append((kind, limits)))
    open_many_files()
    assert asked == [(resource.RLIMIT_NOFILE, (524_288, 524_288))]
