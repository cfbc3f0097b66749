"""Runs that hold their executor: let go when a fault ends, or replaced with their executor."""

from __future__ import annotations

from agents.ports import RUN_FAILED
from agents.runtime.thread_runner import MOST_STUCK
from swarm.core.protocol.world import Detections
from tests.agents.runtime.test_thread_runner import FakeModel, Runs
from tests.patience import HANG_S


def test_a_fault_that_ends_lets_a_run_go_that_it_held() -> None:
    runs, model = Runs(emulated=True), FakeModel(draw_s=1e-6)
    runs.runner.slow_down(1e6 * HANG_S)
    model.go.set()
    runs.start(model)
    assert model.begun.wait(HANG_S)
    runs.runner.slow_down(1e5 * HANG_S)                      # another one still holds it
    assert runs.calls.empty()
    runs.runner.slow_down(1.0)
    assert runs.end().ended == "done"
    runs.runner.close()


def test_an_executor_whose_run_cannot_be_ended_is_replaced_and_what_it_makes_later_is_dropped() -> None:
    runs, hung, well = Runs(emulated=False), FakeModel(), FakeModel()
    runs.start(hung)
    assert hung.begun.wait(HANG_S)
    runs.runner.give_up(1)                                   # nobody has aborted it: it may run
    assert runs.runner.statistics().stuck == 0
    runs.runner.abort(1)
    runs.runner.give_up(1)
    runs.runner.give_up(1)                                   # once is enough
    runs.runner.slow_down(1.0)                               # its end is on its way
    assert (runs.end().ended, runs.runner.statistics().stuck) == ("aborted", 1)
    well.go.set()
    runs.start(well)
    assert runs.end().made == Detections(boxes=[])
    hung.go.set()                                            # at last
    runs.runner._threads[0].join(HANG_S)
    assert not runs.runner._threads[0].is_alive()
    assert runs.calls.empty()
    runs.runner.close()


def test_a_run_that_ended_just_in_time_is_not_given_up(runs: Runs) -> None:
    model = FakeModel()
    model.go.set()
    runs.start(model)
    ended = runs.next_call()
    runs.runner.abort(1)
    runs.runner.give_up(1)
    ended()
    assert runs.told.pop()[0].ended == "done"
    assert runs.runner.statistics().stuck == 0


def test_a_model_whose_runs_do_not_end_leaves_a_few_threads_behind_and_is_not_run_any_more() -> None:
    runs, hung = Runs(emulated=False), FakeModel()
    for _ in range(MOST_STUCK):
        hung.begun.clear()
        runs.start(hung)
        assert hung.begun.wait(HANG_S)
        runs.runner.abort(1)
        runs.runner.give_up(1)
        assert runs.end().ended == "aborted"
    threads = len(runs.runner._threads)
    runs.start(hung)
    end = runs.end()
    assert (end.ended, end.reason, len(runs.runner._threads)) == ("failed", RUN_FAILED, threads)
    hung.go.set()
    runs.runner.close()
