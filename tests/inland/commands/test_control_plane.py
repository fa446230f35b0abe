"""``inland control-plane`` as an operator meets it: a process."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest

from control_plane.settings import Settings
from inland.commands import control_plane
from tests.control_plane.bundles import OTHER, bundle, put, source

DEMO_TENANTS = Path(__file__).parents[3] / "inland" / "demo" / "tenants.yaml"
LAUNCH = """
import argparse, sys
from inland.commands import control_plane
from tests.control_plane.bundles import OTHER, bundle, put, source
parser = argparse.ArgumentParser(prog="inland control-plane")
control_plane.configure(parser)
sys.exit(control_plane.run(parser.parse_args()))
"""


def config(folder: Path, text: str = "") -> Path:
    path = folder / "control-plane.yaml"
    path.write_text(f'tenants: "{DEMO_TENANTS}"\nkey_file: signing.key\nport: 0\n{text}')
    return path


def launch(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", LAUNCH, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def running(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    process = launch(*arguments)
    try:
        assert process.stdout is not None
        yield process, process.stdout.readline()
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_one_line_when_it_is_ready_and_ends_with_0_when_asked(
    tmp_path: Path, number: signal.Signals
) -> None:
    with running("--config", str(config(tmp_path))) as (process, line):
        assert line.startswith("inland control-plane ready on http://127.0.0.1:")
        url = line.split(" ")[4]
        with urlopen(f"{url}/healthz", timeout=60) as answer:
            assert answer.status == 200
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
        assert (process.returncode, out) == (0, "")
        messages = [json.loads(line)["message"] for line in err.splitlines()]
        assert messages == ["control plane listens", "control plane drains", "control plane closed"]


def test_a_hangup_has_the_policy_bundle_read_at_once(tmp_path: Path) -> None:
    put(tmp_path, bundle(1))
    policy = source(tmp_path).model_dump_json()
    with running("--config", str(config(tmp_path, f"policy: {policy}\n"))) as (process, line):
        assert line.startswith("inland control-plane ready on http://127.0.0.1:")
        put(tmp_path, bundle(2))
        process.send_signal(signal.SIGHUP)
        assert process.stderr is not None
        said = [json.loads(process.stderr.readline()) for _ in range(2)]
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    assert [found["message"] for found in said] == ["control plane listens", "policy bundle taken"]
    assert said[1]["count"] == 2
    assert process.returncode == 0


def test_a_bundle_that_nobody_trusted_signed_is_one_line_and_the_status_is_2(
    tmp_path: Path,
) -> None:
    put(tmp_path, bundle(key=OTHER))
    policy = source(tmp_path).model_dump_json()
    process = launch("--config", str(config(tmp_path, f"policy: {policy}\n")))
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err.count("\n")) == (2, "", 1)
    assert "policy (unknown_key)" in err
    assert str(tmp_path / "policy.bundle") in err


def test_a_busy_port_is_one_line_that_names_it_and_the_status_is_2(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process = launch("--config", str(config(tmp_path)), "--port", str(port))
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (2, "")
    assert err.startswith(f"inland control-plane: port {port} on 127.0.0.1 is in use")
    assert err.count("\n") == 1


def test_a_mistake_in_the_file_names_file_line_and_key_and_the_status_is_2(tmp_path: Path) -> None:
    path = config(tmp_path, "idle_secnds: 3\n")
    process = launch("--config", str(path))
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (2, "")
    assert f"{path}:4" in err
    assert "idle_secnds" in err


def test_the_help_names_every_setting() -> None:
    named = {line.split()[0] for line in control_plane.EPILOG.splitlines() if line.startswith("  ")}
    assert set(Settings.model_fields) <= named
