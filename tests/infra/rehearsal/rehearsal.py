"""``Rehearsal``: what an operator does with a stack, done with the double."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
from pulumi.runtime.proto import engine_pb2_grpc, resource_pb2_grpc

from infra.graph.project import configuration
from tests.infra.rehearsal.cloud import Cloud
from tests.infra.rehearsal.engine import Engine, Run, delete
from tests.infra.rehearsal.state import State

HOST = Path(__file__).with_name("host.py")
SECONDS = 280
"""A program that takes longer hangs."""


class Rehearsal:
    """One stack of one project, in one account of moto."""

    def __init__(
        self,
        folder: Path,
        stack: str,
        cloud: Cloud,
        state_file: Path,
        config: Mapping[str, Any] | None = None,
    ) -> None:
        """``config`` is laid over the stack file, for what only exists in moto."""
        self._folder = folder
        self._stack = stack
        self._cloud = cloud
        self._config = config
        self.state = State(state_file)

    def preview(self, **config: Any) -> Run:
        """What ``up`` would do."""
        return self._update(config, preview=True)

    def up(self, **config: Any) -> Run:
        """Run the program and bring moto to what it registers; ``config`` changes settings."""
        return self._update(config, preview=False)

    def destroy(self) -> Run:
        """Delete the stack, without asking the program."""
        run = Run()
        try:
            delete(self._cloud, self.state, run, list(self.state.entries))
        finally:
            self.state.save()
        return run

    def _update(self, config: Mapping[str, Any], *, preview: bool) -> Run:
        configured = configuration(
            self._folder, self._stack, {**(self._config or {}), **config} or None
        )
        engine = Engine(configured.project, self._stack, self._cloud, self.state, preview=preview)
        server = grpc.server(ThreadPoolExecutor(8))
        resource_pb2_grpc.add_ResourceMonitorServicer_to_server(engine, server)
        engine_pb2_grpc.add_EngineServicer_to_server(engine, server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        told = {
            "address": f"127.0.0.1:{port}",
            "folder": str(self._folder.resolve()),
            "project": configured.project,
            "stack": self._stack,
            "preview": preview,
            "config": dict(configured.values),
            "secrets": list(configured.secrets),
        }
        try:
            _host(told, engine.run)
            if not engine.run.errors:
                engine.finish()
        finally:
            server.stop(None).wait()
            if not preview:
                self.state.save()
        return engine.run


def _host(told: Mapping[str, Any], run: Run) -> None:
    """Run the program; what it says when it fails is the run's error, unless a step was."""
    done = subprocess.run(
        [sys.executable, str(HOST)],
        input=json.dumps(told),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    if done.returncode != 0 and not run.errors:
        run.errors.append(done.stderr.strip())
