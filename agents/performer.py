"""Performs what the scheduler commands: runs, loads, messages, timers. It stands on ports alone."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from agents.ports import Given, RunEnd, Runner, RunOrder
from agents.runtime.offer import Offer
from agents.scheduling import events as ev
from agents.scheduling.offloads import UNREACHABLE
from agents.scheduling.scheduler import Scheduler
from swarm.core.policy.plan import Leg
from swarm.core.ports import Host, Received, Timer
from swarm.core.protocol import messages as msg
from swarm.core.protocol.spans import RequestId, Span
from swarm.core.protocol.world import Outcome, Pose
from swarm.core.units import ns, seconds

TIMERS = (ev.SetTimer, ev.CancelTimers)


class Input(msgspec.Struct, frozen=True):
    """The frame of a request of this robot, and the pose that it was taken at; kept until the request ends."""

    frame: NDArray[np.uint8]
    pose: Pose = Pose(0.0, 0.0, 0.0)


class _Asked(msgspec.Struct, frozen=True):
    """The tensors of a peer's request; kept until it is answered, passed on, refused or forgotten."""

    tensors: Sequence[NDArray]
    at_ns: int                       # received


class Performer:
    """Performs the commands of one robot's scheduler, and hands it the events of runs, messages and timers.

    ended: called once for every own request, with its span, its outcome unless it failed, and its input.
    """

    def __init__(
        self, host: Host, runner: Runner, scheduler: Scheduler, offer: Offer,
        ended: Callable[[Span, Outcome | None, Input], None],
    ) -> None:
        self._clock, self._host_timers, self._net = host.clock, host.timers, host.transport
        self._name = host.transport.member.name
        self._runner, self._scheduler, self._offer, self._ended = runner, scheduler, offer, ended
        self._inputs: dict[RequestId, Input] = {}
        self._asked: dict[RequestId, _Asked] = {}
        self._kept: dict[RequestId, Given] = {}          # the inputs with which preempted runs go on
        self._timers: dict[RequestId, list[Timer]] = {}
        self._pending: deque[ev.Event] = deque()
        self._handling = False
        self._later: deque[ev.SetTimer | ev.CancelTimers] = deque()
        runner.attach(self._runs_ended, self._stages_loaded)

    def arrived(self, event: ev.RequestArrived, data: Input) -> None:
        """A request of this robot."""
        self._inputs[event.request] = data
        self.handle(event)

    def asked(self, ask: msg.StageAsk, message: Received) -> None:
        """A peer's request; its budget counts from now. A malformed one is refused to its sender."""
        reason = self._why_not(ask, message)
        if reason:
            self._net.send(message.sender, msg.StageRefusal(request=ask.request, reason=reason))
            return
        self._asked[ask.request] = _Asked(message.tensors, message.at_ns)
        self.handle(ev.StageAsked(
            request=ask.request, peer=ask.request.agent, model=ask.model, variant=ask.variant, priority=ask.priority,
            deadline_ns=message.begun_ns + ns(message.budget_s or 0.0), leg=Leg(self._name, ask.first, ask.last),
            route=ask.route, done=ask.done,
        ))

    def _why_not(self, ask: msg.StageAsk, message: Received) -> str:
        """Why a request is refused, or nothing. Its owner must have sent it, or be known where it is passed on."""
        owner = ask.request.agent
        passed_on = ask.first > 0 and owner != self._name and self._net.role(owner) == "agent"
        if owner != message.sender and not passed_on:
            return "malformed"
        if ask.request in self._asked:
            return "duplicate"
        return "" if self._offer.fits(ask.model, ask.variant, ask.first, message.tensors) else "malformed"

    def undelivered(self, peer: str, request: Hashable, reason: str) -> None:
        """The transport took an ask and could not deliver it."""
        assert isinstance(request, RequestId)
        if reason != "cancelled":
            self.handle(ev.Refused(request=request, peer=peer, reason=UNREACHABLE))

    def handle(self, event: ev.Event) -> None:
        """Hand an event to the scheduler and perform its commands; events that this causes follow in order.

        Timers are set last: nobody waits for them.
        """
        self._pending.append(event)
        if self._handling:
            return
        self._handling = True
        while self._pending:
            for command in self._scheduler.handle(self._pending.popleft(), self._clock.now_ns()):
                if isinstance(command, TIMERS):
                    self._later.append(command)
                else:
                    self._do(command)
            while self._later:
                self._time(self._later.popleft())
        self._handling = False
        self._scheduler.reflect()

    def _runs_ended(self, ends: list[RunEnd]) -> None:
        for end in ends:
            if end.ended == "preempted":
                self._kept[end.request] = end.given
                self.handle(ev.SetAside(
                    work=end.work, started_ns=end.started_ns, finished_ns=end.finished_ns, reached=end.stage,
                    cut=end.cut, overrun=end.overrun,
                ))
            else:
                self.handle(ev.StageDone(
                    work=end.work, started_ns=end.started_ns, finished_ns=end.finished_ns, ran=end.ended == "done",
                    overrun=end.overrun, made=end.made,
                ))

    def _stages_loaded(self, model: str, variant: str) -> None:
        self.handle(ev.StagesLoaded(model=model, variant=variant))

    def _do(self, command: ev.Command) -> None:
        match command:
            case ev.RunStage():
                self._run([command])
            case ev.RunBatch(runs=runs):
                self._run(runs)
            case ev.Deliver(span=span, outcome=outcome):
                assert outcome is None or isinstance(outcome, Outcome)
                self._kept.pop(span.request, None)
                self._ended(span, outcome, self._inputs.pop(span.request))
            case ev.Preempt(work=work, impatience=impatience):
                self._preempt(work, impatience)
            case ev.AbortRun(work=work):
                self._runner.abort(work)
            case ev.LoadStages(model=model, variant=variant):
                self._runner.load_stages(model, variant)
            case ev.SendStage():
                self._send(command)
            case ev.PassOn():
                self._pass_on(command)
            case ev.StopSending(request=request, peer=peer):
                self._net.cancel(peer, request)
            case ev.CancelStage(request=request, peer=peer):
                if not self._net.cancel(peer, request):      # all of it has gone, or another peer sent it there
                    self._net.send(peer, msg.StageCancel(request=request))
            case ev.Answer(request=request, peer=peer, times=times, done=done, made=made):
                assert isinstance(made, Outcome)
                self._net.send(peer, msg.StageAnswer(
                    request=request, outcome=made, run_s=times.run_s, waited_s=times.waited_s,
                    held_s=self._let_go(request), overrun=times.overrun, batch=times.batch, done=done,
                ))
            case ev.Refuse(request=request, peer=peer, reason=reason):
                self._forget(request)
                self._net.send(peer, msg.StageRefusal(request=request, reason=reason))
            case ev.Forget(request=request):
                self._forget(request)
            case _:
                raise AssertionError(f"no way to do {command}")

    def _time(self, command: ev.SetTimer | ev.CancelTimers) -> None:
        if isinstance(command, ev.CancelTimers):
            for timer in self._timers.pop(command.request, ()):
                timer.cancel()
            return
        event = command.event
        timer = self._host_timers.at(command.at_ns, lambda: self.handle(event))
        self._timers.setdefault(event.request, []).append(timer)

    def _run(self, runs: Sequence[ev.RunStage]) -> None:
        orders = [RunOrder(run.work, run.request, self._given(run)) for run in runs]
        first = runs[0]
        self._runner.start(first.model, first.variant, first.leg, orders)

    def _given(self, run: ev.RunStage) -> Given:
        """The input that a run begins with."""
        if run.resumed:
            return self._kept.pop(run.request)
        return self._asked[run.request].tensors if run.asker else self._inputs[run.request].frame

    def _preempt(self, work: int, impatience: float) -> None:
        too_long_s = self._runner.preempt(work, impatience)
        if too_long_s is not None:
            self._host_timers.after(ns(too_long_s), lambda: self._runner.hurry(work))

    def _send(self, command: ev.SendStage) -> None:
        ask = msg.StageAsk(
            request=command.request, model=command.model, variant=command.variant, priority=command.priority,
            first=command.route[0].first, last=command.route[0].last, route=command.route[1:],
        )
        if ask.first:
            assert command.tensors is not None
            tensors = command.tensors
        else:
            try:
                tensors = self._offer.inputs(command.model, self._inputs[command.request].frame)
            except ValueError:           # the frame does not fit the model: the run at home says why
                tensors = None
        self._ask(command.peer, ask, tensors, command.deadline_ns)

    def _pass_on(self, command: ev.PassOn) -> None:
        assert isinstance(command.made, list)
        asked, times = command.asked, command.times
        held = msgspec.structs.replace(times, held_s=self._let_go(asked.request))
        ask = msg.StageAsk(
            request=asked.request, model=asked.model, variant=asked.variant, priority=asked.priority,
            first=asked.route[0].first, last=asked.route[0].last, route=asked.route[1:], done=[*asked.done, held],
        )
        self._ask(command.peer, ask, command.made, asked.deadline_ns)

    def _ask(self, peer: str, ask: msg.StageAsk, tensors: list[NDArray] | None, deadline_ns: int) -> None:
        """Send an ask. One that cannot leave, or has no time left for the way, comes back as refused."""
        left_s = seconds(deadline_ns - self._clock.now_ns())
        if left_s <= 0.0 or tensors is None or not self._net.send(peer, ask, tensors, left_s, tag=ask.request):
            self.handle(ev.Refused(request=ask.request, peer=peer, reason=UNREACHABLE))

    def _forget(self, request: RequestId) -> None:
        self._asked.pop(request, None)
        self._kept.pop(request, None)

    def _let_go(self, request: RequestId) -> float:
        """Forget a peer's request. Returns for how long it was held."""
        return seconds(self._clock.now_ns() - self._asked.pop(request).at_ns)
