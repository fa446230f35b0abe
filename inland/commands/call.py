"""``inland call``: a headless caller over WebRTC or SIP, for tests, benches and drills."""

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
    from inland.phone.command import Printer

HELP = "Call an agent without a microphone, or have an agent call somebody."

USAGE = """\
inland call [--from CC] [--say TEXT]… [options]
       inland call sip:clinic@host [--say TEXT]… [--press KEYS]… [options]
       inland call +493023125001 --trunk NAME [--from CC] [options]"""

EPILOG = """\
without a target the call is made as a browser makes it: the control plane says where. A target
sip:… is called from a telephone of this program's own. A number (or sip:…) with --trunk is called
by the agent, through that trunk of an edge: nothing is said from here.

--say, --wav, --type, --press and --script may be given several times and keep their order. The
caller waits for the agent to finish before each. With none of them it hears the greeting and hangs
up. On a telephone the agent has finished when it was heard, and then silent for 0.8 s.

a script, in plain text (or YAML with the keys lines, rules, repeat: see docs/call.md):
  # a comment
  i would like to book an appointment      said when the agent has finished
  !barge 400ms wait please                 said 400 ms into the agent's next answer
  !type next tuesday                       typed instead of spoken
  !press 12#                               keys of the telephone
  !wav answer.wav                          a sound file, found beside the script
  !wait 2s                                 silence
  !hangup                                  ends the call here
  your name => my name is kerr             a rule: when the agent's last words match, say this
  did you say *=> yes                      a rule that may be used any number of times
  !repeat 2                                say a line again, twice at most, if not understood
rules, !repeat and !type need the agent's words: a telephone shows none.

exit status: 0 the call went to its end, 2 the command or a file is wrong, 3 no region takes this
caller, or nobody takes the phone call (busy, no answer, refused, no such number), 4 an edge, a
phone or the network failed or cannot be reached, 5 the script was not finished, the time was up,
or the call was interrupted before it was answered.

environment: INLAND_CONTROL_PLANE, INLAND_KEY; NO_COLOR turns colours off."""


_SAID_BY = {"TEXT": "--say", "WORDS": "--type", "FILE": "--wav", "KEYS": "--press"}


class _Step(argparse.Action):
    """Collects what is said, by ``--say`` and its like, in the order given."""

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
    parser.usage = USAGE
    parser.epilog = EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "target", metavar="TARGET", nargs="?",
        help="sip:… or sips:…, called from a telephone; with --trunk also a number like +4930…",
    )  # fmt: skip
    _where(parser.add_argument_group("where, by way of the control plane"))
    _telephone(parser.add_argument_group("a telephone's call (sip:…)"))
    _ordered(parser.add_argument_group("a call that the agent makes (--trunk)"))
    _said(parser.add_argument_group("what is said"))
    _how(parser.add_argument_group("how"))
    out = parser.add_argument_group("what comes out")
    out.add_argument("--json", action="store_true", help="one JSON object a line")
    out.add_argument(
        "--record", metavar="FILE.wav", type=Path, help="caller on the left, agent on the right"
    )


def _where(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--from", dest="country", metavar="CC", type=str.upper,
        help="the caller's country, like IN; of a call with --trunk, the callee's",
    )  # fmt: skip
    group.add_argument("--agent", metavar="NAME", help=f"default {AGENT}")
    group.add_argument("--control-plane", metavar="URL", help="default: the demo's")
    group.add_argument("--key", help="the tenant's secret key (default: the demo clinic's)")
    group.add_argument("--edge", metavar="URL", help="ask this edge, and no control plane")
    group.add_argument("--token", help="the route or resume token for --edge")


def _telephone(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--as", dest="caller", metavar="NUMBER", help="who calls; default: --user, or caller"
    )
    group.add_argument("--user", metavar="NAME", help="who to be when the far end asks")
    group.add_argument("--password-env", metavar="V", help="the variable with the password")
    group.add_argument(
        "--srtp", choices=("off", "optional", "required"), help="encryption; default optional"
    )
    group.add_argument("--ca", metavar="FILE", type=Path, help="who may vouch for a TLS peer (PEM)")
    group.add_argument("--insecure", action="store_true", help="take any certificate")
    group.add_argument(
        "--hold-after", metavar="S", type=float, help="hold for 3 s, S seconds after the answer"
    )


