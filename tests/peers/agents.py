"""Agent files for the peers: the demo's receptionist, with few words and other habits."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import yaml

from inland.caller.options import AGENT


def write_agent(folder: Path, agent: str = AGENT, **changes: object) -> Path:
    """The clinic's receptionist, who greets in one word and takes ``0`` for a wish to talk to a
    person, as ``agent`` with other keys of its file. Returns ``folder``, for ``edge.agents``."""
    source = Path(str(files("inland.demo"))) / "agents" / f"{AGENT}.yaml"
    values = yaml.safe_load(source.read_text())
    values |= {"id": agent, "greeting": "Hello.", "keys": {"0": "human"}, **changes}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{agent}.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    return folder
