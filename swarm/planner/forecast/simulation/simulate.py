"""The loop over events: simulations of a team, from no load to a horizon."""

from __future__ import annotations

from math import floor

import numpy as np
from numpy.typing import NDArray

from swarm.compiled.cache import mark_loops_complete
from swarm.compiled.compiler import entry, part, refer
from swarm.planner.forecast.simulation import events as ev
from swarm.planner.forecast.simulation.executors import begin_step, dispatch, leaves, unwanted, waits_again
from swarm.planner.forecast.simulation.guards import disarm, last_safe_s
from swarm.planner.forecast.simulation.queue import BEAT_S, remove
from swarm.planner.forecast.simulation.records import (
    EVENTS,
    GONE,
    IS_DROPPED,
    LEAVES,
    NONE,
    REQUESTS,
    RUNNING,
    WAITING,
    State,
    Team,
    example,
)
from swarm.planner.forecast.simulation.requests import CALM_S, completed, expired, is_shed, tell_closer
from swarm.planner.forecast.simulation.routing import arrives, beat, fall_back, refused, send, send_or_queue, transfer
from swarm.planner.forecast.simulation.tally import Tally, count, measure_latencies, new_tally

AGE_S = (0.002, 0.012)               # of a frame when its request arrives, at least and at most
GRACE_S = 0.5                        # queued_run.GRACE_NS
NEVER_S = 1e18


@part
def _reset(team: Team, state: State, active: NDArray[np.int64], seed: int) -> None:
    state.counts[:] = 0
    state.slots[:] = NONE
    state.ended[:] = 0
    state.backoff_s[:] = 0.0
    state.booked_s[:] = 0.0
    state.free_s[:] = 0.0
    for number in range(team.agents.shape[0]):
        agent = state.agents[number]
        agent.waiting = agent.promises = agent.steps = agent.booked = 0
        agent.spare_s = float(team.agents[number].executors)
        agent.spare_at_s = agent.told_s = agent.told_at_s = agent.window_s = agent.changed_s = agent.undone_s = 0.0
        agent.calm_s = CALM_S
        agent.beating, agent.beat_s = 0, BEAT_S * ev.uniform(seed, team.agents[number].key, 0, 1)
    for number in range(team.streams.shape[0]):
        state.streams[number].active = 0
    for n in range(active.shape[0]):
        number = active[n]
        stream = state.streams[number]
        stream.number = stream.frames = 0
        stream.waited_s = stream.waited_there_s = 0.0
        stream.active = 1
        if team.streams[number].source == NONE:
            ev.push(state, _arrives_s(team, number, 0, seed), ev.FRAME, number, 0)


@part
def _due_s(team: Team, stream: int, number: int, seed: int) -> float:
    """When a frame is taken. The streams of a robot share a camera, of the rate of the fastest one; those of a chain
    share its frames."""
    row = team.streams[team.streams[stream].root]
    pictures = floor(ev.uniform(seed, row.key, 0, 2) * max(1.0, row.period_s / row.camera_s))
    return row.camera_s * (pictures + ev.uniform(seed, team.agents[row.owner].key, 0, 4)) + row.period_s * number


@part
def _arrives_s(team: Team, stream: int, number: int, seed: int) -> float:
    low_s, high_s = AGE_S
    u = ev.uniform(seed, team.streams[stream].key, number, 3)
    return _due_s(team, stream, number, seed) + low_s + (high_s - low_s) * u


