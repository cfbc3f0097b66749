"""Does what the scheduler commands: runs, messages, timers. The real loop's half of the golden path."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import msgspec
import numpy as np
from numpy.typing import NDArray

from agents import events as ev
from agents.catalogue import Catalogue, frame_of
from agents.executor import Executor, Finished
from agents.scheduler import UNREACHABLE, Scheduler
from swarm.core import messages as msg
from swarm.core.clock import seconds
from swarm.core.config import AgentFile
from swarm.core.spans import RequestId, Span
from swarm.core.world import Outcome, Pose
from swarm.net.endpoint import Endpoint, Received
from swarm.net.loop import Loop, Timer


class Input(msgspec.Struct, frozen=True):
    """What a request is about; kept until it ends."""

    frame: NDArray[np.uint8]
    at_ns: int                       # captured (own requests) or received (a peer's)
    pose: Pose = Pose(0.0, 0.0, 0.0)


class Driver:
    """Performs commands. `ended(span, outcome, input)` is called once for every own request."""

    def __init__(
        self, settings: AgentFile, loop: Loop, net: Endpoint, scheduler: Scheduler, catalogue: Catalogue,
        ended: Callable[[Span, Outcome | None, Input], None],
    ) -> None:
        self._loop, self._net, self._scheduler, self._catalogue, self._ended = loop, net, scheduler, catalogue, ended
        self._inputs: dict[tuple[str, RequestId], Input] = {}    # by who asked (empty: this robot) and what
        self._timers: dict[RequestId, list[Timer]] = {}
        self._pending: deque[tuple[ev.Event, Outcome | None]] = deque()
        self._handling = False
        self.executor = Executor(
            loop.clock, threads=settings.board.executors, emulated=settings.board.emulated, seed=settings.seed,
            finished=lambda finished: loop.post(lambda: self._run_ended(finished)), crashed=loop.fail,
        )

    def arrived(self, event: ev.RequestArrived, data: Input) -> None:
        """A request of this robot."""
        self._inputs["", event.request] = data
        self.handle(event)

    def asked(self, ask: msg.StageAsk, message: Received) -> None:
        """A peer's request; its budget counts from now. One that makes no sense is refused here."""
        peer, frame = message.sender, frame_of(message.tensors)
        reason = (
            "malformed" if frame is None or ask.request.agent != peer
            else "duplicate" if (peer, ask.request) in self._inputs
            else ""
        )
        if reason or frame is None:
            self._net.send(peer, msg.StageRefusal(request=ask.request, reason=reason))
            return
        self._inputs[peer, ask.request] = Input(frame, message.at_ns)
        self.handle(ev.StageAsked(
            request=ask.request, peer=message.sender, model=ask.model, variant=ask.variant, priority=ask.priority,
            deadline_ns=message.at_ns + round((message.budget_s or 0.0) * 1e9),
        ))

    def handle(self, event: ev.Event, outcome: Outcome | None = None) -> None:
        """Hand an event to the scheduler and do what it says; events that this causes follow in order."""
        self._pending.append((event, outcome))
        if self._handling:
            return
        self._handling = True
        while self._pending:
            event, outcome = self._pending.popleft()
            for command in self._scheduler.handle(event, self._loop.clock.now_ns()):
                self._do(command, outcome)
        self._handling = False

    def _run_ended(self, finished: Finished) -> None:
        self.handle(
            ev.StageDone(
                work=finished.work, started_ns=finished.started_ns, finished_ns=finished.finished_ns,
                ran=finished.outcome is not None, overrun=finished.overrun,
            ),
            finished.outcome,
        )

    def _do(self, command: ev.Command, outcome: Outcome | None) -> None:
        match command:
            case ev.RunStage(work=work, request=request, asker=asker, model=model, variant=variant):
                frame = self._inputs[asker, request].frame
                self.executor.start(work, request, self._catalogue.get(model, variant), frame)
            case ev.AbortRun(work=work):
                self.executor.abort(work)
            case ev.SendStage():
                self._send(command)
            case ev.CancelStage(request=request, peer=peer):
                self._net.send(peer, msg.StageCancel(request=request))
            case ev.Answer(request=request, peer=peer):
                assert outcome is not None
                held_s = seconds(self._loop.clock.now_ns() - self._inputs.pop((peer, request)).at_ns)
                self._net.send(peer, msg.StageAnswer(
                    request=request, outcome=outcome, run_s=command.run_s, waited_s=command.waited_s,
                    held_s=held_s, overrun=command.overrun,
                ))
            case ev.Refuse(request=request, peer=peer, reason=reason):
                self._inputs.pop((peer, request), None)
                self._net.send(peer, msg.StageRefusal(request=request, reason=reason))
            case ev.Forget(request=request, peer=peer):
                self._inputs.pop((peer, request), None)
            case ev.SetTimer(at_ns=at_ns, event=event):
                timer = self._loop.at(at_ns, lambda: self.handle(event))
                self._timers.setdefault(event.request, []).append(timer)
            case ev.CancelTimers(request=request):
                for timer in self._timers.pop(request, ()):
                    timer.cancel()
            case ev.Deliver(span=span):
                succeeded = span.ending != "failed"
                self._ended(span, outcome if succeeded else None, self._inputs.pop(("", span.request)))
            case _:
                raise AssertionError(f"no way to do {command}")

    def _send(self, command: ev.SendStage) -> None:
        ask = msg.StageAsk(
            request=command.request, model=command.model, variant=command.variant, priority=command.priority
        )
        left_s = seconds(command.deadline_ns - self._loop.clock.now_ns())
        frame = self._inputs["", command.request].frame
        if left_s <= 0.0 or not self._net.send(command.peer, ask, [frame], left_s):      # no time left on the way
            self.handle(ev.Refused(request=command.request, peer=command.peer, reason=UNREACHABLE))
