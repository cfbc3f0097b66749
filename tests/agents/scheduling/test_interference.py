"""How often more urgent streams can come between: by the formula's cases, and against schedules."""

from __future__ import annotations

import random

import msgspec
import pytest

from agents.scheduling.queue.interference import Interference
from agents.scheduling.queue.margins import REDO_NS, TURN_NS
from swarm.core.policy.plan import StreamSpec
from swarm.core.units import NEVER_NS, ns
from tests.agents.builders import stream

RUN_NS = ns(0.02)
ONE_NS = RUN_NS + TURN_NS


def beside(*streams: StreamSpec, run_ns: int = RUN_NS) -> Interference:
    interference = Interference()
    for spec in streams:
        interference.add_stream(spec, run_ns)
    return interference


def at(rate_hz: float, deadline_s: float, priority: int, name: str = "s") -> StreamSpec:
    return msgspec.structs.replace(stream(name, deadline_s=deadline_s, priority=priority), rate_hz=rate_hz)


@pytest.mark.parametrize(("spec", "window_s", "runs"), [
    (at(5, 0.1, 0), 0.05, 0),                                # not more urgent
    (at(5, 0.03, 1), 0.05, 1),                               # 50 ms, 10 of jitter, and 20 early, in 200
    (at(5, 0.1, 1), 0.07, 1),
    (at(5, 0.1, 1), 0.11, 2),                                # the last one came home late, and the next one came
    (at(5, 1.0, 1), 0.01, 6),                                # five are open at once
    (at(20, 0.03, 1), 0.1, 5),                               # the window grows by what comes
], ids=str)
def test_the_runs_in_a_window(spec: StreamSpec, window_s: float, runs: int) -> None:
    assert beside(spec).longest_ns(0, ns(window_s)) == runs * ONE_NS


def test_an_overload_has_no_bound() -> None:
    assert beside(at(60, 0.1, 1)).longest_ns(0, ns(0.01)) == NEVER_NS
    assert beside(at(60, 0.1, 1)).longest_ns(1, ns(0.01)) == 0


def test_runs_that_are_part_of_the_window_do_not_count_again() -> None:
    assert beside(at(5, 0.1, 1)).longest_ns(0, ns(0.11), {"s": 1}) == ONE_NS
    assert beside(at(5, 0.1, 1)).longest_ns(0, ns(0.11), {"s": 7}) == 0


@pytest.mark.parametrize(("stage_s", "redone"), [(0.02, False), (0.05, True)])
def test_a_stage_is_redone_only_for_what_cannot_wait_for_it(stage_s: float, redone: bool) -> None:
    """80 ms, less 20 for an early frame and 20 to run."""
    expected_ns = ONE_NS + redone * (ns(stage_s) + REDO_NS)
    assert beside(at(5, 0.08, 1)).longest_ns(0, ns(0.01), redo_ns=ns(stage_s)) == expected_ns


def test_a_stream_with_longer_runs_than_it_was_added_with_counts_with_these() -> None:
    interference = beside(at(5, 0.1, 1))
    interference.changed = False
    interference.observe_run("s", RUN_NS // 2)
    assert not interference.changed
    interference.observe_run("s", 2 * RUN_NS)
    assert interference.changed
    assert interference.longest_ns(0, ns(0.01)) == 2 * RUN_NS + TURN_NS


def test_no_schedule_has_more_runs_in_a_window_than_the_bound() -> None:
    """Requests that come home at any time before their deadlines, from frames that are early by up to a tenth."""
    tight = 0
    for seed in range(300):
        chance = random.Random(seed)
        spec = at(chance.uniform(1, 20), chance.uniform(0.03, 0.5), 1)
        window_s = chance.uniform(0.001, 1.0)
        home_s = []
        for k in range(40):
            frame_s = (k + chance.choice([0.0, 0.0, chance.uniform(-0.1, 0.0), -0.1])) / spec.rate_hz
            home_s.append(frame_s + chance.choice([0.0, spec.deadline_s - 0.02, chance.random() * 0.01]))
        most = max(sum(begins_s <= one_s < begins_s + window_s for one_s in home_s) for begins_s in home_s)
        bound = beside(spec)._streams["s"].most(ns(window_s))
        assert most <= bound, f"seed {seed}"
        tight += most == bound
    assert tight > 20
