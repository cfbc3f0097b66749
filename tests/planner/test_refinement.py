"""When Ray is started, asked, and stopped for good, on a fake refiner."""

from __future__ import annotations

import pytest

from swarm.planner.events import Solve, Solved
from swarm.planner.ports import Refined
from swarm.planner.refinement import MAX_LOST_RUNS, RAY_AFTER_S, Refinement
from swarm.planner.solvers.place import place
from tests.clock import FakeClock
from tests.one_thread.timers import FakeTimers
from tests.planner.builders import team
from tests.planner.fakes import FakeRefiner

LOST = Refined(None, "late")
PROBLEM = team(1, 1)
FOUND = Refined(place(PROBLEM))


class Scene:
    def __init__(self, refiner: FakeRefiner | None) -> None:
        self.timers = FakeTimers(FakeClock())
        self.solved: list[Solved] = []
        self.reports: list[tuple[str, dict]] = []
        self.refinement = Refinement(
            self.timers, refiner, self.solved.append, lambda what, detail: self.reports.append((what, detail)))

    def want(self, epoch: int) -> None:
        self.refinement.on_plan(Solve(PROBLEM, [], (1, epoch), refine=True))

    def names(self) -> list[str]:
        return [what for what, _ in self.reports]


def up(refiner: FakeRefiner) -> Scene:
    """A scene in which Ray is up and idle."""
    scene = Scene(refiner)
    scene.refinement.begin()
    scene.timers.wait(RAY_AFTER_S)
    assert refiner.connected is not None
    refiner.connected("", 1.5)
    return scene


def test_ray_starts_after_the_streams_and_then_refines_the_newest_plan() -> None:
    refiner = FakeRefiner()
    scene = Scene(refiner)
    scene.want(1)
    scene.timers.wait(60.0)
    assert refiner.connected is None                     # the streams have not begun
    scene.refinement.begin()
    scene.timers.wait(RAY_AFTER_S - 0.01)
    assert refiner.connected is None
    scene.timers.wait(0.01)
    assert refiner.connected is not None
    scene.want(2)
    assert refiner.asked == []                           # it is not up yet
    refiner.connected("", 7.4567)
    assert scene.reports == [("ray_up", {"took_s": 7.457})]
    scene.want(3)
    scene.want(4)
    assert len(refiner.asked) == 1                       # one at a time
    refiner.answer(FOUND)
    refiner.answer(FOUND)
    assert refiner.asked == []
    assert [solved.basis for solved in scene.solved] == [(1, 2), (1, 4)]         # 3 was overtaken
    assert all(solved.refined and solved.solve_s == 0.3 for solved in scene.solved)


def test_ray_is_stopped_when_nothing_came_back_three_times_in_a_row() -> None:
    refiner = FakeRefiner()
    scene = up(refiner)
    for epoch, answer in enumerate([LOST] * (MAX_LOST_RUNS - 1) + [FOUND] + [LOST] * (MAX_LOST_RUNS - 1)):
        scene.want(epoch)
        refiner.answer(answer)
    assert not refiner.closed                            # a result between the losses: not in a row
    scene.want(98)
    scene.want(99)
    refiner.answer(LOST)
    assert refiner.closed == 1
    assert scene.names() == ["ray_up", *["portfolio_lost"] * (2 * MAX_LOST_RUNS - 1), "ray_absent"]
    assert scene.reports[-2:] == [("portfolio_lost", {"reason": "late", "in_a_row": MAX_LOST_RUNS}),
                                  ("ray_absent", {"reason": "late"})]
    scene.want(100)
    assert refiner.asked == []                           # neither 99 nor 100
    assert len(scene.solved) == 1


def test_shards_of_a_large_team_that_were_lost_are_told_and_the_rest_is_taken() -> None:
    refiner = FakeRefiner()
    scene = up(refiner)
    scene.want(1)
    refiner.answer(Refined(FOUND.solution, "the node died", shards=4, lost=1))
    assert len(scene.solved) == 1
    assert scene.reports[1:] == [("shards_lost", {"lost": 1, "of": 4, "reason": "the node died"})]


def test_ray_is_stopped_at_once_when_its_process_has_ended() -> None:
    refiner = FakeRefiner()
    scene = up(refiner)
    scene.want(1)
    refiner.answer(Refined(None, "its process ended", ended=True))
    scene.want(2)
    assert (refiner.closed, refiner.asked) == (1, [])
    assert scene.reports[1:] == [("portfolio_lost", {"reason": "its process ended", "in_a_row": 1}),
                                 ("ray_absent", {"reason": "its process ended"})]


def test_a_cluster_that_cannot_be_joined_is_stopped_and_never_asked() -> None:
    refiner = FakeRefiner()
    scene = Scene(refiner)
    scene.refinement.begin()
    scene.timers.wait(RAY_AFTER_S)
    assert refiner.connected is not None
    scene.want(1)
    refiner.connected("ray is not installed", 0.1)
    scene.want(2)
    assert (refiner.closed, refiner.asked) == (1, [])
    assert scene.reports == [("ray_absent", {"reason": "ray is not installed"})]


@pytest.mark.parametrize(("refiner", "reason"), [
    (None, "not wanted"),
    (FakeRefiner(OSError(12, "Cannot allocate memory")),
     "its process cannot be started: [Errno 12] Cannot allocate memory"),
])
def test_without_a_process_for_ray_the_planner_goes_on(refiner: FakeRefiner | None, reason: str) -> None:
    scene = Scene(refiner)
    scene.refinement.begin()
    scene.timers.wait(RAY_AFTER_S)
    scene.want(1)
    scene.timers.wait(60.0)
    assert scene.reports == [("ray_absent", {"reason": reason})]
    assert refiner is None or refiner.asked == []
