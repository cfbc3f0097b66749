"""The runs of an agent that wait or run, and their order. See `agents/scheduling/queue/run_queue.py`."""

from __future__ import annotations

from math import floor

import numpy as np
from numpy.typing import NDArray

from swarm.compiled.compiler import part
from swarm.planner.forecast.simulation.events import BEAT, push
from swarm.planner.forecast.simulation.records import (
    FULL,
    GONE,
    KEYS,
    MOST_WAITING,
    NONE,
    RUNNING,
    STAYS,
    WAITING,
    State,
    Team,
)

BEAT_S = 0.25                        # view.HEARTBEAT_S
AGING_S = 2.0                        # a stream that has waited so long without a run rises by one level


@part
def add(team: Team, state: State, run: int, leg: int, asker: int, guard: int, deadline_s: float, now: float) -> None:
    """A run waits from now on. asker: whether it is for a peer."""
    request = run >> 1
    stream = state.requests[request].stream
    work = state.runs[run]
    work.leg, work.asker, work.guard, work.deadline_s = leg, asker, guard, deadline_s
    work.priority = team.streams[stream].priority
    waited_s = state.streams[stream].waited_there_s if asker else state.streams[stream].waited_s
    work.since_s = now - waited_s
    work.step = work.begun = work.aborts = 0
    work.leaving, work.next = STAYS, NONE
    state.counts[KEYS] += 1
    work.key = state.counts[KEYS]
    measure(team, state, run)
    wait(team, state, run)
    wake(state, team.legs[leg].agent, now)


@part
def wait(team: Team, state: State, run: int) -> None:
    """Put a run among those that wait."""
    now = state.agents[team.legs[state.runs[run].leg].agent]
    if now.waiting >= MOST_WAITING:
        state.counts[FULL] += 1
        state.runs[run].state = GONE
        return
    state.runs[run].state = WAITING
    state.waiting[team.legs[state.runs[run].leg].agent, now.waiting] = run
    now.waiting += 1


@part
def wake(state: State, agent: int, now: float) -> None:
    """An agent has work, so it reports it. An idle one does not: its last report was of no work."""
    this = state.agents[agent]
    if not this.beating:
        this.beating = 1
        push(state, this.beat_s + BEAT_S * max(floor((now - this.beat_s) / BEAT_S) + 1, 0), BEAT, agent, 0)


@part
def dropped(table: NDArray[np.int64], row: int, count: int, number: int) -> int:
    """Take a number out of the first `count` places of a row; the others keep their order. Returns their count."""
    found = 0
    for place in range(count):
        if table[row, place] == number:
            found = 1
        elif found:
            table[row, place - 1] = table[row, place]
    return count - found


@part
def take_out(team: Team, state: State, run: int) -> None:
    """Take a run out of those that wait."""
    agent = team.legs[state.runs[run].leg].agent
    state.agents[agent].waiting = dropped(state.waiting, agent, state.agents[agent].waiting, run)
    state.runs[run].state = GONE


@part
def remove(team: Team, state: State, run: int, now: float) -> None:
    """A waiting run is dropped: its stream keeps the age that it has reached."""
    take_out(team, state, run)
    work = state.runs[run]
    stream = state.streams[state.requests[run >> 1].stream]
    waited_s = now - work.since_s
    if work.asker:
        stream.waited_there_s = max(stream.waited_there_s, waited_s)
    else:
        stream.waited_s = max(stream.waited_s, waited_s)


@part
def measure(team: Team, state: State, run: int) -> None:
    """Set the run time of what is left of a run."""
    work = state.runs[run]
    leg = team.legs[work.leg]
    if leg.whole:
        work.p50_s, work.p95_s = leg.p50_s, leg.p95_s
        return
    work.p50_s = work.p95_s = 0.0
    for step in range(leg.step + work.step, leg.step + leg.steps):
        work.p50_s += team.steps[step].p50_s
        work.p95_s += team.steps[step].p95_s


@part
def level(state: State, run: int, now: float) -> int:
    """Its priority, raised by age."""
    work = state.runs[run]
    if work.guard or work.state == RUNNING or now <= work.since_s:
        return work.priority
    return work.priority + int((now - work.since_s) / AGING_S)


@part
def goes_first(state: State, one: int, other: int, now: float) -> bool:
    """Whether a run has the better rank."""
    a, b = state.runs[one], state.runs[other]
    level_a, level_b = level(state, one, now), level(state, other, now)
    if level_a != level_b:
        return level_a > level_b
    if a.guard != b.guard:
        return a.guard > b.guard
    if a.deadline_s != b.deadline_s:
        return a.deadline_s < b.deadline_s
    return a.key < b.key


@part
def outranks(state: State, one: int, other: int, now: float) -> bool:
    """Whether a run goes before another one; of promised runs, only more urgent ones of this robot."""
    a, b = state.runs[one], state.runs[other]
    if b.guard and not a.guard:
        return not a.asker and a.priority > b.priority
    if a.guard and not b.guard:
        return b.asker or b.priority <= a.priority
    return goes_first(state, one, other, now)


@part
def sort(state: State, agent: int, now: float) -> int:
    """Sort the waiting runs by rank, and copy them to `state.order`. Returns how many there are.

    Where they wait they stay sorted, so that there is little to do the next time.
    """
    count = state.agents[agent].waiting
    for place in range(count):
        run = state.waiting[agent, place]
        before = place
        while before > 0 and goes_first(state, run, state.order[before - 1], now):
            state.order[before] = state.order[before - 1]
            before -= 1
        state.order[before] = run
    for place in range(count):
        state.waiting[agent, place] = state.order[place]
    return count


@part
def is_idle(team: Team, state: State, agent: int) -> bool:
    """Whether no run waits or is on an executor."""
    for slot in range(team.agents[agent].executors):
        if state.slots[agent, slot] != NONE:
            return False
    return state.agents[agent].waiting == 0


@part
def busy_s(team: Team, state: State, agent: int, now: float) -> float:
    """All work in hand, per executor."""
    total_s = 0.0
    for slot in range(team.agents[agent].executors):
        run = state.slots[agent, slot]
        if run != NONE:
            total_s += max(0.0, state.runs[run].started_s + state.runs[run].p50_s - now)
    for place in range(state.agents[agent].waiting):
        total_s += state.runs[state.waiting[agent, place]].p50_s
    return total_s / team.agents[agent].executors


@part
def wait_s(team: Team, state: State, agent: int, priority: int, deadline_s: float, now: float) -> float:
    """The wait to be expected by a run with this priority and deadline."""
    total_s = 0.0
    for slot in range(team.agents[agent].executors):
        run = state.slots[agent, slot]
        if run != NONE:
            work = state.runs[run]
            rest_s = max(0.0, work.started_s + work.p50_s - now)
            if not work.guard and work.priority < priority:
                rest_s = min(rest_s, team.legs[work.leg].longest_s)
            total_s += rest_s
    for place in range(state.agents[agent].waiting):
        run = state.waiting[agent, place]
        above = level(state, run, now) - priority
        if above > 0 or (above == 0 and (state.runs[run].guard or state.runs[run].deadline_s <= deadline_s)):
            total_s += state.runs[run].p50_s
    return total_s / team.agents[agent].executors
