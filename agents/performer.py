"""Performs the scheduler's commands: runs, loads, messages, timers. It depends on ports only."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import Any

import msgspec
from numpy.typing import NDArray

from agents.beside import Beside
from agents.peers.seals import Seals
from agents.ports import TASK, Given, MemoryEnd, RunEnd, Runner, RunOrder
from agents.runtime.offer import Offer
from agents.scheduling import events as ev
from agents.scheduling.offloads import UNREACHABLE
from agents.scheduling.scheduler import Scheduler
from swarm.core.ports import Host, Timer
from swarm.core.protocol import messages as msg
from swarm.core.protocol.spans import Frame, RequestId, Span
from swarm.core.protocol.world import Detection, Outcome, Pose, in_parts
from swarm.core.units import ns, seconds

STUCK_S = 3.0                        # a run that has not ended so long after its abort holds its executor for good

TIMERS = (ev.SetTimer, ev.CancelTimers)


class Input(msgspec.Struct, frozen=True):
    """What an own request is of, and the pose at which it was taken; kept until the request ends."""

    picture: NDArray[Any]            # a frame, a crop of one, or a scan; nothing, if a timer has asked
    frame: Frame
    pose: Pose = Pose(0.0, 0.0, 0.0)
    box: Detection | None = None     # that was cut out, in pixels of the robot's frame
    left_px: int = 0                 # where the picture lies in the robot's frame
    top_px: int = 0


class PeerInput(msgspec.Struct, frozen=True):
    """The input of a peer's request; kept until the request is answered, passed on, refused or forgotten."""

    tensors: Sequence[NDArray]
    frame: Frame
    at_ns: int                       # when it was received


class Holding(msgspec.Struct, frozen=True, kw_only=True):
    """What a robot holds: counts that stay bounded, and are 0 when its work is done."""

    open: int                        # own requests that have not ended
    runs: int                        # own and peers' runs that wait or run
    inputs: int                      # of own requests
    peer_inputs: int
    timed: int                       # own requests that have had a timer
    reports: int                     # that wait to be sent