def _ordered(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--trunk", metavar="NAME", help="which trunk of the edge carries the call")
    group.add_argument("--caller-id", metavar="NUMBER", help="default: what the trunk says")
    group.add_argument(
        "--ring", metavar="S", type=float, help="how long it may ring, sip: calls too; default 45"
    )


def _said(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--say", dest="steps", metavar="TEXT", action=_Step, help="speak this")
    group.add_argument(
        "--wav", dest="steps", metavar="FILE", action=_Step, nargs="+", help="play these files"
    )
    group.add_argument("--type", dest="steps", metavar="WORDS", action=_Step, help="type this")
    group.add_argument("--press", dest="steps", metavar="KEYS", action=_Step, help="like 12#")
    group.add_argument(
        "--script", dest="steps", metavar="SCRIPT", action=_Step,
        help="follow this file, or a script that comes with the demo: booking",
    )  # fmt: skip
    group.add_argument(
        "--voice", metavar="NAME", help="rms, slt, awb, kal16 (flite) or embedded; default rms"
    )


def _how(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--codec", choices=("opus", "g722", "pcmu", "pcma"),
        help="default opus, on a telephone all; g722 and pcma only there",
    )  # fmt: skip
    group.add_argument("--timeout", type=float, metavar="S",
                       help=f"longest call, seconds; default {TIMEOUT_SECONDS:g}")  # fmt: skip
    group.add_argument("--no-reconnect", action="store_true", help="a lost edge ends the call")
    group.add_argument(
        "--drill",
        metavar="WHAT@N",
        help="during the agent's N-th answer: cut-edge@N drops the edge without a word, "
        "kill-worker@N has it kill its own worker",
    )


def run(arguments: argparse.Namespace) -> int:
    """Make one call; returns the exit status."""
    from inland.caller.errors import CallerError, RefusedError
    from inland.phone.forms import check_options, form_of

    try:
        form = form_of(arguments.target, arguments.trunk)
        check_options(form, vars(arguments))
        _check_record(arguments.record)
        match form:
            case "browser":
                return _browser(arguments)
            case "telephone":
                return _phone(arguments)
            case "order":
                return _order(arguments)
    except RefusedError as error:
        return _refused(error, as_json=arguments.json)
    except CallerError as error:
        return _fail(str(error), error.exit_status)
    except ValueError as error:
        return _fail(str(error), 2)
    except OSError as error:
        return _fail(f"{error.filename or 'recording'}: {error.strerror or error}", 2)


def _browser(arguments: argparse.Namespace) -> int:
    options = _options(arguments)
    script = _script(arguments.steps or [])
    return asyncio.run(_call(options, script, arguments.voice, as_json=arguments.json))


def _phone(arguments: argparse.Namespace) -> int:
    from inland.phone.command import call_from_telephone

    return call_from_telephone(arguments, _script(arguments.steps or []), _printer(arguments))


def _order(arguments: argparse.Namespace) -> int:
    from inland.phone.command import order_call

    return order_call(arguments, _printer(arguments))


def _printer(arguments: argparse.Namespace) -> Printer:
    from inland.phone.command import Printer

    return Printer(_write, colour=_colour(), as_json=arguments.json)


def _options(arguments: argparse.Namespace) -> CallOptions:
    if arguments.codec in ("g722", "pcma"):
        raise ValueError(f"--codec: {arguments.codec} is for a phone call (sip:…)")
    return CallOptions(
        control_plane=arguments.control_plane or default_control_plane(os.environ),
        key=arguments.key or default_key(os.environ),
        country=arguments.country,
        agent=arguments.agent or AGENT,
        codec=arguments.codec or "opus",
        edge=arguments.edge,
        token=arguments.token,
        timeout=TIMEOUT_SECONDS if arguments.timeout is None else arguments.timeout,
        reconnect=not arguments.no_reconnect,
        drill=parse_drill(arguments.drill) if arguments.drill else None,
        record=arguments.record,
    )


def _check_record(record: Path | None) -> None:
    if record is not None and not record.absolute().parent.is_dir():
        raise ValueError(f"--record: there is no folder {record.parent}")


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
        Press,
        Rule,
        Script,
        Speak,
        TypeIn,
        checked_file,
        checked_keys,
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
                case "KEYS":
                    lines.append(Press(checked_keys(value)))
                case "FILE":
                    lines.append(PlayFile(checked_file(value, Path())))
                case _:
                    script = load_script(_script_file(value))
                    lines.extend(script.lines)
                    rules.extend(script.rules)
                    repeats = max(repeats, script.repeats)
        except ValueError as error:
            raise ValueError(f"{_SAID_BY.get(kind, '--script')}: {error}") from None
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
    try:
        print(line, flush=True)
    except BrokenPipeError:  # as of ``| head``: the call goes on, and nobody reads of it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(message: str, status: int) -> int:
    print(f"inland call: {message}", file=sys.stderr)
    return status
