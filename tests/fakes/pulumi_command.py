"""A scripted ``pulumi`` command: what Pulumi's Automation API starts, without an engine behind it.

It answers as the real command does on the wire (arguments, exit status, engine events over gRPC)
and does nothing. A test writes the script, puts the command first on PATH and reads what was asked.
"""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SCRIPT_VARIABLE = "FAKE_PULUMI_SCRIPT"
VERSION = "v3.272.0"


@dataclass
class FakePulumi:
    """``folder`` holds the command, its script and the record of what it was asked."""

    folder: Path
    events: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """For ``preview``, ``up`` and ``destroy``."""
    failures: dict[str, str] = field(default_factory=dict)
    """Command to what it says on standard error before it ends with 255."""
    outputs: dict[str, Any] = field(default_factory=dict)
    version: str = VERSION

    def install(self) -> dict[str, str]:
        """Write command and script; returns the environment that finds them."""
        command = self.folder / "pulumi"
        command.write_text(
            f"#!{sys.executable}\nfrom tests.fakes.pulumi_command import main\nmain()\n"
        )
        command.chmod(command.stat().st_mode | stat.S_IXUSR)
        script = self.folder / "script.json"
        script.write_text(
            json.dumps(
                {
                    "events": self.events,
                    "failures": self.failures,
                    "outputs": self.outputs,
                    "version": self.version,
                }
            )
        )
        root = str(Path(__file__).parents[2])
        return {
            SCRIPT_VARIABLE: str(script),
            "PATH": f"{self.folder}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": root,
        }

    @property
    def asked(self) -> list[list[str]]:
        """The arguments of every start, without those that every command has."""
        record = self.folder / "asked.jsonl"
        lines = record.read_text().splitlines() if record.exists() else []
        return [json.loads(line) for line in lines]


def main() -> None:
    """The command."""
    script_path = Path(os.environ[SCRIPT_VARIABLE])
    script = json.loads(script_path.read_text())
    arguments = [word for word in sys.argv[1:] if word != "--non-interactive"]
    with (script_path.parent / "asked.jsonl").open("a") as record:
        record.write(json.dumps(arguments) + "\n")
    command = arguments[0]
    if command in script["events"]:
        _stream(arguments[arguments.index("--event-log") + 1], script["events"][command])
    if command in script["failures"]:
        sys.stderr.write(script["failures"][command] + "\n")
        sys.exit(255)
    if command == "version":
        sys.stdout.write(script["version"] + "\n")
    elif arguments[:2] == ["stack", "output"]:
        sys.stdout.write(json.dumps(script["outputs"]))
    elif arguments[:2] == ["stack", "history"]:
        sys.stdout.write(json.dumps([_HISTORY]))


def _stream(address: str, events: Sequence[dict[str, Any]]) -> None:
    import grpc
    from pulumi.runtime.proto import events_pb2, events_pb2_grpc

    def requests() -> Iterator[Any]:
        for number, event in enumerate(events):
            body = {"sequence": number, "timestamp": 0, **event}
            yield events_pb2.EventRequest(event=json.dumps(body))

    with grpc.insecure_channel(address.removeprefix("tcp://")) as channel:
        events_pb2_grpc.EventsStub(channel).StreamEvents(requests())


_HISTORY = {
    "kind": "update",
    "startTime": "2026-11-21T00:00:00.000Z",
    "endTime": "2026-11-21T00:01:00.000Z",
    "message": "",
    "environment": {},
    "config": {},
    "result": "succeeded",
    "version": 1,
    "resourceChanges": {"create": 1},
}


def step(kind: str, operation: str, urn: str) -> dict[str, Any]:
    """An engine event about a resource: ``kind`` is ``resourcePreEvent``, ``resOutputsEvent``, …"""
    metadata = {"op": operation, "urn": urn, "type": urn.split("::")[2], "provider": ""}
    return {kind: {"metadata": metadata}}


def summary(**changes: int) -> dict[str, Any]:
    """The event that ends a run."""
    return {
        "summaryEvent": {
            "maybeCorrupt": False,
            "durationSeconds": 1,
            "resourceChanges": changes,
            "PolicyPacks": {},
        }
    }
