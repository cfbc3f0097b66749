"""The real process: it answers, plans without Ray, and ends when told to or when its lifeline is cut."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from swarm.core.clock import MonotonicClock
from swarm.core.policy.plan import Placement, Plan
from swarm.core.ports import Received
from swarm.core.protocol.messages import Advert, Heartbeat, HeartbeatAck, Member, PlanNews, Ready, Roster, Start
from swarm.core.settings.process_files import PlannerFile
from swarm.core.settings.yaml_text import dump
from swarm.core.units import ns
from swarm.net.lanes import open_endpoint
from swarm.net.loop import Loop
from swarm.net.process import LIFELINE_VARIABLE
from swarm.planner import process
from swarm.planner.events import Solve, Solved
from swarm.planner.forecast.workers import ONE_WORKER, Item, Result
from swarm.planner.solvers.budget import CountedBudget
from swarm.planner.solvers.place import place
from tests.patience import HANG_NS, HANG_S
from tests.planner.builders import scattered, team

COMMAND = """
import sys
from pathlib import Path
from swarm.core.settings.process_files import PlannerFile
from swarm.settings_files import read
from swarm.planner.process import main
sys.exit(main(read(Path(sys.argv[1]), PlannerFile)))
"""


class Team:
    """A launcher and one agent in one process, as the planner's opposite."""

    def __init__(self) -> None:
        self.loop = Loop(MonotonicClock())
        self.launcher = open_endpoint(
            self.loop, swarm="t", name="launcher", role="launcher", boot=1, handler=self._told)
        self.agent = open_endpoint(self.loop, swarm="t", name="rover_0", role="agent", boot=2, handler=self._heard)
        self.plan: Plan | None = None
        self.answered = False

    def run(self) -> None:
        """Until a plan and an answered heartbeat have come."""
        self.loop.every(ns(0.1), self._beat)
        self.loop.after(HANG_NS, self.loop.stop)
        self.loop.run()

    def _told(self, message: Received) -> None:
        if isinstance(message.body, Ready):
            planner: Member = message.body.member
            self.launcher.join([planner])
            self.agent.join([planner])
            self.loop.after(ns(0.2), self._begin)

    def _begin(self) -> None:
        self.launcher.send("planner", Roster(members=[self.agent.member]))
        self.launcher.send("planner", Start())

    def _beat(self) -> None:
        self.agent.send("planner", Heartbeat(sequence=1))

    def _heard(self, message: Received) -> None:
        if isinstance(message.body, Heartbeat):
            self.agent.send("planner", HeartbeatAck(sequence=message.body.sequence, held_s=0.0))
            if message.body.advert:
                return
            problem = team(1, 0)
            self.agent.send("planner", Advert(
                board="b", executors=1, profiles=list(problem.agents[0].profiles),
                streams=[s.spec for s in problem.streams],
            ))
        elif isinstance(message.body, HeartbeatAck):
            self.answered = True
        elif isinstance(message.body, PlanNews):
            self.plan = message.body.plan
        if self.answered and self.plan is not None:
            self.loop.stop()


