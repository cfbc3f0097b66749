"""Forecasts the queue of one agent: waiting, and the share of results on time.

More urgent work can preempt a run after a step: the longest stage of a run that goes stage by stage, or else the whole
run. Without steps the mean wait is Cobham's (Priority assignment in waiting line problems, Operations Research 2(1),
1954): W_k = W_0 / ((1 - s_above)(1 - s_above - s_same)), with the utilisations s and W_0 = sum(rate E[S^2]) / 2.
Approximations, compared with a simulation in tests/planner:

- Streams are periodic with independent phases. A stream never waits for its own previous frame, so its own load is left
  out of the sums (exact for one stream, a D/G/1-like correction for few, M/G/1 again for many).
- The tail of the wait is the larger of two: the run in progress (length-biased, its residual uniform, so
  P(residual > s) = rate E[(S - s)+] per stream), with the slack shortened by the work of higher priority that arrives
  meanwhile; and an exponential with Cobham's mean (Kingman's heavy-traffic limit) over the work that goes first.
- A less urgent run that goes in steps blocks others only until its next step: its residual is that of a step. Such a
  run itself takes longer by the work of higher priority that arrives before its end.
- With c executors a request waits only if all are busy: sums are per executor, times utilisation^(c - 1).
- Beyond saturation work of higher priority is carried first; the rest is lost.
- Each leg of a chain has the slack that remains when the other legs run without waiting.
- The streams of a robot share its camera, so that their frames come together: of two that run at home, one always waits
  for the other.
- A request on a peer is guarded at home: until the answer comes no less urgent run of the robot, and none of a peer,
  begins there if it would not end before the last safe start of the fallback; from then on the fallback runs.
- Peers have what the own streams of an agent leave of its executors; it refuses the rest, which takes time of others.
- Part of what a peer refuses or loses is in time at home, where home alone could carry the stream.
- Load shedding is left out.
"""

from __future__ import annotations

from math import ceil, exp, log

from swarm.compiled.compiler import part
from swarm.planner.solvers.search.records import WORKED, Records, Tables, Work

MIN_IDLE = 0.02                  # least idle share in a denominator: costs stay finite and still grow with load
LATENCY_PRICE = 0.01             # of a p95 latency of one deadline, in misses per result
LOAD_PRICE = 0.3                 # of utilisation squared: prefers the better balanced of nearly equal placements
MOST_LATE = 4.0                  # deadlines: later is as bad
AGE_S = 0.012                    # simulate.AGE_S: of a frame when its request arrives, at most

LOAD, CARRIED, ABOVE, BELOW, RESIDUAL, ALL = range(6)
"""Rows of `Work.classes`: load; the share of it that is carried; load of higher levels; the steps of lower levels that
may be in progress; the runs of this level and higher ones."""


@part
def cost_of(t: Tables, w: Work, agent: int) -> float:
    """An agent's part of the objective: weighted misses, then waiting, then balance."""
    if not w.count[agent]:
        return 0.0
    load = forecast(t, w, agent) / t.agents[agent].executors
    cost = LOAD_PRICE * load * load + t.agents[agent].stray * max(_asked(t, w, agent) - t.agents[agent].spare, 0.0)
    for place in range(w.count[agent]):
        source, result = t.sources[w.members[agent, place]], w.forecast[place]
        if source.weight > 0.0:
            late = min(result.tail_s / source.deadline_s, MOST_LATE)
            cost += source.weight * (1.0 - result.on_time) + source.rate_hz * LATENCY_PRICE * late
    return cost


@part
def forecast(t: Tables, w: Work, agent: int) -> float:
    """Forecast all sources of an agent, into `w.forecast`. Returns its load, in executors."""
    count, executors = w.count[agent], t.agents[agent].executors
    w.counts[WORKED] += count + 2
    total_load, total = _add_up(t, w, agent)
    asked = _asked(t, w, agent)
    admitted = min(1.0, t.agents[agent].spare / asked) if asked > 0.0 else 1.0
    all_busy = min(1.0, total / executors) ** (executors - 1) / executors
    for place in range(count):
        source, result = t.sources[w.members[agent, place]], w.forecast[place]
        level = source.level
        carried, higher = w.classes[CARRIED, level], w.classes[ABOVE, level]
        busy = min(1.0, max(total - source.load * carried, 0.0) / executors)
        dilation = max(MIN_IDLE, 1.0 - higher / executors)
        upto = max(higher + w.classes[LOAD, level] - source.load, 0.0)
        stretch = all_busy / (dilation * max(MIN_IDLE, 1.0 - upto / executors))
        queue_s = max(w.classes[RESIDUAL, level] - source.half_square * carried, 0.0) * stretch
        slowdown = 1.0 / dilation if source.step_s < source.p50_s else 1.0       # by preemption
        mean_s = source.load / source.rate_hz
        result.wait_s = queue_s + w.classes[BELOW, level] * stretch + mean_s * (slowdown - 1.0)
        rival = min(1.0, upto / executors)
        miss = 0.9 * _late(t, w, agent, place, source.p50_s * slowdown, rival, queue_s, dilation, all_busy)
        miss += 0.1 * _late(t, w, agent, place, source.p95_s * slowdown, rival, queue_s, dilation, all_busy)
        on_time = (1.0 - miss) * (carried if source.own else min(carried, admitted))
        result.on_time = on_time + (1.0 - on_time) * source.back
        result.tail_s = result.wait_s / busy * log(busy / 0.05) if busy > 0.05 else 0.0
    return total_load


