"""A node or a demo that cannot start says which file, which key, what to do, and ends with 2."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from inland.demo.files import write_files
from inland.demo.ports import free_ports
from tests.system.world import INLAND, World, quiet_environment

pytestmark = pytest.mark.system

EU = "eu-central-1"
CLINIC = {"CLINIC_BOOKING_URL": "http://127.0.0.1:9"}
SECRET = {"INLAND_NODE_SECRET": "a-secret-of-twenty-letters", **CLINIC}


async def ended(*arguments: str, **environment: str) -> tuple[int, str]:
    """Run ``inland`` to its end; its status and what it said on standard error."""
    process = await asyncio.create_subprocess_exec(
        *INLAND, *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env=quiet_environment() | environment,
    )  # fmt: skip
    try:
        _, words = await asyncio.wait_for(process.communicate(), 60)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    said = words.decode()
    assert "Traceback" not in said, said
    return process.returncode, said


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A node's settings that are right, with agents of its own."""
    control, port = free_ports(2)
    files = write_files(tmp_path / "data", control, {EU: port}, 1)
    settings = yaml.safe_load(files.edges[EU].read_text())
    shutil.copytree(settings["agents"], tmp_path / "agents")
    change(files.edges[EU], agents=str(tmp_path / "agents"))
    return files.edges[EU]


def change(path: Path, **values: object) -> None:
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | values))


async def test_second_demo_on_the_same_ports_names_the_port_and_the_way_out(world: World) -> None:
    port = urlsplit(world.page).port
    status, said = await ended("demo", "--port", str(port), "--regions", EU)
    assert status == 2
    assert f"127.0.0.1:{port}" in said
    assert "the page" in said
    assert "--port" in said


async def test_second_node_on_the_same_port_names_the_port_and_the_way_out(
    world: World, config: Path
) -> None:
    port = urlsplit(world.edges[EU]).port
    change(config, port=port)
    status, said = await ended("edge", "--config", str(config), **SECRET)
    assert status == 2
    assert f"127.0.0.1:{port}" in said
    assert "'port'" in said


@pytest.mark.parametrize("only_check", [True, False])
async def test_agent_file_with_an_error_is_named_with_its_key(
    config: Path, tmp_path: Path, only_check: bool
) -> None:
    agent = tmp_path / "agents" / "clinic-reception.yaml"
    lines = agent.read_text().splitlines()
    number = next(i for i, line in enumerate(lines) if line.startswith("silence:"))
    lines[number] = "silence: {seconds: soon, reprompts: 2}"
    agent.write_text("\n".join(lines))
    check = ["--check"] if only_check else []
    status, said = await ended("edge", "--config", str(config), *check, **SECRET)
    assert status == 2
    assert f"{agent}:{number + 1}" in said
    assert "silence.seconds" in said


async def test_agent_file_that_is_no_yaml_is_named_with_its_line(
    config: Path, tmp_path: Path
) -> None:
    agent = tmp_path / "agents" / "bank-callback.yaml"
    agent.write_text("id: bank-callback\nflow: {intents: [\n")
    status, said = await ended("edge", "--config", str(config), "--check")
    assert status == 2
    assert str(agent) in said


async def test_setting_that_nobody_knows_is_named(config: Path) -> None:
    change(config, wrokers=3)
    status, said = await ended("edge", "--config", str(config), "--check")
    assert status == 2
    assert str(config) in said and "wrokers" in said


async def test_missing_settings_file_is_named(tmp_path: Path) -> None:
    status, said = await ended("edge", "--config", str(tmp_path / "none.yaml"))
    assert status == 2
    assert "none.yaml" in said


async def test_node_without_a_secret_is_told_where_it_comes_from(config: Path) -> None:
    status, said = await ended("edge", "--config", str(config), **CLINIC)
    assert status == 2
    assert "INLAND_NODE_SECRET" in said


async def test_model_that_was_asked_for_and_is_missing_is_named(
    config: Path, tmp_path: Path
) -> None:
    change(config, recognizer="sherpa", models=str(tmp_path / "no-models"))
    status, said = await ended("edge", "--config", str(config), **SECRET)
    assert status == 2
    assert "inland models pull" in said
    assert str(tmp_path / "no-models") in said