@pytest.fixture
def planned(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A planner that has sent its first plan, and the end of its lifeline that is ours."""
    other = Team()
    file = tmp_path / "planner.yaml"
    file.write_text(dump(PlannerFile(version=1, swarm="t", ray="none", launcher=other.launcher.member)))
    theirs, ours = os.pipe()
    child = subprocess.Popen(
        [sys.executable, "-c", COMMAND, str(file)], pass_fds=[theirs], start_new_session=True,
        env={**os.environ, LIFELINE_VARIABLE: str(theirs)}, stderr=subprocess.DEVNULL,
    )
    os.close(theirs)
    try:
        other.run()
        assert other.answered
        assert other.plan is not None
        assert {(p.agent, p.stream) for p in other.plan.placements} == {("rover_0", "detect"), ("rover_0", "segment")}
        yield child, ours
    finally:
        child.kill()
        child.wait()
        other.launcher.close()
        other.agent.close()
        other.loop.close()


def test_it_plans_and_ends_in_order_when_asked_to(planned: tuple[subprocess.Popen[bytes], int]) -> None:
    child, ours = planned
    child.send_signal(signal.SIGTERM)
    assert child.wait(HANG_S) == 0
    os.close(ours)


def test_it_ends_at_once_when_its_lifeline_is_cut(planned: tuple[subprocess.Popen[bytes], int]) -> None:
    child, ours = planned
    os.close(ours)
    assert child.wait(HANG_S) == 1


def searched(places: str, command: Solve, times: int = 1) -> list[Solved]:
    """What a solver answers, so many times in sequence."""
    loop = Loop(MonotonicClock())
    loop.after(HANG_NS, loop.stop)
    solver, out = process.ThreadSolver(loop, seed=0, places=places), list[Solved]()

    def done(event: Solved) -> None:
        out.append(event)
        if len(out) < times:
            solver.solve(command, done)
        else:
            loop.stop()

    solver.solve(command, done)
    loop.run()
    loop.close()
    return out


def test_a_search_that_crashes_is_told_and_the_placements_stay(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(process, "solved", broken)
    previous = [Placement(agent="rover_0", stream="detect", variant="fp32", where=["rover_0"])]
    [event] = searched("", Solve(team(1, 0), previous, (1, 0)))
    assert event.solution.failed == "ZeroDivisionError: a bug"
    assert event.solution.placements == previous
    assert "in broken" in caplog.text                # the place of the bug is in the log


@pytest.mark.parametrize(("places", "calls"), [("", 3), ("/their/mine.py", 1)])
def test_a_search_that_does_not_return_is_given_up_and_not_tried_for_ever(
    monkeypatch: pytest.MonkeyPatch, places: str, calls: int
) -> None:
    called, never = list[int](), threading.Event()

    def hangs(*_: object, **__: object) -> None:
        called.append(1)
        never.wait()

    monkeypatch.setattr(process, "solved", hangs)
    monkeypatch.setattr(process, "HUNG_S", 0.01)
    previous = [Placement(agent="rover_0", stream="segment", variant="fp32", where=["carrier_0"])]
    events = searched(places, Solve(team(1, 1), previous, (2, 7)), times=6)
    assert len(called) == calls
    for event in events:
        assert event.basis == (2, 7)
        assert event.solution.failed == process.HUNG
        at_home = [p for p in event.solution.placements if p.where == [p.agent]]
        assert len(at_home) == (3 if places else 0)
        assert places or event.solution.placements == previous


def test_the_thread_calls_back_in_the_loop_with_the_basis_of_the_command() -> None:
    loop = Loop(MonotonicClock())
    loop.after(HANG_NS, loop.stop)
    solved: list[tuple[Solved, threading.Thread]] = []

    def done(event: Solved) -> None:
        solved.append((event, threading.current_thread()))
        loop.stop()

    process.ThreadSolver(loop, seed=0, places="").solve(Solve(team(1, 1), [], (3, 4)), done)
    loop.run()
    loop.close()
    [(event, thread)] = solved
    assert event.basis == (3, 4)
    assert not event.refined
    assert len(event.solution.placements) == 3
    assert thread is threading.current_thread()


class TwoInTurn:
    """Two workers, but one call after the other."""

    count = 2

    def map(self, call: Callable[[int, Item], Result], items: Sequence[Item]) -> list[Result]:
        return [call(n % self.count, item) for n, item in enumerate(items)]


def test_threads_find_the_same_plan_as_workers_in_turn() -> None:
    problem = scattered(5, 6, 16, 2)
    for workers in (process.ThreadWorkers(2), process.ThreadWorkers(1)):
        expected = place(problem, budget=CountedBudget(0.05, TwoInTurn() if workers.count == 2 else ONE_WORKER))
        assert place(problem, budget=CountedBudget(0.05, workers)) == expected


def test_threads_give_results_in_order_and_make_one_call_at_a_time_each() -> None:
    calls: list[tuple[int, int, str]] = []

    def call(worker: int, item: int) -> int:
        calls.append((worker, item, threading.current_thread().name))
        return 10 * item

    assert process.ThreadWorkers(2).map(call, range(5)) == [0, 10, 20, 30, 40]
    assert sorted((worker, item) for worker, item, _ in calls) == [(0, 0), (0, 2), (0, 4), (1, 1), (1, 3)]
    assert len({(worker, name) for worker, _, name in calls}) == 2
    with pytest.raises(ZeroDivisionError):
        process.ThreadWorkers(2).map(lambda worker, item: 1 // worker, range(2))
