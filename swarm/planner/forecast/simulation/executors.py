"""Runs start, are preempted and end. See `scheduler.py`, `queue/preemption.py` and `queue/batching.py` of
`agents/scheduling`.

Left out: a batch does not overtake runs of other variants.
"""

from __future__ import annotations

from math import inf

from swarm.compiled.compiler import part
from swarm.planner.forecast.simulation.events import IS_OUT, REFUSED, STEP_ENDS, push, run_s, uniform
from swarm.planner.forecast.simulation.guards import holds_back
from swarm.planner.forecast.simulation.queue import goes_first, level, measure, outranks, remove, sort, take_out, wait
from swarm.planner.forecast.simulation.records import (
    GONE,
    IS_CUT,
    IS_DROPPED,
    LEAVES,
    MOST_BATCH,
    NONE,
    RUNNING,
    STAYS,
    WAITING,
    State,
    Team,
)
from swarm.planner.forecast.simulation.requests import expired

HANDOFF_S = 0.0003                   # margins.HANDOFF_NS
ABORT_S = 0.001                      # margins.ABORT_S
MOST_ABORTS = 3                      # preemption.MAX_STAGE_ABORTS
LONG_S = 0.02                        # cost.LONG_S


@part
def dispatch(team: Team, state: State, agent: int, seed: int, now: float) -> None:
    """Start waiting runs in order while an executor is free, then preempt for the first one; drop late ones."""
    again = True
    while again and state.agents[agent].waiting:
        again = False
        held = False
        for place in range(sort(state, agent, now)):
            run = state.order[place]
            work = state.runs[run]
            if work.state != WAITING:
                continue                             # it has joined a batch
            if now + work.p50_s > work.deadline_s and not work.guard:
                _drop(team, state, run, now)
            elif holds_back(team, state, run, now):
                held = True
            else:
                slot = _free_slot(team, state, agent)
                if slot == NONE:
                    _preempt_for(team, state, agent, run, now)
                    return
                promised = not work.asker and state.requests[run >> 1].promised
                _start(team, state, agent, slot, place, seed, now)
                if promised and held:
                    again = True                     # what it held back may start
                    break


@part
def _drop(team: Team, state: State, run: int, now: float) -> None:
    """A waiting run cannot be in time any more."""
    remove(team, state, run, now)
    work = state.runs[run]
    if work.asker:
        state.agents[team.legs[work.leg].agent].spare_s += work.p50_s
        push(state, now + team.legs[work.leg].back_s, REFUSED, run >> 1, 0)
    elif not state.requests[run >> 1].awaited:
        expired(team, state, run >> 1, now)


@part
def _free_slot(team: Team, state: State, agent: int) -> int:
    for slot in range(team.agents[agent].executors):
        if state.slots[agent, slot] == NONE:
            return slot
    return NONE


# --- starts ---


@part
def _start(team: Team, state: State, agent: int, slot: int, place: int, seed: int, now: float) -> None:
    """Start the run at this place of the order, in a batch if others can join it."""
    run = state.order[place]
    inputs = 1
    if team.batches_s[team.legs[state.runs[run].leg].variant, 1] > 0.0 and not state.runs[run].begun:
        inputs = _batch(team, state, agent, place, now)
    _run_on(team, state, run, slot, now)
    together_s = 1.0
    if inputs > 1:
        leg = team.legs[state.runs[run].leg]
        together_s = team.batches_s[leg.variant, inputs - 1] / leg.p50_s
        state.runs[run].p50_s *= together_s
        state.runs[run].p95_s *= together_s
        joined = state.runs[run].next
        while joined != NONE:
            _run_on(team, state, joined, slot, now)
            joined = state.runs[joined].next
    state.slots[agent, slot] = run
    begin_step(team, state, run, seed, now + 2 * HANDOFF_S, together_s)


@part
def _run_on(team: Team, state: State, run: int, slot: int, now: float) -> None:
    """A run is on an executor."""
    joined = state.runs[run].next
    take_out(team, state, run)
    work = state.runs[run]
    work.next, work.state, work.begun, work.slot, work.started_s = joined, RUNNING, 1, slot, now
    stream = state.streams[state.requests[run >> 1].stream]
    if work.asker:
        stream.waited_there_s = 0.0
    else:
        stream.waited_s = 0.0
        if state.requests[run >> 1].promised:
            work.guard = state.requests[run >> 1].fired = 1


@part
def begin_step(team: Team, state: State, run: int, seed: int, at_s: float, together: float) -> None:
    """The next step of a run begins. together: how much longer it takes in its batch than alone."""
    work, request = state.runs[run], state.requests[run >> 1]
    step = team.steps[team.legs[work.leg].step + work.step]
    u = uniform(seed, team.streams[request.stream].key, request.number, 16 + 2 * work.step + work.asker)
    work.started_s = at_s
    work.epoch += 1
    push(state, at_s + together * run_s(step.p50_s, step.p95_s, u), STEP_ENDS, run, work.epoch)


