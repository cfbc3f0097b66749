"""One robot under random schedules: rules that hold in all of them. A failure names its seed.

What is checked after each event is said in `Simulation`, `SimulatedExecutor` and `Watch`.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable

import pytest

from tests.agents.schedules.scenes import Scene, mixed, overloaded, promised
from tests.agents.schedules.simulation import Simulation

Kind = Callable[[random.Random], Scene]


def simulate(kind: Kind, seeds: Iterable[int]) -> Counter[str]:
    """Returns the counts of all of them together."""
    seen: Counter[str] = Counter()
    for seed in seeds:
        simulation = Simulation(kind(random.Random(seed)), seed)
        try:
            simulation.run()
        except Exception as error:
            raise AssertionError(f"{kind.__name__}, seed {seed}: {error!r}") from error
        counts = simulation.scheduler.statistics()
        seen.update(
            chains=simulation.chains, guards=counts.guards.fired, answered=counts.serving.answered,
            completed=counts.ended["completed"], late=counts.ended["late"], aborted=simulation.aborted_preempted,
            cut=counts.preempted_mid_stage, between=counts.preempted - counts.preempted_mid_stage,
            inversions=simulation.watch.inversions,
            aged=simulation.watch.aged, covered=simulation.promises.covered, fallbacks=simulation.promises.fallbacks,
            waited=simulation.promises.waited,
            preempted=sum(span.preempted for span in simulation.ended if span.ending != "failed"),
        )
    return seen


@pytest.mark.parametrize("block", range(3))
def test_mixed_schedules(block: int) -> None:
    seen = simulate(mixed, range(block * 60, block * 60 + 60))
    del seen["aged"], seen["waited"]         # they are too short for that
    assert min(seen.values()) > 5, f"where little happens little is shown: {seen}"


@pytest.mark.parametrize("block", range(3))
def test_overloaded_schedules(block: int) -> None:
    seen = simulate(overloaded, range(block * 10, block * 10 + 10))
    for key in ("chains", "guards", "covered", "fallbacks", "waited", "aborted", "late"):        # all is at home
        del seen[key]
    assert min(seen.values()) > 5, f"where little happens little is shown: {seen}"


def test_guards_keep_what_they_promise() -> None:
    """No run is longer than its p95, timers are late by up to LATE_NS, and up to all peers are silent."""
    seen = simulate(promised, range(75))
    assert seen["covered"] > 300                     # silent peers lose their work
    assert seen["fallbacks"] > 200
    assert seen["waited"] > 5, "more urgent work never met a fallback"


@pytest.mark.long
@pytest.mark.parametrize("block", range(100))
def test_guards_keep_what_they_promise_in_many_schedules(block: int) -> None:
    seen = simulate(promised, range(1000 + block * 100, 1100 + block * 100))
    assert seen["covered"] > 250


@pytest.mark.long
@pytest.mark.parametrize("block", range(100, 170))
def test_many_mixed_schedules(block: int) -> None:
    simulate(mixed, range(block * 100, block * 100 + 100))


@pytest.mark.long
@pytest.mark.parametrize("block", range(100, 160))
def test_many_overloaded_schedules(block: int) -> None:
    simulate(overloaded, range(block * 50, block * 50 + 50))
