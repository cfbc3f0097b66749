"""Does what the scheduler commands: runs, loads, messages, timers. The real loop's half of the golden path."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Sequence
from functools import partial

import msgspec
import numpy as np
from numpy.typing import NDArray

from agents.runtime.catalogue import Catalogue, Given, Made
from agents.runtime.executor import Executor, Run
from agents.runtime.loader import Loader
from agents.scheduling import events as ev
from agents.scheduling.own_requests import UNREACHABLE
from agents.scheduling.scheduler import Scheduler
from models.pipeline import Pipeline
from swarm.core.clock import ns, seconds
from swarm.core.policy.plan import Leg
from swarm.core.ports import Received
from swarm.core.protocol import messages as msg
from swarm.core.protocol.spans import RequestId, Span
from swarm.core.protocol.world import Outcome, Pose
from swarm.core.settings.process_files import AgentFile
from swarm.net.endpoint import Endpoint
from swarm.net.loop import Loop, Timer

TIMERS = (ev.SetTimer, ev.CancelTimers)


class Input(msgspec.Struct, frozen=True):
    """What a request of this robot is about; kept until it ends."""

    frame: NDArray[np.uint8]
    pose: Pose = Pose(0.0, 0.0, 0.0)


class _Asked(msgspec.Struct, frozen=True):
    """What came with a peer's request; kept until it is answered, passed on, refused or forgotten."""

    tensors: Sequence[NDArray]
    at_ns: int                       # received