@part
def _batch(team: Team, state: State, agent: int, place: int, now: float) -> int:
    """Link the waiting runs that join this one in a batch. Returns the number of inputs."""
    first = state.order[place]
    leg = team.legs[state.runs[first].leg]
    latest_s = state.runs[first].deadline_s
    inputs, last = 1, first
    if not leg.whole:
        return 1
    for other in range(place + 1, state.agents[agent].waiting):
        run = state.order[other]
        work = state.runs[run]
        if inputs >= MOST_BATCH or work.state != WAITING:
            break
        together_s = team.batches_s[leg.variant, inputs]
        if together_s <= 0.0 or together_s >= (inputs + 1) * leg.p50_s:
            break
        end_s = now + together_s * leg.p95_s / leg.p50_s
        if end_s > latest_s:
            break
        if team.legs[work.leg].variant == leg.variant and not work.begun and end_s <= work.deadline_s:
            state.runs[last].next = run
            last = run
            inputs += 1
            latest_s = min(latest_s, work.deadline_s)
    return inputs


# --- preemption ---


@part
def _preempt_for(team: Team, state: State, agent: int, urgent: int, now: float) -> None:
    """Preempt the least urgent run that can be preempted, if no executor is about to become free."""
    best, most = NONE, -1.0
    for slot in range(team.agents[agent].executors):
        run = state.slots[agent, slot]
        if state.runs[run].leaving >= IS_CUT:
            return
        urgency = _urgency(team, state, run, urgent, now)
        if urgency >= 0.0 and (best == NONE or goes_first(state, best, run, now)):
            best, most = run, urgency
    if best == NONE:
        return
    work = state.runs[best]
    leg = team.legs[work.leg]
    spent_s = max(0.0, now - work.started_s)
    left_s = max(0.0, team.steps[leg.step + work.step].p50_s - spent_s)
    if most > 0.0 and (most == inf or ABORT_S + spent_s / most < left_s):
        cut(state, best, IS_CUT, now)
    elif not leg.whole:
        work.leaving = LEAVES


@part
def cut(state: State, run: int, how: int, now: float) -> None:
    """End a run within its step."""
    work = state.runs[run]
    work.leaving = how
    work.epoch += 1
    push(state, now + ABORT_S, IS_OUT, run, work.epoch)


@part
def _urgency(team: Team, state: State, running: int, urgent: int, now: float) -> float:
    """As `preempt_urgency`; negative: it is not preempted."""
    a, b = state.runs[running], state.runs[urgent]
    if a.next != NONE or not outranks(state, urgent, running, now):
        return -1.0
    after_step = -1.0 if team.legs[a.leg].whole else 0.0
    if a.guard:
        return after_step
    if b.guard:
        return inf
    above = level(state, urgent, now) - a.priority
    if above <= 0 or a.aborts >= MOST_ABORTS:
        return after_step
    longest_s = min(team.legs[a.leg].longest_s, a.p95_s)
    step_s = min(longest_s, max(0.0, a.started_s + a.p95_s - now))
    lost_s = min(now - a.started_s, longest_s)
    end_s = now + b.p50_s + max(0.0, a.started_s + a.p50_s - now) + lost_s
    if now + step_s + b.p95_s <= b.deadline_s and end_s > a.deadline_s:
        return after_step
    return 1.0 + above


# --- ends ---


@part
def leaves(team: Team, state: State, run: int) -> None:
    """A run, or a batch, leaves its executor."""
    work = state.runs[run]
    state.slots[team.legs[work.leg].agent, work.slot] = NONE
    work.state = GONE


@part
def waits_again(team: Team, state: State, run: int, aborts: int, now: float) -> None:
    """A preempted run waits for its next step."""
    leaves(team, state, run)
    work = state.runs[run]
    work.leaving, work.aborts, work.since_s = STAYS, aborts, now
    work.guard = 0 if work.asker or not state.requests[run >> 1].promised else state.requests[run >> 1].fired
    measure(team, state, run)
    wait(team, state, run)


@part
def unwanted(team: Team, state: State, run: int, now: float) -> None:
    """The result of a run is no longer wanted."""
    work = state.runs[run]
    if work.state == WAITING:
        remove(team, state, run, now)
        if work.asker:
            state.agents[team.legs[work.leg].agent].spare_s += work.p50_s
    elif (work.state == RUNNING and work.next == NONE and work.leaving != IS_DROPPED
          and state.slots[team.legs[work.leg].agent, work.slot] == run):     # else it is in the batch of another one
        cut(state, run, IS_DROPPED, now)
