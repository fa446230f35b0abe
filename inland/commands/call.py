"""``inland call``: a headless caller over WebRTC, for tests, benches and drills."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inland.caller.options import (
    AGENT,
    TIMEOUT_SECONDS,
    CallOptions,
    default_control_plane,
    default_key,
    parse_drill,
)

if TYPE_CHECKING:
    from inland.caller.errors import RefusedError
    from inland.caller.records import Record
    from inland.caller.script import Script

HELP = "Call an agent without a microphone: say lines, play files or follow a script."

EPILOG = """\
--say, --wav, --type and --script may be given several times and keep their order. The caller
waits for the agent to finish before each. With none of them it hears the greeting and hangs up.

a script, in plain text (or YAML with the keys lines, rules, repeat: see docs/call.md):
  # a comment
  i would like to book an appointment      said when the agent has finished
  !barge 400ms wait please                 said 400 ms into the agent's next answer
  !type next tuesday                       typed instead of spoken
  !wav answer.wav                          a sound file, found beside the script
  !wait 2s                                 silence
  !hangup                                  ends the call here
  your name => my name is kerr             a rule: when the agent's last words match, say this
  did you say *=> yes                      a rule that may be used any number of times
  !repeat 2                                say a line again, twice at most, if not understood

exit status: 0 the call went to its end, 2 the command or a file is wrong, 3 no region takes this
caller, 4 an edge or the network failed, 5 the script was not finished or the time was up.

environment: INLAND_CONTROL_PLANE, INLAND_KEY; NO_COLOR turns colours off."""


class _Step(argparse.Action):
    """Collects ``--say``, ``--wav``, ``--type`` and ``--script`` in the order given."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        given = [values] if isinstance(values, str) else list(values or ())
        steps = [*(getattr(namespace, "steps", None) or ())]
        steps.extend((self.metavar, str(value)) for value in given)
        namespace.steps = steps


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.epilog = EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    where = parser.add_argument_group("where")
    where.add_argument(
        "--from", dest="country", metavar="CC", type=str.upper, help="the caller's country, like IN"
    )
    where.add_argument("--agent", default=AGENT, metavar="NAME", help=f"default {AGENT}")
    where.add_argument("--control-plane", metavar="URL", help="default: the demo's")
    where.add_argument("--key", help="the tenant's secret key (default: the demo clinic's)")
    where.add_argument("--edge", metavar="URL", help="offer to this edge, ask no control plane")
    where.add_argument("--token", help="the route or resume token for --edge")
    said = parser.add_argument_group("what is said")
    said.add_argument("--say", dest="steps", metavar="TEXT", action=_Step, help="speak this")
    said.add_argument(
        "--wav", dest="steps", metavar="FILE", action=_Step, nargs="+", help="play these files"
    )
    said.add_argument("--type", dest="steps", metavar="WORDS", action=_Step, help="type this")
    said.add_argument(
        "--script",
        dest="steps",
        metavar="SCRIPT",
        action=_Step,
        help="follow this file, or a script that comes with the demo: booking",
    )
    said.add_argument(
        "--voice", metavar="NAME", help="rms, slt, awb, kal16 (flite) or embedded; default rms"
    )
    how = parser.add_argument_group("how")
    how.add_argument("--codec", choices=("opus", "pcmu"), default="opus", help="default opus")
    how.add_argument("--timeout", type=float, default=TIMEOUT_SECONDS, metavar="S",
                     help=f"longest call, seconds; default {TIMEOUT_SECONDS:g}")  # fmt: skip
    how.add_argument("--no-reconnect", action="store_true", help="a lost edge ends the call")
    how.add_argument(
        "--drill",
        metavar="WHAT@N",
        help="during the agent's N-th answer: cut-edge@N drops the edge without a word, "
        "kill-worker@N has it kill its own worker",
    )
    out = parser.add_argument_group("what comes out")
    out.add_argument("--json", action="store_true", help="one JSON object a line")
    out.add_argument(
        "--record", metavar="FILE.wav", type=Path, help="caller on the left, agent on the right"
    )


