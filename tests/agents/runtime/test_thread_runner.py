"""The runner with real threads and a fake model: emulated time, aborts, failures."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable

import numpy as np
import pytest

from agents.ports import Given, Made, RunEnd
from agents.runtime.emulation import STAGE_SLACK, VariantTimes
from agents.scheduling.queue.margins import ABORT_S
from models.session import Aborted, RunFailed, RunHandle
from models.tasks import TaskError
from swarm.core.policy.plan import Leg
from swarm.core.protocol.world import Detections, Outcome
from swarm.core.units import seconds
from tests.agents.builders import request
from tests.agents.runtime.passing import PassingTime
from tests.agents.runtime.threads import Threads
from tests.patience import HANG_S

FRAME = np.zeros((72, 96, 3), np.uint8)
WHOLE = Leg("me")
STAGES = 4


class FakeModel:
    """Runs until `go`; then `takes_s` has passed on `time`."""

    def __init__(
        self, draw_s: float = 0.0, error: Exception | None = None, time: PassingTime | None = None, takes_s: float = 0.0
    ) -> None:
        self.time, self.takes_s = time, takes_s
        self.draw_s = draw_s
        self.go, self.begun = threading.Event(), threading.Event()
        self.error = error
        self.stages: list[tuple[int, Given]] = []            # that were run, and on what
        self.between: Callable[[int], None] | None = None
        self.handles: list[RunHandle] = []

    @property
    def times(self) -> VariantTimes:
        return VariantTimes([self.draw_s] * 21, [[self.draw_s] * 21] * STAGES)

    def run(self, given: Given, handle: RunHandle) -> Outcome:
        self.handles.append(handle)
        self.begun.set()
        assert self.go.wait(HANG_S)
        if self.time is not None:
            self.time.advance(self.takes_s)
        if self.error:
            raise self.error
        return Detections(boxes=[])

    def run_stage(self, given: Given, stage: int, handle: RunHandle) -> Made:
        self.stages.append((stage, given))
        made = self.run(given, handle)
        if self.between is not None:
            self.between(stage)
        return made if stage + 1 == STAGES else [np.full(1, stage, np.uint8)]


class Runs(Threads):
    """One run at a time."""

    def start(self, model: FakeModel, leg: Leg = WHOLE, given: Given = FRAME) -> None:
        self.begin(model, leg, [(1, request(1), given)])

    def end(self) -> RunEnd:
        (end,) = self.ends()
        return end


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> PassingTime:
    return PassingTime(monkeypatch)


def lasted_s(time: PassingTime, emulated: bool, leg: Leg = WHOLE, *, slow: tuple[float, ...] = (1.0,),
             draw_s: float = 0.0, takes_s: float = 0.0) -> list[tuple[float, bool]]:
    """How long a run lasts at each factor in turn, and whether it was an overrun."""
    runs, model = Runs(emulated, time), FakeModel(draw_s, time=time, takes_s=takes_s)
    model.go.set()
    lasted: list[tuple[float, bool]] = []
    for factor in slow:
        runs.runner.slow_down(factor)
        runs.start(model, leg)
        end = runs.end()
        assert end.ended == "done"
        lasted.append((round(seconds(end.finished_ns - end.started_ns), 9), end.overrun))
    runs.runner.close()
    return lasted


@pytest.mark.parametrize(("emulated", "draw_s", "takes_s"), [(True, 0.02, 0.001), (False, 0.0, 0.02)])
def test_a_slowed_run_takes_a_factor_longer_until_it_is_well_again(
    time: PassingTime, emulated: bool, draw_s: float, takes_s: float
) -> None:
    assert lasted_s(time, emulated, slow=(3.0, 1.0), draw_s=draw_s, takes_s=takes_s) == [(0.06, False), (0.02, False)]


def test_a_slowed_run_can_be_ended_while_it_only_lasts(runs: Runs) -> None:
    runs.runner.slow_down(1e6)
    model = FakeModel(draw_s=1.0)
    runs.start(model)
    assert model.begun.wait(HANG_S)
    model.go.set()
    runs.runner.abort(1)
    assert runs.end().ended == "aborted"


def test_an_outcome_comes_back_with_its_times(runs: Runs) -> None:
    model = FakeModel()
    model.go.set()
    runs.start(model)
    end = runs.end()
    assert end.made == Detections(boxes=[])
    assert end.started_ns <= end.finished_ns
    assert runs.runner.statistics().runs == 1


def test_an_emulated_run_lasts_as_long_as_its_draw(time: PassingTime) -> None:
    assert lasted_s(time, True, draw_s=0.05, takes_s=0.01) == [(0.05, False)]


def test_an_emulated_leg_lasts_as_long_as_its_stages(time: PassingTime) -> None:
    assert lasted_s(time, True, Leg("me", 1, 4), draw_s=0.02, takes_s=0.01) == [(0.06, False)]


def test_a_run_that_takes_longer_than_its_draw_is_an_overrun(time: PassingTime) -> None:
    assert lasted_s(time, True, draw_s=0.05, takes_s=0.07) == [(0.07, True)]
    assert lasted_s(time, False, draw_s=0.05, takes_s=0.07) == [(0.07, False)]
    runs, model = Runs(True, time), FakeModel()
    model.go.set()
    for _ in range(2):
        runs.start(model)
        runs.end()
    assert (runs.runner.statistics().runs, runs.runner.statistics().overruns) == (2, 2)
    runs.runner.close()


def test_an_abort_frees_an_emulated_executor_at_once() -> None:
    runs, model = Runs(emulated=True), FakeModel(draw_s=1000 * HANG_S)
    model.go.set()
    runs.start(model)
    assert model.begun.wait(HANG_S)
    runs.runner.abort(1)
    assert runs.end().made is None
    assert runs.runner.statistics().aborted == 1
    runs.runner.close()


@pytest.mark.parametrize(("error", "counted", "reason"), [
    (Aborted(), "aborted", ""), (TaskError("a frame of 3 x 3"), "failed", "task"),
    (RunFailed("no memory"), "failed", "run_failed")])
def test_a_run_without_an_outcome_is_counted_by_its_cause(
    runs: Runs, error: Exception, counted: str, reason: str
) -> None:
    model = FakeModel(error=error)
    model.go.set()
    runs.start(model)
    end = runs.end()
    assert end.made is None
    assert end.reason == reason or not reason
    assert getattr(runs.runner.statistics(), counted) == 1


def test_runs_that_fail_for_one_cause_are_logged_once(runs: Runs, caplog: pytest.LogCaptureFixture) -> None:
    """A peer can ask for runs that fail as often as it likes."""
    for _ in range(5):
        model = FakeModel(error=ValueError("a frame of 3 x 3"))
        model.go.set()
        runs.start(model)
        assert runs.end().made is None
    assert len(caplog.records) == 1


def test_a_bug_in_a_run_is_handed_on_and_not_swallowed(runs: Runs) -> None:
    model = FakeModel(error=KeyError("a bug"))
    model.go.set()
    runs.start(model)
    assert isinstance(runs.crashes.get(timeout=HANG_S), KeyError)


def test_a_preempted_run_leaves_between_two_stages_and_resumes_later(runs: Runs) -> None:
    model = FakeModel()
    model.go.set()

    def between(stage: int) -> None:
        if stage == 1:
            runs.runner.preempt(1, 0.0)

    model.between = between
    runs.start(model, Leg("me", 0, STAGES))
    aside = runs.end()
    assert (aside.made, aside.ended, aside.stage, aside.mid_stage) == (None, "preempted", 2, False)
    assert aside.given == [np.full(1, 1, np.uint8)]
    runs.start(model, Leg("me", 2, STAGES), aside.given)
    assert runs.end().made == Detections(boxes=[])
    assert [stage for stage, _ in model.stages] == [0, 1, 2, 3]
    assert runs.runner.statistics().aborted == 0


def test_a_stage_that_is_aborted_is_started_again(runs: Runs) -> None:
    model = FakeModel(draw_s=1000 * HANG_S)
    model.error = None
    runs.start(model, Leg("me", 1, STAGES))
    assert model.begun.wait(HANG_S)
    assert runs.runner.preempt(1, math.inf) is None
    model.error = Aborted()
    model.go.set()
    aside = runs.end()
    assert (aside.ended, aside.stage, aside.given, aside.mid_stage) == ("preempted", 1, FRAME, True)


def test_a_stage_that_is_waited_for_too_long_is_aborted_after_all(time: PassingTime) -> None:
    runs, model = Runs(True, time), FakeModel(draw_s=0.01)
    runs.start(model, Leg("me", 0, STAGES))
    assert model.begun.wait(HANG_S)
    time.advance(0.002)
    wait_s = runs.runner.preempt(1, 1e-6)
    assert wait_s == pytest.approx(STAGE_SLACK * 0.008 + ABORT_S)
    assert wait_s is not None
    (handle,) = model.handles
    runs.runner.hurry(1)                                   # too early
    assert not handle.aborted
    time.advance(wait_s)
    runs.runner.hurry(1)
    assert handle.aborted
    model.error = Aborted()
    model.go.set()
    assert runs.end().mid_stage
    runs.runner.close()


def test_a_run_that_is_not_preempted_is_not_hurried() -> None:
    runs, model = Runs(emulated=False), FakeModel()
    runs.start(model)
    assert model.begun.wait(HANG_S)
    runs.runner.hurry(1)
    assert runs.runner.preempt(2, math.inf) is None        # of another that has ended
    model.go.set()
    assert runs.end().made == Detections(boxes=[])
    runs.runner.close()


def test_the_handle_of_a_run_is_used_again_unless_it_was_aborted(runs: Runs) -> None:
    model = FakeModel()
    model.go.set()
    runs.start(model)
    runs.end()
    runs.start(model)
    ended = runs.next_call()
    runs.runner.abort(1)                                     # too late: it has ended, and nobody was told of it yet
    ended()
    runs.start(model)
    runs.end()
    first, second, third = model.handles
    assert second is first
    assert second.aborted
    assert not third.aborted


def test_a_run_that_is_preempted_too_late_is_done(runs: Runs) -> None:
    model = FakeModel()
    model.go.set()
    runs.start(model, Leg("me", 0, STAGES))
    ended = runs.next_call()
    runs.runner.preempt(1, math.inf)
    ended()
    (done,) = runs.told.pop()
    assert (done.ended, done.made) == ("done", Detections(boxes=[]))
