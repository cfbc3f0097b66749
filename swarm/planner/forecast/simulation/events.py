"""The queue of events, ordered by time, and the numbers that are drawn."""

from __future__ import annotations

import numpy as np

from swarm.compiled.compiler import part
from swarm.planner.forecast.simulation.records import EVENTS, FULL, State

FRAME, ARRIVES, STEP_ENDS, IS_OUT, ANSWER, REFUSED, LAST_SAFE, DEADLINE, GIVEN_UP, BEAT, CLOSER, NO_OUTCOME = range(12)
"""With two numbers each: FRAME stream, its number; CLOSER and NO_OUTCOME, when the stream that it looks at has an
outcome of this number, or has none, the same; ARRIVES request, leg; STEP_ENDS and IS_OUT run, its epoch; the
others the request, but BEAT the agent."""

FASTEST, AT_90, SLOWEST = 0.93, 0.6, 1.45
"""The shape of run times, from the quantiles of the cards of `models/artefacts`: the fastest run, as a share of the
median; where the 90th percentile lies between median and 95th; the slowest run, in 95th percentiles."""


KIND_BITS, NUMBER_BITS = 4, 30
"""In `EVENT.what`: the kind, then the first number; the rest is the second one."""


@part
def push(state: State, at_s: float, kind: int, one: int, other: int) -> None:
    """Add an event to the heap, if there is a place."""
    place = state.counts[EVENTS]
    if place >= state.events.shape[0]:
        state.counts[FULL] += 1
        return
    state.counts[EVENTS] = place + 1
    while place > 0:
        above = (place - 1) >> 1
        if state.events[above].at_s <= at_s:
            break
        _move(state, above, place)
        place = above
    event = state.events[place]
    event.at_s, event.what = at_s, (other << (KIND_BITS + NUMBER_BITS)) | (one << KIND_BITS) | kind


@part
def pop(state: State) -> tuple[float, int, int, int]:
    """Take the first event: when, its kind, and its two numbers."""
    at_s, what = state.events[0].at_s, state.events[0].what
    last = state.counts[EVENTS] - 1
    state.counts[EVENTS] = last
    place, last_s = 0, state.events[last].at_s
    while True:
        below = 2 * place + 1
        if below >= last:
            break
        if below + 1 < last and state.events[below + 1].at_s < state.events[below].at_s:
            below += 1
        if state.events[below].at_s >= last_s:
            break
        _move(state, below, place)
        place = below
    _move(state, last, place)
    number = (1 << NUMBER_BITS) - 1
    return at_s, what & ((1 << KIND_BITS) - 1), (what >> KIND_BITS) & number, what >> (KIND_BITS + NUMBER_BITS)


@part
def _move(state: State, here: int, there: int) -> None:
    one, other = state.events[here], state.events[there]
    other.at_s, other.what = one.at_s, one.what


@part
def uniform(seed: int, one: int, other: int, third: int) -> float:
    """A number in (0, 1) for these keys: the finisher of SplitMix64 over their sum with odd weights."""
    x = (np.uint64(seed) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(one) * np.uint64(0xBF58476D1CE4E5B9)
         + np.uint64(other) * np.uint64(0x94D049BB133111EB) + np.uint64(third) * np.uint64(0xD6E8FEB86659FD93))
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    x ^= x >> np.uint64(31)
    return (float(x >> np.uint64(11)) + 0.5) / 9007199254740992.0


@part
def run_s(p50_s: float, p95_s: float, u: float) -> float:
    """A run time with this median and 95th percentile; between the points of its shape it grows evenly."""
    if u < 0.5:
        return p50_s * (FASTEST + (1.0 - FASTEST) * u / 0.5)
    over_s = max(0.0, p95_s - p50_s)
    if u < 0.9:
        return p50_s + over_s * AT_90 * (u - 0.5) / 0.4
    if u < 0.95:
        return p50_s + over_s * (AT_90 + (1.0 - AT_90) * (u - 0.9) / 0.05)
    return max(p50_s, p95_s) * (1.0 + (SLOWEST - 1.0) * (u - 0.95) / 0.05)