def run(arguments: argparse.Namespace) -> int:
    """Make one call; returns the exit status."""
    from inland.caller.errors import CallerError, RefusedError

    try:
        options = _options(arguments)
        script = _script(arguments.steps or [])
    except (ValueError, CallerError) as error:
        return _fail(str(error), 2)
    try:
        return asyncio.run(_call(options, script, arguments.voice, as_json=arguments.json))
    except RefusedError as error:
        return _refused(error, as_json=arguments.json)
    except CallerError as error:
        return _fail(str(error), error.exit_status)
    except OSError as error:
        return _fail(f"{error.filename or 'recording'}: {error.strerror or error}", 2)


def _options(arguments: argparse.Namespace) -> CallOptions:
    record: Path | None = arguments.record
    if record is not None and not record.absolute().parent.is_dir():
        raise ValueError(f"--record: there is no folder {record.parent}")
    return CallOptions(
        control_plane=arguments.control_plane or default_control_plane(os.environ),
        key=arguments.key or default_key(os.environ),
        country=arguments.country,
        agent=arguments.agent,
        codec=arguments.codec,
        edge=arguments.edge,
        token=arguments.token,
        timeout=arguments.timeout,
        reconnect=not arguments.no_reconnect,
        drill=parse_drill(arguments.drill) if arguments.drill else None,
        record=record,
    )


def _script_file(name: str) -> Path:
    """A file, or one of the scripts that come with the demo: ``booking``."""
    path = Path(name)
    shipped = Path(__file__).parents[1] / "demo" / "scripts" / f"{name}.txt"
    return shipped if not path.exists() and path.name == name and shipped.exists() else path


def _script(steps: list[tuple[str, str]]) -> Script:
    """One script of everything on the command line. Raises ``ValueError`` or ``ScriptError``."""
    from inland.caller.script import (
        Line,
        PlayFile,
        Rule,
        Script,
        Speak,
        TypeIn,
        checked_file,
        checked_text,
        load_script,
    )

    lines: list[Line] = []
    rules: list[Rule] = []
    repeats = 0
    for kind, value in steps:
        try:
            match kind:
                case "TEXT":
                    lines.append(Speak(checked_text(value)))
                case "WORDS":
                    lines.append(TypeIn(checked_text(value)))
                case "FILE":
                    lines.append(PlayFile(checked_file(value, Path())))
                case _:
                    script = load_script(_script_file(value))
                    lines.extend(script.lines)
                    rules.extend(script.rules)
                    repeats = max(repeats, script.repeats)
        except ValueError as error:
            option = {"TEXT": "--say", "WORDS": "--type", "FILE": "--wav"}.get(kind, "--script")
            raise ValueError(f"{option}: {error}") from None
    return Script(tuple(lines), tuple(rules), repeats)


async def _call(options: CallOptions, script: Script, voice: str | None, *, as_json: bool) -> int:
    from inland.caller.records import Note, to_json
    from inland.caller.session import HeadlessCall
    from inland.caller.terminal import Terminal
    from inland.caller.utterances import utterances

    terminal = Terminal(_write, colour=_colour())

    def show(record: Record) -> None:
        if as_json:
            _write(to_json(record))
        else:
            terminal.show(record)

    async with utterances(voice) as words:
        if words.synthesiser.note is not None and script.speaks:
            show(Note(0.0, words.synthesiser.note))
        async with HeadlessCall(options, words, on_record=show) as call:
            loop = asyncio.get_running_loop()
            loop.add_signal_handler(signal.SIGINT, call.stop)
            try:
                report = await call.run(script)
            finally:
                loop.remove_signal_handler(signal.SIGINT)
    return report.exit_status


def _refused(error: RefusedError, *, as_json: bool) -> int:
    import json

    if as_json:
        regions = [verdict.model_dump() for verdict in error.verdicts]
        record = {"record": "refused", "code": error.code, "detail": error.detail}
        _write(json.dumps({**record, "regions": regions}, ensure_ascii=False))
        return error.exit_status
    from inland.caller.terminal import Terminal

    Terminal(_write, colour=_colour()).refused(error)
    return error.exit_status


def _colour() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def _write(line: str) -> None:
    print(line, flush=True)


def _fail(message: str, status: int) -> int:
    print(f"inland call: {message}", file=sys.stderr)
    return status