class Performer:
    """Performs the commands of one robot's scheduler, and gives it the events of runs, messages and timers.

    beside: prepares what is sent, unless that takes no time.
    ended: called once for every own request with its span, its outcome (None if it failed) and its input. moved: called
    after a load or an unload.
    """

    def __init__(
        self, host: Host, runner: Runner, scheduler: Scheduler, offer: Offer,
        ended: Callable[[Span, Outcome | None, Input], None], seals: Seals, beside: Beside,
        moved: Callable[[MemoryEnd], None] = lambda end: None,
    ) -> None:
        self._clock, self._host_timers, self._net = host.clock, host.timers, host.transport
        self._seals, self._beside = seals, beside
        self._runner, self._scheduler, self._offer, self._ended = runner, scheduler, offer, ended
        self._inputs: dict[RequestId, Input] = {}
        self._peer_inputs: dict[RequestId, PeerInput] = {}
        self._resume_inputs: dict[RequestId, Given] = {}     # the inputs with which preempted runs resume
        self._timers: dict[RequestId, list[Timer]] = {}
        self._pending: deque[ev.Event] = deque()
        self._handling = False
        self._timer_commands: deque[ev.SetTimer | ev.CancelTimers] = deque()
        self._moved = moved
        runner.attach(self._on_runs_ended, self._on_stages_loaded, self._on_moved)

    def arrived(self, event: ev.RequestArrived, data: Input) -> None:
        """Start an own request."""
        self._inputs[event.request] = data
        self.handle(event)

    def asked(self, event: ev.StageAsked, data: PeerInput) -> None:
        """A peer's request whose input we keep."""
        self._peer_inputs[event.request] = data
        self.handle(event)

    def has_input_of(self, request: RequestId) -> bool:
        """Whether we keep the input of a peer's request."""
        return request in self._peer_inputs

    def holds(self, reports: int) -> Holding:
        """What the robot holds now. reports: that wait to be sent."""
        return Holding(
            open=self._scheduler.open_requests(), runs=self._scheduler.queued(), inputs=len(self._inputs),
            peer_inputs=len(self._peer_inputs), timed=len(self._timers), reports=reports,
        )

    def undelivered(self, peer: str, request: Hashable, reason: str) -> None:
        """The transport accepted a request for a peer and could not deliver it."""
        assert isinstance(request, RequestId)
        if reason != "cancelled":
            self.handle(ev.Refused(request=request, peer=peer, reason=UNREACHABLE))

    def handle(self, event: ev.Event) -> None:
        """Give an event to the scheduler and perform its commands; events that this causes follow in order.

        Timers are set last: they are not urgent.
        """
        self._pending.append(event)
        if self._handling:
            return
        self._handling = True
        while self._pending:
            for command in self._scheduler.handle(self._pending.popleft(), self._clock.now_ns()):
                if isinstance(command, TIMERS):
                    self._timer_commands.append(command)
                else:
                    self._perform(command)
            while self._timer_commands:
                self._perform_timer(self._timer_commands.popleft())
        self._handling = False
        self._scheduler.learn()

    def _on_runs_ended(self, ends: list[RunEnd]) -> None:
        for end in ends:
            if end.ended == "preempted":
                self._resume_inputs[end.request] = end.given
                self.handle(ev.Preempted(
                    work=end.work, started_ns=end.started_ns, finished_ns=end.finished_ns, next_stage=end.stage,
                    mid_stage=end.mid_stage, drawn_s=end.drawn_s, overrun=end.overrun,
                ))
            else:
                self.handle(ev.StageDone(
                    work=end.work, started_ns=end.started_ns, finished_ns=end.finished_ns, ran=end.ended == "done",
                    drawn_s=end.drawn_s, overrun=end.overrun, made=end.made, reason=end.reason,
                ))

    def _on_stages_loaded(self, model: str, variant: str) -> None:
        self.handle(ev.StagesLoaded(model=model, variant=variant))

    def _on_moved(self, end: MemoryEnd) -> None:
        self.handle(ev.MemoryMoved(end=end))
        self._moved(end)

    def _perform(self, command: ev.Command) -> None:
        match command:
            case ev.RunStage():
                self._runner.start(command.model, command.variant, command.leg, [self._order(command)])
            case ev.RunBatch(runs=runs):
                self._runner.start(runs[0].model, runs[0].variant, runs[0].leg, [self._order(run) for run in runs])
            case ev.Deliver(span=span, outcome=outcome):
                assert outcome is None or isinstance(outcome, Outcome)
                self._resume_inputs.pop(span.request, None)
                self._beside.drop(span.request)
                self._ended(span, outcome, self._inputs.pop(span.request))
            case ev.Preempt(work=work, urgency=urgency):
                self._preempt(work, urgency)
            case ev.AbortRun(work=work):
                self._runner.abort(work)
                self._host_timers.after(ns(STUCK_S), lambda: self._runner.give_up(work))
            case ev.LoadStages(model=model, variant=variant):
                self._runner.load_stages(model, variant)
            case ev.MovePart(part=part, load=load):
                (self._runner.load if load else self._runner.unload)(part)
            case ev.SendStage():
                self._send(command)
            case ev.PassOn():
                self._pass_on(command)
            case ev.StopSending(request=request, peer=peer):
                self._net.cancel(peer, request)
            case ev.CancelStage(request=request, peer=peer):
                gone = self._beside.drop(request) or self._net.cancel(peer, request)
                if not gone:             # it was sent completely, or another peer sent it
                    self._net.send(peer, msg.StageCancel(request=request))
            case ev.Answer(request=request, peer=peer, times=times, done=done, made=made):
                assert isinstance(made, Outcome)
                boxes, arrays = in_parts(made)
                self._net.send(peer, msg.StageAnswer(
                    request=request, outcome=boxes, run_s=times.run_s, waited_s=times.waited_s,
                    held_s=self._release(request), overrun=times.overrun, batch=times.batch, done=done,
                ), arrays)
            case ev.Refuse(request=request, peer=peer, reason=reason):
                self._forget(request)
                self._net.send(peer, msg.StageRefusal(request=request, reason=reason))
            case ev.Forget(request=request):
                self._forget(request)
            case _:
                raise AssertionError(f"the performer does not know this command: {command}")

    def _perform_timer(self, command: ev.SetTimer | ev.CancelTimers) -> None:
        if isinstance(command, ev.CancelTimers):
            for timer in self._timers.pop(command.request, ()):
                timer.cancel()
            return
        event = command.event
        timer = self._host_timers.at(command.at_ns, lambda: self.handle(event))
        self._timers.setdefault(event.request, []).append(timer)

    def _order(self, run: ev.RunStage) -> RunOrder:
        """A run with its input."""
        given: Given
        if run.asker:
            frame, given = self._peer_inputs[run.request].frame, self._peer_inputs[run.request].tensors
        else:
            frame, given = self._inputs[run.request].frame, self._inputs[run.request].picture
        if run.resumed:
            given = self._resume_inputs.pop(run.request)
        return RunOrder(run.work, run.request, given, frame)

    def _preempt(self, work: int, urgency: float) -> None:
        hurry_s = self._runner.preempt(work, urgency)
        if hurry_s is not None:
            self._host_timers.after(ns(hurry_s), lambda: self._runner.hurry(work))

    def _send(self, command: ev.SendStage) -> None:
        data = self._inputs[command.request]
        ask = msg.StageAsk(
            request=command.request, frame=data.frame, model=command.model, variant=command.variant,
            priority=command.priority, first=command.route[0].first, last=command.route[0].last,
            route=command.route[1:],
            seals=self._seals.of_route(command.request, command.model, command.variant, command.route)
            if len(command.route) > 1 else b"",
        )
        ready = partial(self._ask, command.peer, ask, deadline_ns=command.deadline_ns)
        if ask.first:
            assert command.tensors is not None
            ready(command.tensors)
            return
        prepare = partial(self._prepared, command.model, data.picture)
        if self._offer.prepares_at_once(command.model, data.picture):
            ready(prepare())
        else:
            self._beside.run(command.request, command.model, prepare, ready)

    def _prepared(self, model: str, picture: NDArray[Any]) -> list[NDArray] | None:
        """The input of a model; None: its task cannot make one. The run at home logs why."""
        try:
            return self._offer.inputs(model, picture)
        except ValueError:
            return None

    def _pass_on(self, command: ev.PassOn) -> None:
        assert isinstance(command.made, list)
        asked, times = command.asked, command.times
        frame = self._peer_inputs[asked.request].frame
        held_times = msgspec.structs.replace(times, held_s=self._release(asked.request))
        ask = msg.StageAsk(
            request=asked.request, frame=frame, model=asked.model, variant=asked.variant, priority=asked.priority,
            first=asked.route[0].first, last=asked.route[0].last, route=asked.route[1:], done=[*asked.done, held_times],
            seals=asked.seals,
        )
        self._ask(command.peer, ask, command.made, asked.deadline_ns)

    def _ask(self, peer: str, ask: msg.StageAsk, tensors: list[NDArray] | None, deadline_ns: int) -> None:
        """Send a request to a peer. If it cannot be sent or has no time left, the scheduler gets a refusal."""
        left_s = seconds(deadline_ns - self._clock.now_ns())
        if tensors is None:
            self.handle(ev.Refused(request=ask.request, peer=peer, reason=TASK))
        elif left_s <= 0.0 or not self._net.send(peer, ask, tensors, left_s, tag=ask.request):
            self.handle(ev.Refused(request=ask.request, peer=peer, reason=UNREACHABLE))

    def _forget(self, request: RequestId) -> None:
        self._peer_inputs.pop(request, None)
        self._resume_inputs.pop(request, None)

    def _release(self, request: RequestId) -> float:
        """Drop the input of a peer's request. Returns how long it was held, seconds."""
        return seconds(self._clock.now_ns() - self._peer_inputs.pop(request).at_ns)
