"""The promises of an agent: when a fallback must start, and which runs wait for it. See `agents/scheduling/guards.py`.

Left out: the bound of more urgent streams is that of a fallback that waits for no other promise.
"""

from __future__ import annotations

from swarm.compiled.compiler import part
from swarm.planner.forecast.simulation.events import LAST_SAFE, push
from swarm.planner.forecast.simulation.queue import dropped, level
from swarm.planner.forecast.simulation.records import FULL, MOST_PROMISES, NONE, RUNNING, State, Team

TURN_S = 0.0026                      # margins.TURN_NS
START_S = 0.0053                     # margins.START_NS


@part
def runs_now(state: State, request: int) -> bool:
    """Whether the promised run at home is on an executor."""
    return state.runs[2 * request].state == RUNNING and state.runs[2 * request].guard == 1


@part
def last_safe_s(team: Team, state: State, request: int) -> float:
    """The last safe start of a promise."""
    this = state.requests[request]
    owner = team.streams[this.stream].owner
    first_s = 0.0
    for place in range(state.agents[owner].promises):
        other = state.promises[owner, place]
        promise = state.requests[other]
        if not runs_now(state, other) and (
                promise.deadline_s <= this.deadline_s or (promise.fired and not this.fired)):
            first_s += team.legs[team.streams[promise.stream].home].guard_s + TURN_S
    return this.deadline_s - first_s - team.streams[this.stream].above_s - START_S


@part
def _promised_s(team: Team, state: State, owner: int, now: float) -> float:
    """How long promised runs still keep executors, by p95."""
    total_s = 0.0
    for slot in range(team.agents[owner].executors):
        run = state.slots[owner, slot]
        if run != NONE and state.runs[run].guard:
            total_s += max(0.0, state.runs[run].started_s + state.runs[run].p95_s + TURN_S - now)
    return total_s


@part
def arm(team: Team, state: State, request: int, now: float) -> None:
    """Promise a request that is sent to a peer, if its fallback and those after it can then still be in time."""
    this = state.requests[request]
    owner = team.streams[this.stream].owner
    if team.streams[this.stream].home == NONE:
        return
    if state.agents[owner].promises >= MOST_PROMISES:
        state.counts[FULL] += 1
        return
    state.promises[owner, state.agents[owner].promises] = request
    state.agents[owner].promises += 1
    this.promised = 1
    ready_s = now + _promised_s(team, state, owner, now)
    for place in range(state.agents[owner].promises):
        other = state.promises[owner, place]
        promise = state.requests[other]
        late_s = last_safe_s(team, state, other) + (START_S if promise.fired else 0.0)
        if promise.deadline_s >= this.deadline_s and not runs_now(state, other) and ready_s >= late_s:
            disarm(team, state, request)
            return
    for place in range(state.agents[owner].promises):
        other = state.promises[owner, place]
        at_s = max(now, last_safe_s(team, state, other))
        if not state.requests[other].fired and at_s < state.requests[other].timer_s - 1e-9:
            state.requests[other].timer_s = at_s
            push(state, at_s, LAST_SAFE, other, 0)


@part
def disarm(team: Team, state: State, request: int) -> None:
    """The request has ended, or can no longer be kept in time."""
    if not state.requests[request].promised:
        return
    state.requests[request].promised = 0
    owner = team.streams[state.requests[request].stream].owner
    state.agents[owner].promises = dropped(state.promises, owner, state.agents[owner].promises, request)


@part
def holds_back(team: Team, state: State, run: int, now: float) -> bool:
    """Whether a promise needs the executor before this run would leave it."""
    work = state.runs[run]
    agent = team.legs[work.leg].agent
    if not state.agents[agent].promises:
        return False
    promised = not work.asker and state.requests[run >> 1].promised
    takes_s = work.p95_s + TURN_S if promised else min(team.legs[work.leg].longest_s, work.p95_s)
    raised = level(state, run, now)
    for place in range(state.agents[agent].promises):
        other = state.promises[agent, place]
        if other == run >> 1 or state.runs[2 * other].state == RUNNING:
            continue
        priority = team.streams[state.requests[other].stream].priority
        if work.guard or (not work.asker and work.priority > priority):
            continue                                 # time was reserved for it
        if state.requests[other].fired:
            return True
        if (promised or priority >= raised or (work.asker and raised == work.priority)) and (
                last_safe_s(team, state, other) < now + takes_s):
            return True
    return False
