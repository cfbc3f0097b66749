"""The events that the scheduler handles and the commands that it returns. All times are integer nanoseconds."""

from __future__ import annotations

import msgspec
from numpy.typing import NDArray

from agents.ports import RUN_FAILED, Made, Measured, MemoryEnd, Part
from swarm.core.policy.plan import Leg, Plan, StreamSpec
from swarm.core.protocol.spans import LegTimes, RequestId, Span
from swarm.core.protocol.world import Outcome


class ImpossibleEvent(RuntimeError):
    """An event that is impossible in this state: a bug. The message gives the state of the request."""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something has happened."""


class RequestArrived(Event, frozen=True, kw_only=True):
    """A frame is due on a stream of this robot."""

    request: RequestId
    stream: StreamSpec
    captured_ns: int
    deadline_ns: int


class StageAsked(Event, frozen=True, kw_only=True):
    """A peer asks for a run; the deadline is its budget counted from receipt, on our clock.

    The message may come from another agent than the owner: the agent of the leg before ours.
    """

    request: RequestId
    peer: str                        # the owner of the request
    sender: str = ""                 # the agent that has sent it to us; empty: the owner
    model: str
    variant: str
    priority: int
    deadline_ns: int
    leg: Leg                         # ours
    route: list[Leg] = []            # the legs after ours
    done: list[LegTimes] = []        # times of the peers' legs before ours
    seals: bytes = b""               # by the owner, for the legs after ours


class StageCancelled(Event, frozen=True, kw_only=True):
    """A peer no longer wants an answer."""

    request: RequestId
    peer: str


class StageDone(Event, frozen=True, kw_only=True):
    """A run on our executor has ended; `ran` is False if it was aborted or failed."""

    work: int
    started_ns: int
    finished_ns: int
    ran: bool = True
    drawn_s: float = 0.0             # its drawn time, on an emulated board
    overrun: bool = False
    made: Made | None = None         # the result
    reason: str = RUN_FAILED         # why it failed, if it has


class Preempted(Event, frozen=True, kw_only=True):
    """A run was preempted. It resumes later at `next_stage`; the input of that stage is kept."""

    work: int
    started_ns: int
    finished_ns: int
    next_stage: int
    mid_stage: bool                  # aborted within `next_stage`, which runs again from its start
    drawn_s: float = 0.0             # drawn time of its finished stages, on an emulated board
    overrun: bool = False


class AnswerCame(Event, frozen=True, kw_only=True):
    """A peer's result. Each duration is measured on the clock of the peer that ran the leg."""

    request: RequestId
    peer: str
    times: LegTimes                  # of the last leg
    done: list[LegTimes] = []        # of the peers' legs before it
    outcome: Outcome | None = None


class Refused(Event, frozen=True, kw_only=True):
    """A peer refuses the request, cannot be reached, or could not pass it on."""

    request: RequestId
    peer: str
    reason: str


class PeerLost(Event, frozen=True, kw_only=True):
    """The failure detector has removed a peer."""

    peer: str


class TimerFired(Event, frozen=True, kw_only=True):
    """The time of a request's timer has come."""

    request: RequestId


class LastSafeStart(TimerFired, frozen=True, kw_only=True):
    """The latest moment at which the robot's own fallback still makes the deadline."""


class BudgetSpent(TimerFired, frozen=True, kw_only=True):
    """The deadline of a request has passed."""


class GivenUp(TimerFired, frozen=True, kw_only=True):
    """The robot stops waiting for a peer's answer, or for the end of its own run."""


class PlanCame(Event, frozen=True, kw_only=True):
    """A planner has sent a plan. boot: its start."""

    plan: Plan
    planner: str = "planner"
    boot: int = 0


class MemoryEvent(Event, frozen=True, kw_only=True):
    """What is in memory, or how much that is, has changed or was measured."""


class StagesLoaded(MemoryEvent, frozen=True, kw_only=True):
    """The stages of a variant are loaded: it can run stage by stage from now on."""

    model: str
    variant: str