@part
def _frame(team: Team, state: State, kind: int, stream: int, number: int, seed: int, now: float) -> int:
    """A frame, or what was found in one, becomes a request. Returns its owner."""
    owner = team.streams[stream].owner
    if kind == ev.FRAME:
        ev.push(state, _arrives_s(team, stream, number + 1, seed), ev.FRAME, stream, number + 1)
    request = state.counts[REQUESTS]
    state.counts[REQUESTS] += 1
    this = state.requests[request]
    this.stream, this.number, this.captured_s = stream, number, _due_s(team, stream, number, seed)
    this.deadline_s = this.captured_s + team.streams[stream].deadline_s
    this.ended_s, this.open, this.leg, this.last, this.timer_s = -1.0, 1, NONE, NONE, NEVER_S
    this.awaited = this.sent = this.promised = this.fired = this.away = this.left = 0
    state.runs[2 * request].state = state.runs[2 * request + 1].state = GONE
    if kind == ev.NO_OUTCOME:
        this.open = 0
        tell_closer(team, state, request, ev.NO_OUTCOME, now)
        return owner
    _supersede(team, state, stream, now)
    if is_shed(team, state, stream, now):
        this.open = 0
        tell_closer(team, state, request, ev.NO_OUTCOME, now)
    elif now >= this.deadline_s:
        expired(team, state, request, now)
    else:
        ev.push(state, this.deadline_s, ev.DEADLINE, request, 0)
        send_or_queue(team, state, request, now)
    return owner


@part
def _supersede(team: Team, state: State, stream: int, now: float) -> None:
    """Newest wins: older requests of the stream that wait at home, and were never begun or sent, fail."""
    owner = team.streams[stream].owner
    place = 0
    while place < state.agents[owner].waiting:
        run = state.waiting[owner, place]
        older = state.requests[run >> 1]
        if older.stream == stream and not state.runs[run].asker and not older.sent and not state.runs[run].begun:
            remove(team, state, run, now)
            expired(team, state, run >> 1, now)
        else:
            place += 1


@part
def _step_ends(team: Team, state: State, run: int, seed: int, now: float) -> int:
    """A step of a run has ended. Returns its agent."""
    work = state.runs[run]
    leg = team.legs[work.leg]
    work.step += 1
    if work.step < leg.steps:
        if work.leaving == LEAVES:
            waits_again(team, state, run, 0, now)
            return leg.agent
        _go_on(team, state, run, seed, now)
        return NONE
    leaves(team, state, run)
    while run != NONE:
        following = state.runs[run].next
        state.runs[run].state = GONE
        if state.requests[run >> 1].open:
            _leg_ends(team, state, run, now)
        run = following
    return leg.agent


@part
def _go_on(team: Team, state: State, run: int, seed: int, now: float) -> None:
    work = state.runs[run]
    work.p50_s -= team.steps[team.legs[work.leg].step + work.step - 1].p50_s
    work.p95_s -= team.steps[team.legs[work.leg].step + work.step - 1].p95_s
    work.aborts = 0
    begin_step(team, state, run, seed, now, 1.0)


@part
def _leg_ends(team: Team, state: State, run: int, now: float) -> None:
    """The run of an open request has ended: it is answered, goes on, or is completed at home."""
    request = run >> 1
    this, work = state.requests[request], state.runs[run]
    if not work.asker:
        if work.leg == this.leg and this.leg + 1 < this.last and not this.sent:
            this.leg += 1
            send(team, state, request, now)
            return
        if this.awaited:
            unwanted(team, state, 2 * request + 1, now)
        completed(team, state, request, now)
    elif work.leg + 1 < this.last:
        this.leg = work.leg + 1
        transfer(team, state, request, this.leg, now)
    else:
        ev.push(state, now + team.legs[work.leg].back_s, ev.ANSWER, request, 0)


@part
def _of_request(team: Team, state: State, kind: int, request: int, other: int, now: float) -> int:
    """An event of an open request. Returns whose runs are to be dispatched."""
    this = state.requests[request]
    owner = team.streams[this.stream].owner
    home = 2 * request
    if kind == ev.ARRIVES:
        arrives(team, state, request, other, now)
        return team.legs[other].agent
    if kind == ev.ANSWER:
        state.streams[this.stream].waited_s = 0.0
        unwanted(team, state, home, now)
        this.away = 1
        completed(team, state, request, now)
    elif kind == ev.LAST_SAFE:
        _last_safe(team, state, request, now)
    elif kind == ev.DEADLINE:
        _deadline(team, state, request, now)
    else:
        unwanted(team, state, home, now)
        unwanted(team, state, home + 1, now)
        expired(team, state, request, now)
    return owner


