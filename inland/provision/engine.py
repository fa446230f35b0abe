"""Pulumi's Automation API, and what it says in the words of :mod:`inland.provision.progress`."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inland.provision.errors import EngineFailed, PulumiMissing
from inland.provision.progress import Step, plain
from inland.provision.project import Project

if TYPE_CHECKING:
    from pulumi.automation import Stack
    from pulumi.automation.events import EngineEvent

    from infra.rules.model import Scope
    from inland.provision.screen import Screen

HOW_TO_GET_PULUMI = """\
the Pulumi command is not installed (or not on PATH). It is a program of its own that no Python
package carries:
  curl -fsSL https://get.pulumi.com | sh      Linux and macOS; https://www.pulumi.com/docs/install/
  pulumi login s3://BUCKET?region=REGION      keeps the state in a bucket of your own territory
  pulumi plugin install resource aws {aws}
Then run this command again. `inland regions plan REGION --gate-only`, `graph` and `cost` work
without it."""


@dataclass(frozen=True, slots=True)
class Changes:
    """How many resources a run would change or changed, by operation."""

    counts: Mapping[str, int]

    def __str__(self) -> str:
        real = {name: count for name, count in sorted(self.counts.items()) if count}
        return ", ".join(f"{count} {name}" for name, count in real.items()) or "nothing"


class Engine:
    """One stack, driven through the Pulumi command. Every method blocks.

    ``EngineFailed`` carries the last of what Pulumi said; its whole output went to ``screen``.
    """

    def __init__(self, project: Project, scope: Scope, screen: Screen) -> None:
        self._project = project
        self._scope = scope
        self._screen = screen
        self._stack = _select(project)

    def preview(self) -> Changes:
        """What `up` would change."""
        with _policy(self._scope) as (packs, configs):
            result = self._run(
                lambda: self._stack.preview(
                    policy_packs=packs,
                    policy_pack_configs=configs,
                    on_event=self._event,
                    suppress_outputs=True,
                )
            )
        return Changes({str(name): count for name, count in result.change_summary.items()})

    def up(self) -> Mapping[str, Any]:
        """Make the cloud what the program says; returns the stack's outputs."""
        with _policy(self._scope) as (packs, configs):
            result = self._run(
                lambda: self._stack.up(
                    policy_packs=packs,
                    policy_pack_configs=configs,
                    on_event=self._event,
                    suppress_outputs=True,
                    show_secrets=False,
                )
            )
        return {name: output.value for name, output in result.outputs.items() if not output.secret}

    def down(self, *, keep_protected: bool) -> None:
        """Destroy the stack's resources; protected ones stay with ``keep_protected``."""
        if not keep_protected:
            self._run(
                lambda: self._stack.workspace.pulumi_command.run(
                    ["state", "unprotect", "--all", "--yes", "--stack", self._stack.name],
                    str(self._project.folder),
                    {},
                )
            )
        self._run(
            lambda: self._stack.destroy(
                exclude_protected=keep_protected,
                on_event=self._event,
                suppress_outputs=True,
                show_secrets=False,
            )
        )

    def _event(self, event: EngineEvent) -> None:
        match event:
            case _ if event.resource_pre_event is not None:
                meta = event.resource_pre_event.metadata
                self._screen.step(Step("began", meta.op.value, meta.urn))
            case _ if event.res_outputs_event is not None:
                meta = event.res_outputs_event.metadata
                self._screen.step(Step("ended", meta.op.value, meta.urn))
            case _ if event.res_op_failed_event is not None:
                meta = event.res_op_failed_event.metadata
                self._screen.step(Step("failed", meta.op.value, meta.urn))
            case _ if event.policy_event is not None:
                self._screen.note(f"policy: {plain(event.policy_event.message)}")
            case _ if event.diagnostic_event is not None:
                self._diagnostic(event.diagnostic_event.severity, event.diagnostic_event.message)

    def _diagnostic(self, severity: str, message: str) -> None:
        text = plain(message)
        if severity in ("warning", "error") and text:
            self._screen.note(f"{severity}: {text}")

    def _run(self, step: Callable[[], Any]) -> Any:
        from pulumi.automation.errors import CommandError, ConcurrentUpdateError

        try:
            return step()
        except ConcurrentUpdateError as error:
            raise EngineFailed(
                f"{self._project.stack}: another update of this stack runs; if it was killed: "
                f"pulumi cancel --stack {self._project.stack}"
            ) from error
        except CommandError as error:
            raise EngineFailed(_last_words(str(error))) from error


def _select(project: Project) -> Stack:
    from pulumi.automation import create_or_select_stack
    from pulumi.automation.errors import CommandError, InvalidVersionError

    try:
        return create_or_select_stack(project.stack, work_dir=str(project.folder))
    except FileNotFoundError as error:
        raise PulumiMissing(HOW_TO_GET_PULUMI.format(aws=_aws_version())) from error
    except InvalidVersionError as error:
        raise PulumiMissing(
            f"{plain(str(error))}\n{HOW_TO_GET_PULUMI.format(aws=_aws_version())}"
        ) from error
    except CommandError as error:
        raise EngineFailed(_last_words(str(error))) from error


def _aws_version() -> str:
    from importlib.metadata import version

    return version("pulumi-aws")


def _last_words(text: str, lines: int = 12) -> str:
    """The end of what Pulumi printed, where its error is."""
    said = [plain(line) for line in text.splitlines() if plain(line)]
    return "\n".join(said[-lines:]) or "Pulumi failed and said nothing"


@contextmanager
def _policy(scope: Scope) -> Iterator[tuple[list[str], list[str]]]:
    """The policy pack and its configuration for one run, in a file that is gone afterwards."""
    from infra.policy.configuration import pack_config

    with tempfile.TemporaryDirectory(prefix="inland-policy-") as folder:
        path = Path(folder) / "policy.json"
        path.write_text(json.dumps(pack_config(scope)))
        yield [str(files("infra") / "policy")], [str(path)]
