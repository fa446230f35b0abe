"""What a machine tells its Auto Scaling group, and when: decisions only, no input or output.

After "Amazon EC2 Auto Scaling lifecycle hooks" and "Retrieve the target lifecycle state through
instance metadata" (Amazon EC2 Auto Scaling User Guide, 2026-11-21). Everything is decided from what
is seen now, so that an agent that was restarted goes on where the last one was.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

LAUNCH_SECONDS = 900.0
"""How long a machine that is installed may take until it is ready; then it gives itself up and
another is started."""
BEAT_SECONDS = 60.0
"""Between two requests to wait longer; below any time limit that a hook may have."""
GRACE_SECONDS = 120.0
"""What a drain may take longer than it was given."""


class Wanted(Enum):
    """What the group wants of the machine."""

    SERVE = "serve"
    WARM = "warm"
    """Be installed and wait."""
    LEAVE = "leave"
    """Take nothing new; what is live may end."""
    UNKNOWN = "unknown"


class Unit(Enum):
    """The node's service, as systemd says."""

    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"


class Act(Enum):
    """What is to be done."""

    PUT_RECORD = "put record"
    DELETE_RECORD = "delete record"
    COMPLETE_LAUNCH = "complete launch"
    ABANDON_LAUNCH = "abandon launch"
    BEAT_LAUNCH = "beat launch"
    DRAIN = "drain"
    BEAT_TERMINATE = "beat terminate"
    COMPLETE_TERMINATE = "complete terminate"


@dataclass(frozen=True, slots=True)
class Plan:
    """What does not change. ``named``: the machine has an address record of its own. ``waits``: its
    service knows no drain, so it is stopped only when nothing is live (a relay)."""

    drain_seconds: float
    named: bool
    waits: bool


@dataclass(frozen=True, slots=True)
class Seen:
    """How it is now. ``target`` is the target lifecycle state, None outside of a group; ``live``
    is how many calls there are, None when that is not known."""

    target: str | None
    spot_notice: bool
    unit: Unit
    ready: bool
    live: int | None

    @property
    def wanted(self) -> Wanted:
        if self.spot_notice:
            return Wanted.LEAVE
        if self.target is None or self.target == "InService":
            return Wanted.SERVE
        if self.target.startswith("Warmed:"):
            return Wanted.WARM
        if self.target in ("Terminated", "Detached", "Standby"):
            return Wanted.LEAVE
        return Wanted.UNKNOWN


class Lifecycle:
    """Says what to do next. An act comes again at each look until :meth:`done` confirms it."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._wanted = Wanted.UNKNOWN
        self._since = 0.0
        self._done: set[Act] = set()
        self._beaten = float("-inf")

    def next(self, seen: Seen, now: float) -> tuple[Act, ...]:
        """What is to be done, in this order. ``now`` is monotonic."""
        if seen.wanted is not self._wanted:
            self._wanted, self._since = seen.wanted, now
            self._done.clear()
            self._beaten = float("-inf")
        grouped = seen.target is not None
        match seen.wanted:
            case Wanted.SERVE:
                acts = self._serve(seen, now, grouped)
            case Wanted.WARM:
                acts = [Act.COMPLETE_LAUNCH]
            case Wanted.LEAVE:
                acts = self._leave(seen, now)
            case Wanted.UNKNOWN:
                acts = []
        return tuple(act for act in acts if act not in self._done)

    def done(self, act: Act, now: float) -> None:
        """``act`` succeeded, or never can."""
        if act in (Act.BEAT_LAUNCH, Act.BEAT_TERMINATE):
            self._beaten = now
        else:
            self._done.add(act)

    @property
    def serving(self) -> bool:
        """The machine has been put into service, and was not called back."""
        over = Act.ABANDON_LAUNCH in self._done
        return self._wanted is Wanted.SERVE and Act.COMPLETE_LAUNCH in self._done and not over

    def _serve(self, seen: Seen, now: float, grouped: bool) -> list[Act]:
        if Act.COMPLETE_LAUNCH in self._done or Act.ABANDON_LAUNCH in self._done:
            return []
        if seen.ready:
            # A node without an address takes no calls: the record comes first.
            record = [Act.PUT_RECORD] if self._plan.named else []
            if record and Act.PUT_RECORD not in self._done:
                return record
            return [Act.COMPLETE_LAUNCH] if grouped else []
        if not grouped:
            return []
        if now - self._since >= LAUNCH_SECONDS:
            return [Act.ABANDON_LAUNCH]
        return [Act.BEAT_LAUNCH] if now - self._beaten >= BEAT_SECONDS else []

    def _leave(self, seen: Seen, now: float) -> list[Act]:
        acts = [Act.DELETE_RECORD] if self._plan.named else []
        spent = now - self._since
        if seen.unit is Unit.RUNNING and self._may_stop(seen, spent):
            acts.append(Act.DRAIN)
        if seen.target != "Terminated":  # nobody waits for an answer
            return acts
        late = spent >= self._plan.drain_seconds + GRACE_SECONDS
        if seen.unit is Unit.STOPPED or late:
            acts.append(Act.COMPLETE_TERMINATE)
        elif now - self._beaten >= BEAT_SECONDS:
            acts.append(Act.BEAT_TERMINATE)
        return acts

    def _may_stop(self, seen: Seen, spent: float) -> bool:
        return not self._plan.waits or seen.live == 0 or spent >= self._plan.drain_seconds


class Protection:
    """When a machine is kept from being scaled in: while it has calls, and a minute longer."""

    IDLE_SECONDS = 60.0

    def __init__(self) -> None:
        self._is: bool | None = None
        self._busy_at: float | None = None

    def change(self, live: int | None, now: float) -> bool | None:
        """What to set, None to leave it. ``live`` None: not known, so nothing changes."""
        if live is None:
            return None
        if live > 0 or self._busy_at is None:
            self._busy_at = now
        if live > 0:
            wanted = True
        elif now - self._busy_at >= self.IDLE_SECONDS:
            wanted = False
        else:
            return None
        return None if wanted is self._is else wanted

    def done(self, protected: bool) -> None:
        """It is so now."""
        self._is = protected

    def forget(self) -> None:
        """Nobody knows what is set, or it means nothing any more."""
        self._is = self._busy_at = None