class MemoryMeasured(MemoryEvent, frozen=True, kw_only=True):
    """The memory of this robot was measured: once a second."""

    memory: Measured


class MemoryMoved(MemoryEvent, frozen=True, kw_only=True):
    """A load or an unload has ended."""

    end: MemoryEnd


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """Something that the performer does."""


class RunStage(Command, frozen=True, kw_only=True):
    """Start a run on a free executor. `asker`: the peer that owns the request, empty for an own request.

    A leg that is not whole runs stage by stage. `resumed`: the run was preempted and starts with its kept input.
    """

    work: int
    request: RequestId
    asker: str
    model: str
    variant: str
    leg: Leg
    resumed: bool = False


class RunBatch(Command, frozen=True, kw_only=True):
    """Start several whole runs of one variant as one batch on a free executor. Each ends with its own event."""

    runs: list[RunStage]             # most urgent first; none has started before


class Preempt(Command, frozen=True, kw_only=True):
    """Preempt a run, after its stage or within it. Preempted follows, or StageDone if the run ends first.

    All runs of a batch are preempted together.
    """

    work: int
    urgency: float                   # see `agents.scheduling.queue.preemption.abort_stage_now`


class AbortRun(Command, frozen=True, kw_only=True):
    """Stop a run that is no longer wanted, unless other runs of its batch are still wanted. StageDone follows."""

    work: int


class LoadStages(Command, frozen=True, kw_only=True):
    """Load the stages of a variant in the background. StagesLoaded follows, unless loading fails."""

    model: str
    variant: str


class MovePart(Command, frozen=True, kw_only=True):
    """Load a part in the background, or unload one that nothing uses. MemoryMoved follows."""

    part: Part
    load: bool


class SendStage(Command, frozen=True, kw_only=True):
    """Ask the peer of the first leg for a run of an own request.

    tensors: the result of the leg at home; None where the first leg begins the model: then its input is sent.
    """

    request: RequestId
    model: str
    variant: str
    priority: int
    deadline_ns: int
    route: list[Leg]
    tensors: list[NDArray] | None = None

    @property
    def peer(self) -> str:
        return self.route[0].agent


class PassOn(Command, frozen=True, kw_only=True):
    """Send the result of a run for a peer on to the agent of the first leg of `asked.route`."""

    asked: StageAsked
    times: LegTimes                  # of the run; the performer adds how long the request was held
    made: Made | None = None

    @property
    def peer(self) -> str:
        return self.asked.route[0].agent


class StopSending(Command, frozen=True, kw_only=True):
    """A request that was passed on is no longer wanted: drop the unsent rest of the message."""

    request: RequestId
    peer: str


class CancelStage(Command, frozen=True, kw_only=True):
    """Tell a peer that its answer is no longer wanted."""

    request: RequestId
    peer: str


class Answer(Command, frozen=True, kw_only=True):
    """Send the outcome of a run to the peer that owns the request."""

    request: RequestId
    peer: str
    times: LegTimes                  # of the run; the performer adds how long the request was held
    done: list[LegTimes] = []
    made: Made | None = None


class Refuse(Command, frozen=True, kw_only=True):
    """Tell a peer that its request will not be run or passed on."""

    request: RequestId
    peer: str
    reason: str


class Forget(Command, frozen=True, kw_only=True):
    """Drop the kept input of a peer's request."""

    request: RequestId
    peer: str


class SetTimer(Command, frozen=True, kw_only=True):
    """Return `event` to the scheduler at `at_ns`. Earlier timers of the same request stay until `CancelTimers`."""

    at_ns: int
    event: TimerFired


class CancelTimers(Command, frozen=True, kw_only=True):
    """Cancel all timers of a request."""

    request: RequestId


class Deliver(Command, frozen=True, kw_only=True):
    """A request has ended; `outcome` is None if it failed."""

    span: Span
    outcome: Made | None = None
