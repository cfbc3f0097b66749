"""Events that the scheduler handles, and the commands that it answers with. All times in integer nanoseconds."""

from __future__ import annotations

import msgspec

from swarm.core.plan import Plan, StreamSpec
from swarm.core.spans import RequestId, Span


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something has happened."""


class RequestArrived(Event, frozen=True, kw_only=True):
    """A frame fell due on a stream of this robot."""

    request: RequestId
    stream: StreamSpec
    captured_ns: int
    deadline_ns: int


class StageAsked(Event, frozen=True, kw_only=True):
    """A peer asks for a run; the deadline is its budget counted from receipt, on our clock."""

    request: RequestId
    peer: str
    model: str
    variant: str
    priority: int
    deadline_ns: int


class StageCancelled(Event, frozen=True, kw_only=True):
    """A peer no longer wants an answer."""

    request: RequestId
    peer: str


class StageDone(Event, frozen=True, kw_only=True):
    """A run of our executor has ended; `ran` is False if it was aborted or failed."""

    work: int
    started_ns: int
    finished_ns: int
    ran: bool = True
    overrun: bool = False


class AnswerCame(Event, frozen=True, kw_only=True):
    """A peer's result. Durations are on the peer's clock."""

    request: RequestId
    peer: str
    run_s: float
    waited_s: float
    held_s: float
    overrun: bool = False


class Refused(Event, frozen=True, kw_only=True):
    """A peer will not run it, or could not be reached."""

    request: RequestId
    peer: str
    reason: str


class PeerLost(Event, frozen=True, kw_only=True):
    peer: str


class LastSafeStart(Event, frozen=True, kw_only=True):
    """Timer: the latest moment at which the robot's own fallback still makes the deadline."""

    request: RequestId


class BudgetSpent(Event, frozen=True, kw_only=True):
    """Timer: the deadline of a request has come."""

    request: RequestId


class GivenUp(Event, frozen=True, kw_only=True):
    """Timer: nobody waits for this peer's answer any longer."""

    request: RequestId


class PlanCame(Event, frozen=True, kw_only=True):
    plan: Plan


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """Something to be done by the driver."""


class RunStage(Command, frozen=True, kw_only=True):
    """Start a run on a free executor; `asker` is the peer it is for, empty for an own request."""

    work: int
    request: RequestId
    asker: str
    model: str
    variant: str


class AbortRun(Command, frozen=True, kw_only=True):
    """Stop a run; its StageDone(ran=False) follows."""

    work: int


class SendStage(Command, frozen=True, kw_only=True):
    """Ask a peer for a run."""

    request: RequestId
    peer: str
    model: str
    variant: str
    priority: int
    deadline_ns: int


class CancelStage(Command, frozen=True, kw_only=True):
    """Tell a peer that its answer is no longer wanted."""

    request: RequestId
    peer: str


class Answer(Command, frozen=True, kw_only=True):
    """Send the outcome of the run that has just ended to the peer that asked for it."""

    request: RequestId
    peer: str
    run_s: float
    waited_s: float
    overrun: bool


class Refuse(Command, frozen=True, kw_only=True):
    request: RequestId
    peer: str
    reason: str


class Forget(Command, frozen=True, kw_only=True):
    """A peer's request needs no more: its input may be dropped."""

    request: RequestId
    peer: str


class SetTimer(Command, frozen=True, kw_only=True):
    """Hand `event` back at `at_ns`; one timer per kind of event and request."""

    at_ns: int
    event: LastSafeStart | BudgetSpent | GivenUp


class CancelTimers(Command, frozen=True, kw_only=True):
    """Forget all timers of a request."""

    request: RequestId


class Deliver(Command, frozen=True, kw_only=True):
    """A request has ended; unless it failed, its outcome is that of the event just handled."""

    span: Span
