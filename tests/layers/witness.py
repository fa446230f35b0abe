"""A plugin for pytest: writes down how each test ended, and from where our packages came."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import Phase, settings

PROFILE = "layers"
settings.register_profile(
    PROFILE,
    phases=(Phase.explicit, Phase.generate),  # that something fails is enough: no smaller one
    derandomize=True,  # what notices once notices every time
    database=None,
    deadline=None,
)
REPORT = "INLAND_LAYERS_REPORT"
"""Names the file to write to."""
PACKAGES = ("inland", "regions", "control_plane", "edge", "infra", "web_demo", "tests")
_FOUND: dict[str, dict[str, str]] = {}
_BROKEN: list[str] = []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note every phase's end; a test that failed is not forgiven by a later phase."""
    report = yield
    name = item.nodeid.replace(os.sep, "/")
    if report.skipped:
        why = report.longrepr[2] if isinstance(report.longrepr, tuple) else "skipped"
        _FOUND[name] = {"end": "skipped", "why": str(why)}
    elif report.failed and _FOUND.get(name, {}).get("end") != "failed":
        error = call.excinfo.value if call.excinfo is not None else None
        _FOUND[name] = {
            "end": "failed",
            "when": report.when or "",
            "why": kind_of(error, item.path),
        }
    elif report.when == "call" and report.passed:
        _FOUND[name] = {"end": "passed"}
    return report


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """A module that cannot be imported."""
    if report.failed:
        _BROKEN.append(f"{report.nodeid}: {str(report.longrepr)[-400:]}")


def pytest_sessionfinish() -> None:
    """Write the report as a whole."""
    path = os.environ.get(REPORT)
    if path is None:
        return
    loaded = {
        name: str(Path(file).resolve())
        for name, module in list(sys.modules.items())
        if name.partition(".")[0] in PACKAGES
        and (file := getattr(module, "__file__", None)) is not None
    }
    found = {"tests": _FOUND, "broken": _BROKEN, "loaded": loaded}
    Path(path).write_text(json.dumps(found))


def kind_of(error: BaseException | None, test: Path) -> str:
    """``claim`` when a claim of the file ``test`` did not hold, else the type of what was raised.

    A claim is an assertion; pytest's own failure (nothing was raised where a refusal was due); or
    in a line of the test itself to take out of an answer what is not in it, as in
    ``(finding,) = findings``. Also inside a group. A test that ran out of time says nothing of its
    claim.
    """
    if isinstance(error, BaseExceptionGroup):
        kinds = {kind_of(each, test) for each in error.exceptions}
        return "claim" if "claim" in kinds else ", ".join(sorted(kinds))
    if isinstance(error, AssertionError):
        return "claim"
    if isinstance(error, pytest.fail.Exception):
        return "time-out" if (error.msg or "").startswith("Timeout") else "claim"
    if isinstance(error, ValueError | LookupError):
        frames = traceback.extract_tb(error.__traceback__)
        if frames and Path(frames[-1].filename) == test:
            return "claim"
    return type(error).__name__
