"""Events that the scheduler handles, and the commands that it answers with. All times in integer nanoseconds."""

from __future__ import annotations

import msgspec
from numpy.typing import NDArray

from agents.ports import Made
from swarm.core.policy.plan import Leg, Plan, StreamSpec
from swarm.core.protocol.spans import LegTimes, RequestId, Span
from swarm.core.protocol.world import Outcome


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something has happened."""


class RequestArrived(Event, frozen=True, kw_only=True):
    """A frame fell due on a stream of this robot."""

    request: RequestId
    stream: StreamSpec
    captured_ns: int
    deadline_ns: int


class StageAsked(Event, frozen=True, kw_only=True):
    """A peer asks for a run; the deadline is its budget counted from receipt, on our clock.

    Its sender may be another one: that of the leg before.
    """

    request: RequestId
    peer: str                        # whose request it is
    model: str
    variant: str
    priority: int
    deadline_ns: int
    leg: Leg                         # ours
    route: list[Leg] = []            # the legs after ours
    done: list[LegTimes] = []        # what peers' legs before ours took


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
    made: Made | None = None         # the result


class SetAside(Event, frozen=True, kw_only=True):
    """A run has left its executor before its end, as told. It goes on at stage `reached`, whose input is kept."""

    work: int
    started_ns: int
    finished_ns: int
    reached: int
    cut: bool                        # within a stage, which is to be redone
    overrun: bool = False


class AnswerCame(Event, frozen=True, kw_only=True):
    """A peer's result. Durations are on the clocks of those who ran it."""

    request: RequestId
    peer: str
    times: LegTimes                  # of the last leg
    done: list[LegTimes] = []        # of the peers' legs before it
    outcome: Outcome | None = None


class Refused(Event, frozen=True, kw_only=True):
    """A peer will not run it, could not be reached, or could not pass it on."""

    request: RequestId
    peer: str
    reason: str


class PeerLost(Event, frozen=True, kw_only=True):
    peer: str


class TimerFired(Event, frozen=True, kw_only=True):
    """The time of a request's timer has come."""

    request: RequestId


class LastSafeStart(TimerFired, frozen=True, kw_only=True):
    """The latest moment at which the robot's own fallback still makes the deadline."""


class BudgetSpent(TimerFired, frozen=True, kw_only=True):
    """The deadline of a request has come."""


class GivenUp(TimerFired, frozen=True, kw_only=True):
    """Nobody waits for this peer's answer any longer."""


class PlanCame(Event, frozen=True, kw_only=True):
    plan: Plan


class StagesLoaded(Event, frozen=True, kw_only=True):
    """The stages of a variant can be run one by one from now on."""

    model: str
    variant: str


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """Something that the performer does."""


class RunStage(Command, frozen=True, kw_only=True):
    """Start a run on a free executor; `asker` is the peer it is for, empty for an own request.

    A leg that is not whole goes stage by stage. `resumed`: it begins with what was kept when it was set aside.
    """

    work: int
    request: RequestId
    asker: str
    model: str
    variant: str
    leg: Leg
    resumed: bool = False


class RunBatch(Command, frozen=True, kw_only=True):
    """Start runs of one variant, whole and never begun, as one on a free executor; each ends by an event of its own."""

    runs: list[RunStage]             # most urgent first


class Preempt(Command, frozen=True, kw_only=True):
    """Have a run leave its executor, after its stage or within it; SetAside follows, or StageDone if it ends first.

    What was started at once leaves at once.
    """

    work: int
    impatience: float                # see `agents.scheduling.queue.preemption.cut_now`


class AbortRun(Command, frozen=True, kw_only=True):
    """A run is not wanted any more: stop it, unless others that started at once with it are. StageDone follows."""

    work: int


class LoadStages(Command, frozen=True, kw_only=True):
    """Make the stages of a variant ready, beside everything else; StagesLoaded follows, unless they cannot be."""

    model: str
    variant: str


class SendStage(Command, frozen=True, kw_only=True):
    """Ask the peer of the first leg for a run of an own request.

    Its input travels, or, where the first leg does not begin the model, `tensors`: the result of the leg at home.
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
    """Send the result of a run for a peer on to the first leg of `asked.route`."""

    asked: StageAsked
    times: LegTimes                  # of the run; the performer adds how long it was held
    made: Made | None = None

    @property
    def peer(self) -> str:
        return self.asked.route[0].agent


class StopSending(Command, frozen=True, kw_only=True):
    """What was passed on is no longer wanted: send no more of it."""

    request: RequestId
    peer: str


class CancelStage(Command, frozen=True, kw_only=True):
    """Tell a peer that its answer is no longer wanted."""

    request: RequestId
    peer: str


class Answer(Command, frozen=True, kw_only=True):
    """Send the outcome of a run to the peer whose request it is."""

    request: RequestId
    peer: str
    times: LegTimes                  # of the run; the performer adds how long it was held
    done: list[LegTimes] = []
    made: Made | None = None


class Refuse(Command, frozen=True, kw_only=True):
    """Tell a peer that its request will not be run, or not be passed on."""

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
    event: TimerFired


class CancelTimers(Command, frozen=True, kw_only=True):
    """Forget all timers of a request."""

    request: RequestId


class Deliver(Command, frozen=True, kw_only=True):
    """A request has ended; it has an outcome unless it failed."""

    span: Span
    outcome: Made | None = None