@part
def _last_safe(team: Team, state: State, request: int, now: float) -> None:
    """A guard fires, unless its time has moved."""
    this = state.requests[request]
    if not this.promised or this.fired or now < this.timer_s - 1e-9:     # the last: it was moved
        return
    at_s = last_safe_s(team, state, request)
    if at_s > now + 1e-9:
        this.timer_s = at_s
        ev.push(state, at_s, ev.LAST_SAFE, request, 0)
        return
    this.fired = 1
    if state.runs[2 * request].state == WAITING:
        state.runs[2 * request].guard = 1
    elif state.runs[2 * request].state == GONE:
        fall_back(team, state, request, 1, now)


@part
def _deadline(team: Team, state: State, request: int, now: float) -> None:
    """The deadline has passed: what waits is dropped, what runs or may be answered will be late."""
    this = state.requests[request]
    disarm(team, state, request)
    if state.runs[2 * request].state == WAITING:
        remove(team, state, 2 * request, now)
    if this.awaited:
        ev.push(state, now + GRACE_S, ev.GIVEN_UP, request, 0)
    elif state.runs[2 * request].state == RUNNING:
        ev.push(state, now + GRACE_S + state.runs[2 * request].p95_s, ev.GIVEN_UP, request, 0)
    else:
        expired(team, state, request, now)


@part
def _simulate(team: Team, state: State, active: NDArray[np.int64], horizon_s: float, seed: int) -> int:
    """One simulation, until no request is open. Returns the number of requests."""
    _reset(team, state, active, seed)
    while state.counts[EVENTS]:
        now, kind, one, other = ev.pop(state)
        agent = NONE                                 # whose runs are to be dispatched
        if kind == ev.FRAME:
            if now < horizon_s:
                agent = _frame(team, state, kind, one, other, seed, now)
        elif kind == ev.CLOSER or kind == ev.NO_OUTCOME:
            agent = _frame(team, state, kind, one, other, seed, now)
        elif kind == ev.BEAT:
            if now < horizon_s:
                beat(team, state, one, now)
        elif kind == ev.STEP_ENDS:
            if state.runs[one].state == RUNNING and state.runs[one].epoch == other:
                agent = _step_ends(team, state, one, seed, now)
        elif kind == ev.IS_OUT:
            if state.runs[one].state == RUNNING and state.runs[one].epoch == other:
                agent = team.legs[state.runs[one].leg].agent
                if state.runs[one].leaving == IS_DROPPED:
                    leaves(team, state, one)
                else:
                    waits_again(team, state, one, state.runs[one].aborts + 1, now)
        elif kind == ev.REFUSED:
            refused(team, state, one, now)
            agent = team.streams[state.requests[one].stream].owner
        elif state.requests[one].open:
            agent = _of_request(team, state, kind, one, other, now)
        if agent != NONE:
            dispatch(team, state, agent, seed, now)
    return state.counts[REQUESTS]


@entry(*example(), np.zeros(1, np.int64), 1.0, 1, 1.0, new_tally(1, 1, 1))
def simulate(
    fixed: Team, changing: State, active: NDArray[np.int64], horizon_s: float, first: int, since_s: float, into: Tally
) -> None:
    """Simulate once for each set of phases of `into`, from the set `first` on. Frames fall due until `horizon_s`.

    active: the streams that have frames. Each begins at a drawn phase. Frames from `since_s` on count.
    """
    team, state, tally = refer(fixed), refer(changing), refer(into)
    for phase in range(tally.counts.shape[0]):
        requests = _simulate(team, state, active, horizon_s, first + phase)
        count(state, tally, phase, requests, since_s)
    measure_latencies(tally)


mark_loops_complete(__name__)