@part
def _asked(t: Tables, w: Work, agent: int) -> float:
    """The load that peers ask an agent for, of which it takes what is spare."""
    asked = 0.0
    for place in range(w.count[agent]):
        source = t.sources[w.members[agent, place]]
        if not source.own:
            asked += source.load
    return asked


@part
def _add_up(t: Tables, w: Work, agent: int) -> tuple[float, float]:
    """Sums by level, into `w.classes`. Returns the load, and the load that is carried."""
    count, executors = w.count[agent], t.agents[agent].executors
    levels = w.classes.shape[1]
    for row in range(ALL + 1):
        for level in range(levels):
            w.classes[row, level] = 0.0
    for place in range(count):
        source = t.sources[w.members[agent, place]]
        w.classes[LOAD, source.level] += source.load
    total = carried_load = 0.0
    for level in range(levels - 1, -1, -1):
        load = w.classes[LOAD, level]
        w.classes[ABOVE, level] = total
        w.classes[CARRIED, level] = min(1.0, max(executors - total, 0.0) / load) if load > 0.0 else 1.0
        total += load
        carried_load += load * w.classes[CARRIED, level]
    for place in range(count):
        source = t.sources[w.members[agent, place]]
        carried = w.classes[CARRIED, source.level]
        w.classes[BELOW, source.level] += source.half_step * carried
        w.classes[RESIDUAL, source.level] += source.half_square * carried
    below = 0.0
    for level in range(levels):                      # from sums of each level to those of lower, and of higher ones
        below, w.classes[BELOW, level] = below + w.classes[BELOW, level], below
    for level in range(levels - 2, -1, -1):
        w.classes[RESIDUAL, level] += w.classes[RESIDUAL, level + 1]
    return total, carried_load


@part
def _late(
    t: Tables, w: Work, agent: int, place: int, run_s: float, rival: float, queue_s: float, dilation: float,
    all_busy: float,
) -> float:
    """The share of runs of this length that end after the deadline."""
    slack_s = t.sources[w.members[agent, place]].slack_s - run_s
    if slack_s < 0.0:
        return 1.0
    late = rival * exp(-rival * slack_s / queue_s) if queue_s > 0.0 and rival > 0.0 else 0.0
    return min(1.0, max(late, all_busy * _blocked(t, w, agent, place, slack_s * dilation)))


@part
def _blocked(t: Tables, w: Work, agent: int, place: int, slack_s: float) -> float:
    """Probability that a run or a guard in progress outlasts the slack, summed over the other sources."""
    mine = t.sources[w.members[agent, place]]
    blocked = 0.0
    for other in range(w.count[agent]):
        source = t.sources[w.members[agent, other]]
        carried = w.classes[CARRIED, source.level]
        if source.answer_s > 0.0:
            if source.stream != mine.stream and (not mine.own or mine.level <= source.level):
                blocked += source.rate_hz * _guarded_s(mine, source, slack_s)
        elif other == place or source.p95_s <= slack_s:
            continue
        elif source.level < mine.level and source.step_s < source.p50_s:
            blocked += carried * source.load * max(1.0 - slack_s / source.step_s, 0.0)
        else:
            beyond_s = 0.1 * _beyond_s(mine, source, source.p95_s - slack_s)
            beyond_s += 0.9 * _beyond_s(mine, source, source.p50_s - slack_s)
            blocked += carried * source.rate_hz * beyond_s
    return blocked


@part
def _beyond_s(mine: Records, source: Records, beyond_s: float) -> float:
    """In how much of the time in which a run may begin it outlasts the slack of a frame.

    beyond_s: by how much, if it begins with it. Two runs at home begin with frames of the same camera.
    """
    if beyond_s <= 0.0 or not mine.own or not source.own or source.camera_s <= 0.0:
        return max(beyond_s, 0.0)
    first = mine.level > source.level
    if mine.level == source.level:
        equal = mine.deadline_s == source.deadline_s
        first = mine.deadline_s < source.deadline_s or (equal and mine.stream < source.stream)
    if first:
        return mine.camera_s * max(ceil((beyond_s + mine.p50_s) / mine.camera_s) - 1, 0)         # it goes first
    return mine.camera_s * ceil(beyond_s / mine.camera_s)


@part
def _guarded_s(mine: Records, guard: Records, slack_s: float) -> float:
    """In how much of the time that a guarded frame may be taken it keeps another run from beginning for too long."""
    begins_s = max(AGE_S, guard.safe_s - min(mine.p95_s, mine.step_s))
    if not mine.own:
        return max(guard.answer_s - begins_s - slack_s, 0.0)
    frames = ceil((guard.answer_s - slack_s) / mine.camera_s) - ceil((begins_s - AGE_S) / mine.camera_s)
    return mine.camera_s * max(frames, 0)
