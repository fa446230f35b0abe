"""The pure parts of the SDK, in Node."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
WEB_DEMO = HERE.parents[1] / "web_demo"
SCRIPTS = sorted(WEB_DEMO.rglob("*.js"))
NODE = shutil.which("node")

pytestmark = pytest.mark.skipif(NODE is None, reason="needs node")


def run(*arguments: str | Path) -> None:
    assert NODE is not None
    done = subprocess.run([NODE, *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_pure_parts_hold_in_node() -> None:
    run("--test", HERE / "sdk.test.mjs")


def test_scripts_are_valid_modules_of_moderate_size() -> None:
    assert SCRIPTS
    for script in SCRIPTS:
        run("--check", script)
        assert len(script.read_text().splitlines()) <= 300, script
