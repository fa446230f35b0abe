"""Commands on a node's data take a tenant's id, and nothing that only looks like a path to one."""

from __future__ import annotations

import pytest

from inland.__main__ import main

COMMANDS = {
    "erase": ("data", "erase", "--session", "s_1"),
    "export": ("data", "export", "--session", "s_1"),
    "list": ("recordings", "list"),
    "recordings": ("recordings", "export", "s_1", "--output", "call.wav"),
}


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
@pytest.mark.parametrize("tenant", ["", "..", "../clinic", "*", "Clinic", "a" * 64, "cl\udcffnic"])
def test_what_is_no_tenants_id_is_refused_before_anything_is_read(
    command: tuple[str, ...], tenant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*command, "--config", "/nowhere/edge.yaml", "--tenant", tenant])
    assert ended.value.code == 2
    assert "is no tenant's id" in capsys.readouterr().err


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_a_tenants_id_is_taken(
    command: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, "--config", "/nowhere/edge.yaml", "--tenant", "demo.clinic-1"]) == 2
    assert "/nowhere/edge.yaml" in capsys.readouterr().err
