"""Batches: each input has its own end, and a bad input does not affect the others."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence

import numpy as np
import pytest

from agents.ports import Given, RunEnd
from agents.runtime.emulation import VariantTimes
from models.session import Aborted, RunFailed, RunHandle
from swarm.core.policy.draw import from_quantiles, uniform
from swarm.core.policy.plan import Leg
from swarm.core.protocol.world import Mask, Outcome
from swarm.core.units import ns
from tests.agents.builders import request
from tests.agents.runtime.passing import PassingTime
from tests.agents.runtime.threads import SEED, Threads
from tests.patience import HANG_S


class FakeModel:
    """Returns the first byte of each frame, or None if it is 255; waits for `go`."""

    def __init__(self, draws_s: Sequence[Sequence[float]] = ([0.0] * 21,) * 4) -> None:
        self.times = VariantTimes([0.0] * 21, [], list(map(list, draws_s)))
        self.go, self.begun = threading.Event(), threading.Event()
        self.error: Exception | None = None
        self.sizes: list[int] = []

    def run_batch(self, givens: Sequence[Given], handle: RunHandle) -> list[Outcome | None]:
        self.sizes.append(len(givens))
        self.begun.set()
        assert self.go.wait(HANG_S)
        if handle.aborted:
            raise Aborted
        if self.error is not None:
            raise self.error
        first = [int(given[0].flat[0]) for given in givens]
        return [None if value == 255 else Mask(height=1, width=1, cells=bytes([value])) for value in first]


class Runs(Threads):
    """Batches of the runs 1, 2, ..."""

    def start(self, model: FakeModel, *values: int) -> None:
        self.begin(model, Leg("me"), [
            (k, request(k), np.full((2, 2, 3), value, np.uint8)) for k, value in enumerate(values, 1)])

    def end(self) -> list[RunEnd]:
        return self.ends()


@pytest.fixture
def model() -> FakeModel:
    return FakeModel()


def test_each_has_its_own_outcome_and_the_times_of_the_one_run(runs: Runs, model: FakeModel) -> None:
    model.go.set()
    runs.start(model, 1, 2, 3)
    ended = runs.end()
    assert [(run.work, run.request, run.ended) for run in ended] == [(k, request(k), "done") for k in (1, 2, 3)]
    assert [run.made.cells for run in ended if isinstance(run.made, Mask)] == [b"\1", b"\2", b"\3"]
    assert len({(run.started_ns, run.finished_ns, run.overrun) for run in ended}) == 1
    assert model.sizes == [3]
    statistics = runs.runner.statistics()
    assert (statistics.runs, statistics.failed) == (1, 0)


def test_a_batch_counts_as_busy_once_and_while_it_runs(monkeypatch: pytest.MonkeyPatch, model: FakeModel) -> None:
    time = PassingTime(monkeypatch)
    runs = Runs(False, time)
    assert runs.runner.statistics().busy_s == 0.0
    runs.start(model, 1, 2, 3)
    assert model.begun.wait(HANG_S)
    time.advance(0.03)
    assert runs.runner.statistics().busy_s == pytest.approx(0.03)
    model.go.set()
    call = runs.next_call()
    time.advance(1.0)                                        # it has ended, and is collected late
    assert runs.runner.statistics().busy_s == pytest.approx(0.03)
    call()
    assert runs.runner.statistics().busy_s == pytest.approx(0.03)
    runs.runner.close()


def test_a_frame_that_does_not_fit_fails_by_itself(runs: Runs, model: FakeModel) -> None:
    model.go.set()
    runs.start(model, 1, 255, 3)
    assert [(run.ended, run.made is None) for run in runs.end()] == [("done", False), ("failed", True), ("done", False)]
    assert runs.runner.statistics().failed == 1


def test_a_run_that_fails_fails_for_all(runs: Runs, model: FakeModel) -> None:
    model.error = RunFailed("no memory")
    model.go.set()
    runs.start(model, 1, 2)
    assert [(run.ended, run.made) for run in runs.end()] == [("failed", None)] * 2


def test_it_goes_on_while_one_of_them_is_wanted(runs: Runs, model: FakeModel) -> None:
    runs.start(model, 1, 2)
    assert model.begun.wait(HANG_S)
    runs.runner.abort(1)
    model.go.set()
    assert [run.ended for run in runs.end()] == ["done", "done"]
    assert runs.runner.statistics().aborted == 0


def test_it_ends_when_none_of_them_is(runs: Runs, model: FakeModel) -> None:
    runs.start(model, 1, 2)
    assert model.begun.wait(HANG_S)
    runs.runner.abort(2)
    runs.runner.abort(1)
    model.go.set()
    assert [(run.ended, run.made) for run in runs.end()] == [("aborted", None)] * 2
    assert runs.runner.statistics().aborted == 1


@pytest.mark.parametrize("told", [1, 2])
def test_all_runs_of_a_batch_are_preempted_with_their_inputs(runs: Runs, model: FakeModel, told: int) -> None:
    runs.start(model, 1, 2)
    assert model.begun.wait(HANG_S)
    assert runs.runner.preempt(told, math.inf) is None
    model.go.set()
    ended = runs.end()
    assert [(run.ended, run.stage, run.mid_stage) for run in ended] == [("preempted", 0, True)] * 2
    assert [int(run.given[0].flat[0]) for run in ended] == [1, 2]
    model.go.set()
    runs.start(model, 1, 2)
    assert [run.ended for run in runs.end()] == ["done"] * 2         # with another handle


def test_an_emulated_run_takes_the_draw_of_its_size_and_first_request(monkeypatch: pytest.MonkeyPatch) -> None:
    draws_s = [[k * 0.01 + q * 0.001 for q in range(21)] for k in (1, 2, 3)]
    runs, model = Runs(True, PassingTime(monkeypatch)), FakeModel(draws_s)
    model.go.set()
    runs.start(model, 1, 2, 3)
    run = runs.end()[0]
    drawn_ns = ns(from_quantiles(draws_s[2], uniform(SEED, "run", "me", 1, "detect", 1, "whole")))
    assert run.finished_ns - run.started_ns == drawn_ns
    assert not run.overrun
    runs.runner.close()