class Driver:
    """Performs commands. `ended(span, outcome, input)` is called once for every own request."""

    def __init__(
        self, settings: AgentFile, loop: Loop, net: Endpoint, scheduler: Scheduler, catalogue: Catalogue,
        ended: Callable[[Span, Outcome | None, Input], None],
    ) -> None:
        self._name, self._loop, self._net = settings.name, loop, net
        self._scheduler, self._catalogue, self._ended = scheduler, catalogue, ended
        self._inputs: dict[RequestId, Input] = {}
        self._asked: dict[RequestId, _Asked] = {}
        self._kept: dict[RequestId, Given] = {}          # with what runs go on that were set aside
        self._timers: dict[RequestId, list[Timer]] = {}
        self._pending: deque[tuple[ev.Event, Made | None]] = deque()
        self._handling = False
        self._later: deque[ev.SetTimer | ev.CancelTimers] = deque()
        self._loader = Loader(loop.fail)
        self.executor = Executor(
            loop.clock, threads=settings.board.executors, emulated=settings.board.emulated, seed=settings.seed,
            finished=lambda run: loop.post(partial(self._run_ended, run)), crashed=loop.fail,
        )

    def close(self) -> None:
        """End runs and loads."""
        self._loader.close()
        self.executor.close()

    def arrived(self, event: ev.RequestArrived, data: Input) -> None:
        """A request of this robot."""
        self._inputs[event.request] = data
        self.handle(event)

    def asked(self, ask: msg.StageAsk, message: Received) -> None:
        """A peer's request; its budget counts from now. One that makes no sense is refused to who sent it."""
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
        """Owners begin their requests themselves; what is passed on is the request of a peer that we know."""
        owner = ask.request.agent
        passed_on = ask.first > 0 and owner != self._name and self._net.role(owner) == "agent"
        if owner != message.sender and not passed_on:
            return "malformed"
        if ask.request in self._asked:
            return "duplicate"
        return "" if self._catalogue.fits(ask.model, ask.variant, ask.first, message.tensors) else "malformed"

    def undelivered(self, peer: str, request: Hashable, reason: str) -> None:
        """The transport took an ask and could not bring it there."""
        assert isinstance(request, RequestId)
        if reason != "cancelled":
            self.handle(ev.Refused(request=request, peer=peer, reason=UNREACHABLE))

    def handle(self, event: ev.Event, made: Made | None = None) -> None:
        """Hand an event to the scheduler and do what it says; events that this causes follow in order.

        made: what the run or the answer gave that the event is about. Timers are seen to last: nobody waits for them.
        """
        self._pending.append((event, made))
        if self._handling:
            return
        self._handling = True
        while self._pending:
            event, made = self._pending.popleft()
            for command in self._scheduler.handle(event, self._loop.clock.now_ns()):
                if isinstance(command, TIMERS):
                    self._later.append(command)
                else:
                    self._do(command, made)
            while self._later:
                self._time(self._later.popleft())
        self._handling = False
        self._scheduler.reflect()

    def _run_ended(self, run: Run) -> None:
        for each in run.at_once() if run.others else (run,):
            self._tell(each)
        self.executor.collect(run)

    def _tell(self, run: Run) -> None:
        if run.ended == "aside" and run.wanted:
            self._kept[run.request] = run.given
            self.handle(ev.SetAside(
                work=run.work, started_ns=run.started_ns, finished_ns=run.finished_ns, reached=run.stage, cut=run.cut,
                overrun=run.overrun,
            ))
        else:
            self.handle(ev.StageDone(
                work=run.work, started_ns=run.started_ns, finished_ns=run.finished_ns, ran=run.ended == "done",
                overrun=run.overrun,
            ), run.made)

    def _do(self, command: ev.Command, made: Made | None) -> None:
        match command:
            case ev.RunStage(work=work, request=request, model=model, variant=variant, leg=leg):
                self.executor.start(work, request, self._catalogue.get(model, variant), leg, self._given(command))
            case ev.RunBatch(runs=runs):
                loaded = self._catalogue.get(runs[0].model, runs[0].variant)
                self.executor.start_batch(
                    [(run.work, run.request, self._given(run)) for run in runs], loaded, runs[0].leg)
            case ev.Deliver(span=span):
                outcome = made if span.ending != "failed" and isinstance(made, Outcome) else None
                self._kept.pop(span.request, None)
                self._ended(span, outcome, self._inputs.pop(span.request))
            case ev.Preempt(work=work, impatience=impatience):
                self._preempt(work, impatience)
            case ev.AbortRun(work=work):
                self.executor.abort(work)
            case ev.LoadStages():
                self._load(command)
            case ev.SendStage():
                self._send(command, made)
            case ev.PassOn():
                self._pass_on(command, made)
            case ev.StopSending(request=request, peer=peer):
                self._net.cancel(peer, request)
            case ev.CancelStage(request=request, peer=peer):
                if not self._net.cancel(peer, request):      # it has wholly gone, or went there from another peer
                    self._net.send(peer, msg.StageCancel(request=request))
            case ev.Answer(request=request, peer=peer, times=times, done=done):
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
        self._timers.setdefault(event.request, []).append(self._loop.at(command.at_ns, lambda: self.handle(event)))

    def _send(self, command: ev.SendStage, made: Made | None) -> None:
        ask = msg.StageAsk(
            request=command.request, model=command.model, variant=command.variant, priority=command.priority,
            first=command.route[0].first, last=command.route[0].last, route=command.route[1:],
        )
        if ask.first:
            assert isinstance(made, list)
            tensors = made
        else:
            try:
                tensors = self._catalogue.inputs(command.model, self._inputs[command.request].frame)
            except ValueError:           # no frame for this model: at home it is said why
                tensors = None
        self._ask(command.peer, ask, tensors, command.deadline_ns)

    def _pass_on(self, command: ev.PassOn, made: Made | None) -> None:
        assert isinstance(made, list)
        asked, times = command.asked, command.times
        held = msgspec.structs.replace(times, held_s=self._let_go(asked.request))
        ask = msg.StageAsk(
            request=asked.request, model=asked.model, variant=asked.variant, priority=asked.priority,
            first=asked.route[0].first, last=asked.route[0].last, route=asked.route[1:], done=[*asked.done, held],
        )
        self._ask(command.peer, ask, made, asked.deadline_ns)

    def _ask(self, peer: str, ask: msg.StageAsk, tensors: list[NDArray] | None, deadline_ns: int) -> None:
        """What cannot leave, or has no time left on the way, comes back as refused."""
        left_s = seconds(deadline_ns - self._loop.clock.now_ns())
        if left_s <= 0.0 or tensors is None or not self._net.send(peer, ask, tensors, left_s, tag=ask.request):
            self.handle(ev.Refused(request=ask.request, peer=peer, reason=UNREACHABLE))

    def _given(self, run: ev.RunStage) -> Given:
        """What a run begins with."""
        if run.resumed:
            return self._kept.pop(run.request)
        return self._asked[run.request].tensors if run.asker else self._inputs[run.request].frame

    def _preempt(self, work: int, impatience: float) -> None:
        too_long_s = self.executor.preempt(work, impatience)
        if too_long_s is not None:
            self._loop.after(ns(too_long_s), lambda: self.executor.hurry(work))

    def _forget(self, request: RequestId) -> None:
        self._asked.pop(request, None)
        self._kept.pop(request, None)

    def _let_go(self, request: RequestId) -> float:
        """Forget a peer's request. Returns for how long it was held."""
        return seconds(self._loop.clock.now_ns() - self._asked.pop(request).at_ns)

    def _load(self, command: ev.LoadStages) -> None:
        model, variant = command.model, command.variant

        def adopt(stages: Pipeline) -> None:
            self._catalogue.adopt(model, variant, stages)
            self.handle(ev.StagesLoaded(model=model, variant=variant))

        self._loader.start(
            f"{model}-{variant}", lambda handle: self._catalogue.load_stages(model, variant, handle),
            lambda stages: self._loop.post(lambda: adopt(stages)),
        )
