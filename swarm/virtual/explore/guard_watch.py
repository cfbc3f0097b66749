"""Looks whether guarded requests are on time, wherever their own board could make it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agents.robot import Robot
from agents.scheduling import events as ev
from agents.scheduling.queue.margins import LATE_NS
from swarm.core.policy.cost import named, together_p95_s
from swarm.core.protocol.spans import Span
from swarm.core.units import ns
from swarm.virtual.process import VirtualProcess
from swarm.virtual.run import VirtualRun
from swarm.virtual.runner import TimedRun, VirtualRunner

INVARIANT = "a guarded request is on time"


class GuardWatch:
    """Call `watch` with each robot that begins. `covered`: the requests for which the promise held its conditions.

    These are the guarded ones that ended while no run of the robot's own requests took longer than its p95 or failed,
    and no timer, end of a run or message came more than LATE_NS late. A paused robot, or a slow one, is excused so.
    """

    def __init__(self, run: VirtualRun, tell: Callable[..., None]) -> None:
        self._run, self._tell = run, tell
        self.covered = 0

    def watch(self, process: VirtualProcess, robot: Robot) -> None:
        """Watch a robot's executors, its loop, and how its requests end."""
        inner: Any = robot
        performer, runner = inner._performer, inner._runner
        handle, ended, begin, told = performer.handle, performer._ended, runner._begin, runner._tell
        excused: list[tuple[int, int]] = []          # from, to, on the robot's clock

        def watched_handle(event: ev.Event) -> None:
            self._look_at_loop(process, excused)
            handle(event)

        def watched_begin(run: TimedRun) -> None:
            self._look_at_loop(process, excused)
            begin(run)

        def watched_told(run: TimedRun) -> None:
            if _is_slow(runner, run, process, run.finished_ns):
                excused.append((run.started_ns, process.now_ns()))
            told(run)

        def watched_ended(span: Span, outcome: Any, data: Any) -> None:
            if span.guarded and not self._is_excused(span, runner, process, excused):
                self.covered += 1
                if span.ending != "completed":
                    self._tell(INVARIANT, f"{span.request} of {span.stream} was guarded and is {span.ending} "
                               f"{span.reason}, and its robot was neither slow nor late", span.request)
            ended(span, outcome, data)

        performer.handle, performer._ended, runner._begin, runner._tell = (
            watched_handle, watched_ended, watched_begin, watched_told)

    def _look_at_loop(self, process: VirtualProcess, excused: list[tuple[int, int]]) -> None:
        event, now = self._run.timeline.current, process.now_ns()
        late_ns = self._run.timeline.now_ns - event.at_ns if event is not None else 0
        if late_ns > LATE_NS:
            excused.append((now - late_ns, now))

    def _is_excused(
        self, span: Span, runner: VirtualRunner, process: VirtualProcess, excused: list[tuple[int, int]]
    ) -> bool:
        inner: Any = runner
        now = process.now_ns()
        return any(since_ns <= span.ended_ns and span.sent_ns <= until_ns for since_ns, until_ns in excused) or any(
            run.began_ns is not None and _is_slow(runner, run, process, now if run.ended is None else run.finished_ns)
            for run in inner._current.values())      # a run is among them until its end is told


def _is_slow(runner: VirtualRunner, run: TimedRun, process: VirtualProcess, until_ns: int) -> bool:
    """Whether a run for the robot itself has taken longer than the p95 of what it has run, or has failed."""
    if all(order.request.agent != process.name for order in run.orders):
        return False
    inner: Any = runner
    profile = named(inner._offer.profiles[run.model], run.variant)
    assert profile is not None
    if run.leg.whole:
        p95_s = together_p95_s(profile, len(run.orders)) if len(run.orders) > 1 else profile.p95_s
    else:
        p95_s = sum(stage.p95_s for stage in profile.stages[run.leg.first:run.stage + 1])
    return run.ended == "failed" or until_ns - run.started_ns > ns(p95_s)
