"""What can keep a caller from talking.

CallerError                 everything below; ``exit_status`` is what ``inland call`` returns
├── ScriptError             a script is wrong: which file, which line. No retry helps.
├── SpeechError             words or a sound file cannot become audio. No retry helps.
├── RefusedError            no region may, or can, take this caller. Another country or a
│                           later time may be answered differently; the same call will not.
├── ServiceError            the control plane or an edge said no, with a code. A retry helps
│                           for ``full``, ``draining`` and ``rate_limited`` only.
└── UnreachableError        nothing answered, or media never flowed. A retry may help.
"""

from __future__ import annotations

from control_plane.contract import RegionVerdict


class CallerError(Exception):
    """A call that could not be made."""

    exit_status = 4


class ScriptError(CallerError):
    """A script that cannot be followed; the message begins with ``file:line:``."""

    exit_status = 2


class SpeechError(CallerError):
    """Words or a sound file that cannot become audio."""

    exit_status = 2


class RefusedError(CallerError):
    """No region takes this caller; ``verdicts`` says why, region by region."""

    exit_status = 3

    def __init__(self, code: str, detail: str, verdicts: tuple[RegionVerdict, ...] = ()) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.verdicts = verdicts


class ServiceError(CallerError):
    """A peer answered, and its answer is no."""

    def __init__(self, who: str, status: int, code: str, detail: str) -> None:
        super().__init__(f"{who} answered {status} {code}: {detail}")
        self.status = status
        self.code = code
        self.detail = detail

    @property
    def next_may_help(self) -> bool:
        """Whether another candidate may take the call that this one did not."""
        return self.status >= 500


class UnreachableError(CallerError):
    """Nothing answered in time, or what answered was not the protocol."""
