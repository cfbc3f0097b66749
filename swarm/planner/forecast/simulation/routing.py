"""Where a request runs: as planned, unless an agent of the plan has refused lately; then where it is expected soonest.
See `swarm/core/policy/policies/planner.py`, `agents/peers/table.py` and `agents/scheduling/own_requests.py`.

Left out: a robot leaves a plan that fails, and is expected to fail again. A plan is judged by what comes if all follow
it. And a report that left before a request came does not contain that.
"""

from __future__ import annotations

from math import inf

from swarm.compiled.compiler import part
from swarm.planner.forecast.simulation.events import ARRIVES, BEAT, REFUSED, push
from swarm.planner.forecast.simulation.guards import arm
from swarm.planner.forecast.simulation.queue import BEAT_S, add, busy_s, is_idle, wait_s, wake
from swarm.planner.forecast.simulation.records import GONE, NONE, State, Team
from swarm.planner.forecast.simulation.requests import failed

BACKOFF_S = 0.3                      # offloads.BACKOFF_S
MOST_FOR_PEERS = 32                  # peer_requests.QUEUE_BOUND
BURST_S = 1.0                        # admission_budget.BURST_S


@part
def send_or_queue(team: Team, state: State, request: int, now: float) -> None:
    """A request begins: at home or on a peer."""
    this = state.requests[request]
    stream = team.streams[this.stream]
    first, last = stream.first, stream.last
    if state.agents[stream.owner].steps and stream.cheap != NONE:
        first, last = stream.cheap, stream.cheap + 1
    if first == NONE or _expected_s(team, state, request, first, last, now) == inf:
        soonest = stream.home if stream.stays and stream.home != NONE else _soonest(team, state, request, now)
        this.left = first != NONE and (last > first + 1 or team.legs[soonest].variant != team.legs[first].variant)
        first, last = soonest, soonest + 1
    if first == NONE:
        failed(team, state, request, now)
        return
    this.leg, this.last = first, last
    if team.legs[first].agent == stream.owner:
        add(team, state, 2 * request, first, 0, 0, this.deadline_s, now)
    else:
        send(team, state, request, now)


@part
def _expected_s(team: Team, state: State, request: int, first: int, last: int, now: float) -> float:
    """The expected latency of these legs; infinite: a peer has refused lately."""
    this = state.requests[request]
    owner = team.streams[this.stream].owner
    total_s = 0.0
    for number in range(first, last):
        leg = team.legs[number]
        if leg.agent == owner:
            total_s += wait_s(team, state, owner, team.streams[this.stream].priority, this.deadline_s, now) + leg.p50_s
        elif now < state.backoff_s[owner, leg.agent]:
            return inf
        else:
            told_s = max(0.0, state.agents[leg.agent].told_s - (now - state.agents[leg.agent].told_at_s))
            total_s += (leg.send_s + leg.delay_s + leg.back_s + told_s
                        + state.booked_s[owner, leg.agent] + leg.p50_s)
    return total_s


@part
def _soonest(team: Team, state: State, request: int, now: float) -> int:
    """The leg, whole, at home or on a peer, where the result is expected soonest. A tie stays at home."""
    stream = team.streams[state.requests[request].stream]
    best, best_s = stream.home, inf
    if best != NONE:
        best_s = _expected_s(team, state, request, best, best + 1, now)
    for leg in range(stream.others, stream.others_end):
        expected_s = _expected_s(team, state, request, leg, leg + 1, now)
        if expected_s < best_s:
            best, best_s = leg, expected_s
    return best


