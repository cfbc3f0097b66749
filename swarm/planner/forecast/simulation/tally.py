"""Counts what became of the requests of simulations, by stream, with figures of their latencies."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from swarm.compiled.compiler import part
from swarm.planner.forecast.simulation.records import FULL, State

DUE, GOOD, AWAY, LEFT, ENDED = range(5)
"""Quantities of `Tally.counts`: all requests, those with a result in time, from a peer, those that did not go as
planned, and those with a result, late ones too."""

MEAN, P50, P95 = range(3)
"""Quantities of `Tally.figures`."""

RESULTS, SIMULATED, LEFT_OUT = range(3)
"""Rows of `Tally.totals`: latencies so far; requests, those that do not count too; what found no place."""


class Tally(NamedTuple):
    """Of all sets of phases of a plan."""

    counts: NDArray[np.int64]                # [set of phases, stream, quantity]
    latency_s: NDArray[np.float64]           # of each result, from capture
    of: NDArray[np.int64]                    # its stream
    ordered_s: NDArray[np.float64]           # the latencies by stream, then by size
    ends: NDArray[np.int64]                  # by stream: where its own end in `ordered_s`
    figures: NDArray[np.float64]             # [stream, quantity]: of latencies; 0 of a stream without results
    totals: NDArray[np.int64]                # see above


def new_tally(phases: int, streams: int, requests: int) -> Tally:
    """Of so many sets of phases with at most so many requests each."""
    most = phases * requests
    return Tally(np.zeros((phases, streams, 5), np.int64), np.empty(most), np.empty(most, np.int64), np.empty(most),
                 np.zeros(streams, np.int64), np.zeros((streams, 3)), np.zeros(3, np.int64))


@part
def count(state: State, tally: Tally, phase: int, requests: int, since_s: float) -> None:
    """Count the first so many requests of a simulation, as far as they were captured from `since_s` on."""
    tally.totals[SIMULATED] += requests
    tally.totals[LEFT_OUT] += state.counts[FULL]
    for number in range(requests):
        request = state.requests[number]
        if request.captured_s >= since_s:
            stream = request.stream
            tally.counts[phase, stream, DUE] += 1
            tally.counts[phase, stream, LEFT] += request.left
            if request.ended_s >= 0.0:
                tally.counts[phase, stream, ENDED] += 1
                tally.counts[phase, stream, AWAY] += request.away
                if request.ended_s <= request.deadline_s:
                    tally.counts[phase, stream, GOOD] += 1
                place = tally.totals[RESULTS]
                tally.latency_s[place], tally.of[place] = request.ended_s - request.captured_s, stream
                tally.totals[RESULTS] = place + 1


@part
def measure_latencies(tally: Tally) -> None:
    """Fill `figures` of all latencies that were counted."""
    results = tally.totals[RESULTS]
    for place in range(results):
        tally.ends[tally.of[place]] += 1
    before = 0
    for stream in range(tally.ends.shape[0]):
        before, tally.ends[stream] = before + tally.ends[stream], before
    for place in range(results):
        stream = tally.of[place]
        tally.ordered_s[tally.ends[stream]] = tally.latency_s[place]
        tally.ends[stream] += 1
    first = 0
    for stream in range(tally.ends.shape[0]):
        end = tally.ends[stream]
        if end > first:
            total_s = 0.0
            for place in range(first, end):
                total_s += tally.ordered_s[place]
            _sort(tally.ordered_s, first, end)
            tally.figures[stream, MEAN] = total_s / (end - first)
            tally.figures[stream, P50] = _quantile(tally.ordered_s, first, end, 0.5)
            tally.figures[stream, P95] = _quantile(tally.ordered_s, first, end, 0.95)
        first = end


@part
def _sort(values: NDArray[np.float64], first: int, end: int) -> None:
    """Sort [first, end). Shell's sort, with the gaps of Knuth, The Art of Computer Programming 3 (1973)."""
    gap = 1
    while gap < (end - first) // 3:
        gap = 3 * gap + 1
    while gap > 0:
        for place in range(first + gap, end):
            value, at = values[place], place
            while at - gap >= first and values[at - gap] > value:
                values[at] = values[at - gap]
                at -= gap
            values[at] = value
        gap //= 3


@part
def _quantile(ordered: NDArray[np.float64], first: int, end: int, share: float) -> float:
    """Of sorted values [first, end), with linear interpolation, as `np.quantile` does."""
    at = share * (end - first - 1)
    below = first + int(at)
    above = min(below + 1, end - 1)
    return ordered[below] + (at - int(at)) * (ordered[above] - ordered[below])
