"""The ends of requests, and load shedding, which counts them. See `agents/scheduling/load_shedding.py`."""

from __future__ import annotations

from swarm.compiled.compiler import part
from swarm.planner.forecast.simulation import events as ev
from swarm.planner.forecast.simulation.guards import disarm
from swarm.planner.forecast.simulation.records import CHEAPER, DROP, MOST_STEPS, NONE, THIN, State, Team

WINDOW_S = 2.0                       # load_shedding.WINDOW_NS
MISS_SHARE = 0.2
MIN_MISSES = 3
CALM_S, MAX_CALM_S = 6.0, 96.0
PROBE_S = 2 * WINDOW_S


@part
def completed(team: Team, state: State, request: int, now: float) -> None:
    """A request has its result, in time or late."""
    late = now > state.requests[request].deadline_s
    _end(team, state, request, now)
    tell_closer(team, state, request, ev.CLOSER, now)
    observe(team, state, state.requests[request].stream, 1 if late else 0, now)


@part
def expired(team: Team, state: State, request: int, now: float) -> None:
    """A request ends without a result, since time was too short."""
    _end(team, state, request, -1.0)
    tell_closer(team, state, request, ev.NO_OUTCOME, now)
    observe(team, state, state.requests[request].stream, 1, now)


@part
def failed(team: Team, state: State, request: int, now: float) -> None:
    """A request ends without a result for another reason."""
    _end(team, state, request, -1.0)
    tell_closer(team, state, request, ev.NO_OUTCOME, now)
    observe(team, state, state.requests[request].stream, 0, now)


@part
def _end(team: Team, state: State, request: int, ended_s: float) -> None:
    state.requests[request].open = 0
    state.requests[request].ended_s = ended_s
    disarm(team, state, request)


@part
def tell_closer(team: Team, state: State, request: int, kind: int, now: float) -> None:
    """A request has ended: its number falls due on the streams that look at its outcome."""
    closer = team.streams[state.requests[request].stream].closer
    while closer != NONE:
        if state.streams[closer].active:
            ev.push(state, now, kind, closer, state.requests[request].number)
        closer = team.streams[closer].next_closer


@part
def is_shed(team: Team, state: State, stream: int, now: float) -> bool:
    """Whether the due frame of a stream is not run."""
    owner = team.streams[stream].owner
    if not state.agents[owner].steps:
        return False
    close_window(team, state, owner, now)
    frame = state.streams[stream].frames
    state.streams[stream].frames += 1
    every = 1
    for place in range(state.agents[owner].steps):
        step = team.ladders[state.shed[owner, place]]
        if step.kind != CHEAPER and step.level == team.streams[stream].level:
            if step.kind == DROP:
                return True
            every = step.every
    return frame % every != 0


@part
def observe(team: Team, state: State, stream: int, missed: int, now: float) -> None:
    """Count the end of a request that was not shed."""
    owner = team.streams[stream].owner
    if not team.streams[stream].can_hold:
        return
    state.ended[owner, team.streams[stream].level, 0] += 1
    state.ended[owner, team.streams[stream].level, 1] += missed
    close_window(team, state, owner, now)


@part
def close_window(team: Team, state: State, owner: int, now: float) -> None:
    """At the end of a window: take a step, undo one, or do nothing."""
    agent = state.agents[owner]
    if now - agent.window_s < WINDOW_S:
        return
    agent.window_s = now
    missing = -1
    for level in range(team.agents[owner].levels):
        ended, missed = state.ended[owner, level, 0], state.ended[owner, level, 1]
        if missed >= MIN_MISSES and missed > MISS_SHARE * ended:
            missing = level
    for level in range(team.agents[owner].levels):
        if missing >= 0 or state.ended[owner, level, 0] >= MIN_MISSES:
            state.ended[owner, level, 0] = state.ended[owner, level, 1] = 0
    if missing >= 0:
        _take_step(team, state, owner, missing, now)
        return
    if agent.undone_s > 0.0 and now - agent.undone_s > PROBE_S:
        agent.undone_s, agent.calm_s = 0.0, CALM_S
    if agent.steps and now - agent.changed_s >= agent.calm_s:
        agent.steps -= 1
        agent.changed_s = agent.undone_s = now


@part
def _take_step(team: Team, state: State, owner: int, missing: int, now: float) -> None:
    agent = state.agents[owner]
    for row in range(team.agents[owner].ladder, team.agents[owner].ladder_end):
        taken = False
        for place in range(agent.steps):
            taken = taken or state.shed[owner, place] == row
        if not taken and agent.steps < MOST_STEPS and (
                team.ladders[row].kind == CHEAPER or team.ladders[row].level <= missing):
            state.shed[owner, agent.steps] = row
            agent.steps += 1
            break
    if agent.undone_s > 0.0:
        agent.undone_s, agent.calm_s = 0.0, min(2.0 * agent.calm_s, MAX_CALM_S)
    agent.changed_s = now


def ladder(levels: int) -> list[tuple[int, int, int]]:
    """All steps of load shedding for so many priorities, in order."""
    lower = range(levels - 1)
    return [(CHEAPER, 0, 1), *((THIN, level, every) for every in (2, 4) for level in lower),
            *((DROP, level, 1) for level in lower), (THIN, levels - 1, 2), (THIN, levels - 1, 4)]
