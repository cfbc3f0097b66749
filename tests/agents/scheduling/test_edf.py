"""One executor, one priority: if any order brings a set of runs in time, the scheduler does.

Sets are drawn on a grid of whole stages, so that earliest deadline first with stages as the only preemption points is
optimal (Dertouzos, Control robotics, IFIP 1974). Off the grid a run may keep the executor from a more urgent one for a
stage: then all are in time that have that much room (Baruah, The limited-preemption uniprocessor scheduling of sporadic
task systems, ECRTS 2005).
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

from agents.scheduling import events as ev
from swarm.core.policy.plan import Profile
from swarm.core.units import ns
from tests.agents.builders import profile, request, robot, stream
from tests.agents.schedules.simulated import Agenda, SimulatedExecutor

UNIT_NS = ns(0.02)                   # one stage
MOST_UNITS = 8                       # of one run


class Due(NamedTuple):
    """One run; all in nanoseconds, on the clock of its set."""

    release_ns: int
    run_ns: int                      # whole units
    deadline_ns: int


# --- the reference ---

def fits(runs: list[Due], blocked_ns: int = 0) -> bool:
    """The processor demand criterion: what must run between a release and a deadline has room there, and so has one
    stage of something else that is in the way."""
    for begin, end in itertools.product({run.release_ns for run in runs}, {run.deadline_ns for run in runs}):
        within = [run.run_ns for run in runs if begin <= run.release_ns and run.deadline_ns <= end]
        if within and sum(within) + blocked_ns > end - begin:
            return False
    return True


def in_time(runs: list[Due], first: Callable[[Due], tuple[int, ...]], *, preempt: bool) -> bool:
    """Whether all are in time, unit by unit on the grid, in this order."""
    left = {i: run.run_ns for i, run in enumerate(runs)}
    now, running = 0, -1
    while left:
        ready = [i for i in left if runs[i].release_ns <= now]
        if ready and (preempt or running not in left):
            running = min(ready, key=lambda i: (*first(runs[i]), i))
        now += UNIT_NS
        if running in left:
            left[running] -= UNIT_NS
            if left[running] == 0:
                del left[running]
                if now > runs[running].deadline_ns:
                    return False
    return True


def by_deadline(run: Due) -> tuple[int, ...]:
    return (run.deadline_ns,)


def by_arrival(run: Due) -> tuple[int, ...]:
    return (run.release_ns,)


def sets(seed: int, *, grid: bool, blocked_ns: int = 0) -> Iterator[list[Due]]:
    """Feasible sets with little slack."""
    chance = random.Random(f"{seed} {grid}")
    while True:
        runs: list[Due] = []
        many = chance.randint(3, 12)
        horizon = many * chance.randint(2, 5)
        for _ in range(many):
            units = chance.randint(1, MOST_UNITS)
            release_ns = chance.randint(0, horizon) * UNIT_NS if grid else chance.randint(0, horizon * UNIT_NS)
            room_ns = chance.randint(0, many + units) * UNIT_NS + blocked_ns
            runs.append(Due(release_ns, units * UNIT_NS, release_ns + units * UNIT_NS + room_ns))
        if fits(runs, blocked_ns):
            yield runs


# --- the scheduler ---

def profiles() -> list[Profile]:
    """A model for each run time, with one stage per unit; each stage takes exactly its profiled time."""
    return [profile(f"units_{n}", 0.02 * n, stages=n, spread=1.0) for n in range(1, MOST_UNITS + 1)]


def endings_of(runs: list[Due]) -> list[str]:
    """How the scheduler ends them, each on a stream of its own."""
    agenda, ends = Agenda(), {}
    models = profiles()
    scheduler = robot(models)

    def handle(event: ev.Event) -> None:
        for command in scheduler.handle(event, agenda.now):
            match command:
                case ev.RunStage():
                    executor.start(command)
                case ev.Preempt(work=work, urgency=urgency):
                    executor.preempt(work, urgency)
                case ev.SetTimer(at_ns=at_ns, event=timer):
                    agenda.at(at_ns, handle, timer)
                case ev.Deliver(span=span):
                    ends[span.request.sequence] = span.ending

    executor = SimulatedExecutor(agenda, 1, {p.model: p for p in models}, handle)
    begin = agenda.now
    for i, run in sorted(enumerate(runs), key=lambda one: (one[1].release_ns, one[1].deadline_ns)):
        model = f"units_{run.run_ns // UNIT_NS}"
        agenda.at(begin + run.release_ns, handle, ev.RequestArrived(
            request=request(i), stream=stream(f"stream_{i}", model), captured_ns=begin + run.release_ns,
            deadline_ns=begin + run.deadline_ns,
        ))
    agenda.run()
    return [ends[i] for i in range(len(runs))]


# --- the two together ---

def check(seed: int, count: int) -> None:
    for runs in itertools.islice(sets(seed, grid=True), count):
        assert set(endings_of(runs)) == {"completed"}, f"seed {seed}: {runs}"
    for runs in itertools.islice(sets(seed, grid=False, blocked_ns=UNIT_NS), count):
        assert set(endings_of(runs)) == {"completed"}, f"seed {seed}, off the grid: {runs}"


@pytest.mark.parametrize("seed", range(4))
def test_every_set_that_can_be_in_time_is(seed: int) -> None:
    check(seed, 50)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 120))
def test_every_one_of_many_sets_that_can_be_in_time_is(seed: int) -> None:
    check(seed, 250)


def test_the_reference_agrees_with_the_simplest_simulation() -> None:
    """Sets that may be infeasible."""
    chance, found = random.Random(5), {True: 0, False: 0}
    for _ in range(500):
        runs = []
        for _ in range(chance.randint(2, 6)):
            release, units, room = chance.randint(0, 12), chance.randint(1, 5), chance.randint(0, 12)
            runs.append(Due(release * UNIT_NS, units * UNIT_NS, (release + units + room) * UNIT_NS))
        assert fits(runs) == in_time(runs, by_deadline, preempt=True)
        found[fits(runs)] += 1
    assert min(found.values()) > 100


@pytest.mark.parametrize(("first", "preempt"), [(by_arrival, False), (by_deadline, False), (by_arrival, True)])
def test_other_orders_fail_a_good_share_of_the_same_sets(
    first: Callable[[Due], tuple[int, ...]], preempt: bool
) -> None:
    same = [runs for seed in range(4) for runs in itertools.islice(sets(seed, grid=True), 50)]
    failed = sum(not in_time(runs, first, preempt=preempt) for runs in same)
    assert failed > len(same) / 4


def test_a_set_that_nothing_brings_in_time_is_not_brought_in_time() -> None:
    runs = [Due(0, 2 * UNIT_NS, 3 * UNIT_NS), Due(0, 2 * UNIT_NS, 3 * UNIT_NS)]
    assert not fits(runs)
    assert sorted(endings_of(runs)) == ["completed", "failed"]
