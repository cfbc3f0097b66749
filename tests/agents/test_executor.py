"""The executor with real threads and a fake model: emulated time, aborts, failures."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator

import numpy as np
import pytest

from agents.catalogue import Given, Made
from agents.executor import Executor, Finished
from models.session import Aborted, RunFailed, RunHandle
from swarm.core.clock import MonotonicClock
from swarm.core.plan import Leg
from swarm.core.world import Detections
from tests.agents.fakes import request

FRAME = np.zeros((72, 96, 3), np.uint8)
WHOLE = Leg("me")
WAIT_S = 10.0


class FakeModel:
    """Runs until told to go on."""

    def __init__(self, draw_s: float = 0.0, error: Exception | None = None) -> None:
        self.draw_s = draw_s
        self.go, self.begun = threading.Event(), threading.Event()
        self.error = error

    def quantiles(self, leg: Leg) -> list[float]:
        return [self.draw_s * (1 if leg.whole else leg.last - leg.first)] * 21

    def run(self, given: Given, leg: Leg, handle: RunHandle) -> Made:
        self.begun.set()
        assert self.go.wait(WAIT_S)
        if self.error:
            raise self.error
        return Detections(boxes=[])


class Runs:
    def __init__(self, emulated: bool) -> None:
        self.ended: queue.Queue[Finished] = queue.Queue()
        self.crashes: queue.Queue[BaseException] = queue.Queue()
        self.executor = Executor(
            MonotonicClock(), threads=1, emulated=emulated, seed=1, finished=self.ended.put, crashed=self.crashes.put
        )

    def start(self, model: FakeModel, leg: Leg = WHOLE) -> None:
        self.executor.start(1, request(1), model, leg, FRAME)  # pyright: ignore[reportArgumentType]

    def end(self) -> Finished:
        return self.ended.get(timeout=WAIT_S)


@pytest.fixture(params=[True, False], ids=["emulated", "real"])
def runs(request: pytest.FixtureRequest) -> Iterator[Runs]:
    runs = Runs(request.param)
    yield runs
    runs.executor.close()


def test_an_outcome_comes_back_with_its_times(runs: Runs) -> None:
    model = FakeModel()
    model.go.set()
    runs.start(model)
    end = runs.end()
    assert end.made == Detections(boxes=[])
    assert end.started_ns <= end.finished_ns
    assert runs.executor.statistics().runs == 1


def test_an_emulated_run_lasts_as_long_as_its_draw() -> None:
    runs, model = Runs(emulated=True), FakeModel(draw_s=0.05)
    model.go.set()
    runs.start(model)
    end = runs.end()
    assert end.finished_ns - end.started_ns >= 50_000_000
    assert not end.overrun
    runs.executor.close()


def test_an_emulated_leg_lasts_as_long_as_its_stages() -> None:
    runs, model = Runs(emulated=True), FakeModel(draw_s=0.02)
    model.go.set()
    runs.start(model, Leg("me", 1, 4))
    end = runs.end()
    assert end.finished_ns - end.started_ns >= 60_000_000
    assert not end.overrun
    runs.executor.close()


def test_a_run_that_takes_longer_than_its_draw_is_an_overrun() -> None:
    runs, model = Runs(emulated=True), FakeModel(draw_s=0.0)
    model.go.set()
    runs.start(model)
    assert runs.end().overrun
    assert runs.executor.statistics().overruns == 1
    runs.executor.close()


def test_an_abort_frees_an_emulated_executor_at_once() -> None:
    runs, model = Runs(emulated=True), FakeModel(draw_s=WAIT_S * 10)
    model.go.set()
    runs.start(model)
    assert model.begun.wait(WAIT_S)
    runs.executor.abort(1)
    assert runs.end().made is None
    assert runs.executor.statistics().aborted == 1
    runs.executor.close()


@pytest.mark.parametrize(("error", "counted"), [(Aborted(), "aborted"), (ValueError("a frame of 3 x 3"), "failed"),
                                               (RunFailed("no memory"), "failed")])
def test_a_run_without_an_outcome_is_counted_by_its_cause(runs: Runs, error: Exception, counted: str) -> None:
    model = FakeModel(error=error)
    model.go.set()
    runs.start(model)
    assert runs.end().made is None
    assert getattr(runs.executor.statistics(), counted) == 1


def test_a_bug_in_a_run_is_handed_on_and_not_swallowed(runs: Runs) -> None:
    model = FakeModel(error=KeyError("a bug"))
    model.go.set()
    runs.start(model)
    assert isinstance(runs.crashes.get(timeout=WAIT_S), KeyError)
