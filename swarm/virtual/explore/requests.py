"""What must hold of requests, at the robot that owns them: one ending, one delivery, by a plan in force, nothing left.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple

from numpy.typing import NDArray

from agents.robot import Robot
from agents.scheduling import events as ev
from swarm.core.policy.plan import Plan
from swarm.core.ports import Host, Received
from swarm.core.protocol import messages as msg
from swarm.core.protocol.spans import RequestId, Span
from swarm.core.protocol.world import Perceived
from swarm.core.units import ns
from swarm.virtual.explore.messages import Tell
from swarm.virtual.process import VirtualProcess
from swarm.virtual.run import VirtualRun

TIMED = (ev.LastSafeStart, ev.BudgetSpent, ev.GivenUp)


def _nothing(to: str, tag: Hashable, reason: str) -> None: ...


class News(NamedTuple):
    """A plan that a robot was told, and until when its lease lasts on the timeline."""

    planner: int                     # its boot
    plan: Plan
    until_ns: int


class RequestWatch:
    """Looks at what robots do with their requests."""

    def __init__(self, run: VirtualRun, tell: Tell) -> None:
        self._run, self._tell = run, tell
        self._open: dict[RequestId, None] = {}
        self._ended: dict[RequestId, Span] = {}
        self._cancelled: set[tuple[RequestId, str]] = set()
        self._delivered: set[tuple[int, str, int]] = set()       # by process, stream and time of the frame
        self._lost_ns: dict[tuple[str, str], int] = {}           # when a robot last lost a peer
        self._news: dict[int, list[News]] = {}                   # by process: of plans whose lease may last
        self._followed: dict[int, int] = {}                      # by process: the newest planner that it has followed

    def open(self) -> list[RequestId]:
        """Requests that were submitted and have not ended."""
        return list(self._open)

    def watch(self, process: VirtualProcess, host: Host) -> None:
        """Watch a new process, if it is a robot's: what it sends and what it is told."""
        if process.role != "agent":
            return
        net: Any = host.transport
        send, attach = net.send, net.attach
        sent = {msg.Submitted: self._on_submitted, msg.Ended: self._on_ended, msg.Happened: self._on_happened,
                msg.StageCancel: self._on_cancel}

        def watched_send(
            to: str, body: msg.Body, tensors: Sequence[NDArray[Any]] = (), budget_s: float | None = None,
            tag: Hashable = None,
        ) -> bool:
            accepted = send(to, body, tensors, budget_s, tag)
            look = sent.get(type(body))
            if look is not None and (accepted or isinstance(body, msg.StageCancel)):
                look(process, to, body)
            return accepted

        def watched_attach(received: Callable[[Received], None], undelivered: Any = _nothing) -> None:
            def watched(message: Received) -> None:
                match message.body:
                    case msg.StageAnswer() as answer:
                        self._on_answer(process, message.sender, answer)
                    case msg.PlanNews(plan=plan):
                        self._on_plan(process, message.boot, plan)
                    case _:
                        pass
                received(message)

            attach(watched, undelivered)

        net.send, net.attach = watched_send, watched_attach

    def watch_robot(self, process: VirtualProcess, robot: Robot) -> None:
        """Watch what reaches the behaviour of a robot, and which of its timers fire."""
        inner: Any = robot
        acting, performer = inner._acting, inner._performer
        behave, handle = acting.on, performer.handle

        def watched_behave(event: Any) -> None:
            if type(event) is Perceived:
                frame = (process.pid, event.stream, self._run.timeline.now_ns - ns(event.age_s))
                if frame in self._delivered:
                    self._tell("a result is delivered at most once",
                               f"{process.name} gets a result of {event.stream} for one frame twice", process.name)
                self._delivered.add(frame)
            behave(event)

        def watched_handle(event: ev.Event) -> None:
            if isinstance(event, TIMED) and event.request in self._ended:
                self._tell("timers end with their request",
                           f"{type(event).__name__} of {event.request}, which has ended", event.request)
            handle(event)

        acting.on, performer.handle = watched_behave, watched_handle

    def _on_plan(self, process: VirtualProcess, planner: int, plan: Plan) -> None:
        """A robot is told a plan. The epoch in force, of another planner, is none for it."""
        now, news = self._run.timeline.now_ns, self._news.setdefault(process.pid, [])
        if not any(now < one.until_ns and one.plan.epoch == plan.epoch and one.planner != planner for one in news):
            news.append(News(planner, plan, now + ns(plan.lease_s)))

    # --- sent ---

    def _on_submitted(self, process: VirtualProcess, to: str, submitted: msg.Submitted) -> None:
        request = submitted.request
        if request in self._open or request in self._ended:
            self._tell("a request ends exactly once", f"{request} was submitted twice", request)
        self._open[request] = None
        self._follow(process, submitted.frame.stream)

    def _follow(self, process: VirtualProcess, stream: str) -> None:
        """A robot follows the newest of the plans that it was told and whose lease lasts, or none."""
        now, robot = self._run.timeline.now_ns, self._run.processes.policies[process.name]
        news = self._news[process.pid] = [one for one in self._news.get(process.pid, ()) if now < one.until_ns]
        placement = robot.placement(stream) if isinstance(robot, Robot) else None
        if placement is None:
            return
        if not news:
            self._tell("no two planners lead", f"{process.name} follows a plan whose lease has ended", process.name,
                       "planner")
            return
        newest = max(enumerate(news), key=lambda pair: (pair[1].plan.epoch, pair[0]))[1]
        if placement not in newest.plan.placements:
            self._tell("no two planners lead", f"{process.name} follows another plan than that of epoch "
                       f"{newest.plan.epoch}, which is in force", process.name, "planner")
        if newest.planner < self._followed.get(process.pid, 0):
            self._tell("no two planners lead", f"{process.name} follows a planner that has ended", process.name,
                       "planner")
        self._followed[process.pid] = newest.planner

    def _on_ended(self, process: VirtualProcess, to: str, ended: msg.Ended) -> None:
        span = ended.span
        if span.request in self._ended:
            self._tell("a request ends exactly once", f"{span.request} has ended twice", span.request)
        self._open.pop(span.request, None)
        self._ended[span.request] = span
        lost_ns = self._lost_ns.get((process.name, span.offloaded_to), 0)
        if span.sent_ns < lost_ns < span.ended_ns and not 0 < span.queued_ns <= lost_ns:
            self._tell("nobody waits for who is lost to it",
                       f"{span.request} does not return home when {span.offloaded_to} is lost",
                       span.request, span.offloaded_to)

    def _on_cancel(self, process: VirtualProcess, to: str, cancel: msg.StageCancel) -> None:
        self._cancelled.add((cancel.request, to))

    def _on_happened(self, process: VirtualProcess, to: str, event: msg.Happened) -> None:
        if event.what == "peer_lost":
            self._lost_ns[process.name, str(event.detail.get("peer"))] = process.now_ns()

    # --- received ---

    def _on_answer(self, process: VirtualProcess, peer: str, answer: msg.StageAnswer) -> None:
        """The answer to a request that has ended otherwise: the peer was told that it is no longer wanted."""
        span = self._ended.get(answer.request)
        if (span is None or span.ran_on == peer or (answer.request, peer) in self._cancelled
                or self._lost_ns.get((process.name, peer), 0) > span.sent_ns):
            return
        self._tell("what is no longer wanted is cancelled",
                   f"{peer} answers {answer.request}, which has ended and was not cancelled", answer.request, peer)