@part
def send(team: Team, state: State, request: int, now: float) -> None:
    """Send a request to the peer of its present leg, with a guard if there is time for a fallback."""
    this = state.requests[request]
    stream = team.streams[this.stream]
    this.awaited = this.sent = 1
    for leg in range(this.leg, this.last):
        peer = team.legs[leg].agent
        state.booked_s[stream.owner, peer] += team.legs[leg].p50_s / team.agents[peer].executors
        state.agents[peer].booked = 1
        wake(state, peer, now)
    transfer(team, state, request, this.leg, now)
    arm(team, state, request, now)
    if not this.promised and stream.home != NONE and state.runs[2 * request].state == GONE:
        ahead_s = wait_s(team, state, stream.owner, stream.priority, this.deadline_s, now)
        if now + ahead_s + team.legs[stream.home].p95_s < this.deadline_s:
            fall_back(team, state, request, 0, now)


@part
def transfer(team: Team, state: State, request: int, leg: int, now: float) -> None:
    """Carry the input of a leg to its agent."""
    way = team.legs[leg]
    begins_s = max(now, state.free_s[way.link])
    state.free_s[way.link] = begins_s + way.send_s
    push(state, begins_s + way.send_s + way.delay_s, ARRIVES, request, leg)


@part
def fall_back(team: Team, state: State, request: int, guard: int, now: float) -> None:
    """Queue the fastest run at home."""
    this = state.requests[request]
    home = team.streams[this.stream].home
    add(team, state, 2 * request, home, 0, guard, this.deadline_s, now)


@part
def arrives(team: Team, state: State, request: int, number: int, now: float) -> None:
    """A peer gets a request for a leg: its run waits, or it is refused at once."""
    this, leg = state.requests[request], team.legs[number]
    priority = team.streams[this.stream].priority
    after_s = 0.0
    for later in range(number + 1, this.last):
        after_s += team.legs[later].send_s + team.legs[later].delay_s + team.legs[later].p50_s
    deadline_s = this.deadline_s - after_s - team.legs[this.last - 1].back_s
    ahead_s = wait_s(team, state, leg.agent, priority, deadline_s, now)
    if state.agents[leg.agent].waiting >= MOST_FOR_PEERS or now + ahead_s + leg.p50_s > deadline_s or not _admitted(
            team, state, leg.agent, leg.p50_s, now):
        push(state, now + leg.back_s, REFUSED, request, 0)
    else:
        add(team, state, 2 * request + 1, number, 1, 0, deadline_s, now)


@part
def _admitted(team: Team, state: State, peer: int, run_s: float, now: float) -> bool:
    """Take this much run time from what the peer's own streams leave over."""
    agent = state.agents[peer]
    if team.agents[peer].reserved_s <= 0.0:
        return True
    rate = team.agents[peer].executors - team.agents[peer].reserved_s
    most_s = BURST_S * rate
    agent.spare_s = min(agent.spare_s + rate * (now - agent.spare_at_s), most_s)
    agent.spare_at_s = now
    if run_s > agent.spare_s and agent.spare_s < most_s:
        return False
    agent.spare_s -= run_s
    return True


@part
def refused(team: Team, state: State, request: int, now: float) -> None:
    """The owner learns that a peer has refused: the request returns home."""
    this = state.requests[request]
    owner = team.streams[this.stream].owner
    state.backoff_s[owner, team.legs[this.leg].agent] = now + BACKOFF_S
    if not this.open or not this.awaited:
        return
    this.awaited = 0
    if state.runs[2 * request].state == GONE:
        if now < this.deadline_s and team.streams[this.stream].home != NONE:
            fall_back(team, state, request, this.fired, now)
        else:
            failed(team, state, request, now)


@part
def beat(team: Team, state: State, agent: int, now: float) -> None:
    """An agent tells its load to its peers."""
    state.agents[agent].told_s = busy_s(team, state, agent, now)
    state.agents[agent].told_at_s = now
    if state.agents[agent].booked:
        state.agents[agent].booked = 0
        for peer in range(team.agents.shape[0]):
            state.booked_s[peer, agent] = 0.0
    if is_idle(team, state, agent):
        state.agents[agent].beating = 0
    else:
        push(state, now + BEAT_S, BEAT, agent, 0)
