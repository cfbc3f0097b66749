"""Greedy construction, descent, and destroy-and-repair, until the counted work is done."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarm.compiled.cache import mark_loops_complete
from swarm.compiled.compiler import entry, part, refer
from swarm.planner.solvers.search.moves import GAIN, added, drawn, move, place_best, price, put, take, total
from swarm.planner.solvers.search.queue import cost_of, forecast
from swarm.planner.solvers.search.records import NONE, RANDOM, WORKED, Tables, Work, example

ROUNDS = 100                     # of one descent at most
IDLE = 3                         # times the streams: attempts in sequence without a gain, after which it ends
MOST_TAKEN = 8                   # streams that are destroyed together


@part
def _begin(t: Tables, w: Work, seed: int) -> None:
    """Place what `w.chosen` says, and the rest where it costs least, the most urgent first."""
    w.counts[RANDOM], w.counts[WORKED] = (2 * seed + 1) * 0x5851F42D4C957F2D, 0
    for agent in range(w.count.shape[0]):
        w.count[agent] = 0
        if t.agents[agent].background != NONE:
            w.members[agent, 0] = t.agents[agent].background
            w.count[agent] = 1
    for stream in range(w.chosen.shape[0]):
        if w.chosen[stream] != NONE:
            put(t, w, stream, w.chosen[stream])
    for agent in range(w.count.shape[0]):
        w.cost[agent] = cost_of(t, w, agent)
    for n in range(w.chosen.shape[0]):
        if w.chosen[t.order[n]] == NONE:
            place_best(t, w, t.order[n], NONE)


@part
def _descend(t: Tables, w: Work, count: int, most: int) -> None:
    """Move the first `count` streams of `w.order`, until no move gains."""
    for _ in range(ROUNDS):
        improved = False
        for n in range(count):
            if w.counts[WORKED] >= most:
                return
            if move(t, w, w.order[n]):
                improved = True
        if not improved:
            return


@part
def _shuffle(w: Work, count: int) -> None:
    for n in range(count - 1, 0, -1):
        other = drawn(w, n + 1)
        w.order[n], w.order[other] = w.order[other], w.order[n]


@part
def _destroy(t: Tables, w: Work) -> int:
    """Take some streams of one agent away, and some others that could run there. Returns how many; see `w.picked`."""
    streams = w.chosen.shape[0]
    agent = t.sources[t.options[w.chosen[drawn(w, streams)]].first].agent
    for _ in range(2):                               # rather the more costly of three
        other = t.sources[t.options[w.chosen[drawn(w, streams)]].first].agent
        if w.cost[other] > w.cost[agent]:
            agent = other
    most = min(MOST_TAKEN, 2 + drawn(w, MOST_TAKEN - 1), streams)
    picked = 0
    start = drawn(w, streams)
    for n in range(streams):
        stream = (start + n) % streams
        option = int(w.chosen[stream])
        uses = False
        for number in range(t.options[option].first, t.options[option].end):
            uses = uses or t.sources[number].agent == agent
        if uses or drawn(w, streams) == 0:
            take(t, w, stream)
            price(t, w, option)
            w.picked[picked] = stream
            picked += 1
            if picked >= most:
                break
    return picked


@part
def _remember(w: Work) -> None:
    """The present assignment is the best."""
    for stream in range(w.chosen.shape[0]):
        w.best[stream] = w.chosen[stream]


@part
def _restore(t: Tables, w: Work) -> None:
    """Return to the best assignment."""
    for stream in range(w.chosen.shape[0]):
        option = w.chosen[stream]
        if option != w.best[stream]:
            take(t, w, stream)
            put(t, w, stream, w.best[stream])
            price(t, w, option)
            price(t, w, w.best[stream])


@entry(*example(), 1, 1, 1)
def improve(tables: Tables, work: Work, descends: int, most: int, seed: int) -> float:
    """Complete `work.chosen`, and improve it if `descends`. Returns its cost; `work.counts` tells the work.

    The streams of which something new was learnt move first.
    most: evaluations of a source, after which it ends.
    """
    t, w = refer(tables), refer(work)
    streams = w.chosen.shape[0]
    _begin(t, w, seed)
    if not descends or not streams:
        return total(t, w) if streams else 0.0
    wrong = 0
    for n in range(streams):
        if w.wrong[n]:
            w.order[wrong] = n
            wrong += 1
    _shuffle(w, wrong)
    _descend(t, w, wrong, most)
    for n in range(streams):
        w.order[n] = n
    _shuffle(w, streams)
    _descend(t, w, streams, most)
    _remember(w)
    best_cost, idle = total(t, w), 0
    while w.counts[WORKED] < most and idle < IDLE * streams and streams > 1:
        picked = _destroy(t, w)
        for n in range(picked):
            w.order[n] = w.picked[n]
        _shuffle(w, picked)
        for n in range(picked):
            place_best(t, w, w.order[n], NONE)
        _descend(t, w, picked, most)
        cost = total(t, w)
        idle += 1
        if cost < best_cost - GAIN:
            _remember(w)
            best_cost, idle = cost, 0
        else:
            _restore(t, w)
    return best_cost


@entry(*example(), example()[1].forecast, np.zeros(1))
def evaluate(tables: Tables, work: Work, out: object, on_time: NDArray[np.float64]) -> float:
    """Forecast each source of the assignment `work.chosen`, into `out`, by the number of the source, and each stream's
    share on time. Returns the cost.
    """
    t, w = refer(tables), refer(work)
    _begin(t, w, 0)
    for stream in range(w.chosen.shape[0]):
        on_time[stream] = t.options[w.chosen[stream]].kept
    for agent in range(w.count.shape[0]):
        forecast(t, w, agent)
        for place in range(w.count[agent]):
            result = w.forecast[place]
            one = out[w.members[agent, place]]       # type: ignore[index]
            one.on_time, one.wait_s, one.tail_s = result.on_time, result.wait_s, result.tail_s
    for stream in range(w.chosen.shape[0]):
        option = t.options[w.chosen[stream]]
        for number in range(option.first, option.legs_end):
            on_time[stream] *= out[number].on_time   # type: ignore[index]
    return total(t, w) if w.chosen.shape[0] else 0.0


@entry(*example(), 1, np.zeros(1))
def rank(tables: Tables, work: Work, stream: int, costs: NDArray[np.float64]) -> None:
    """What each option of a stream would add to the cost of the assignment `work.chosen`, into `costs`."""
    t, w = refer(tables), refer(work)
    _begin(t, w, 0)
    option = w.chosen[stream]
    take(t, w, stream)
    price(t, w, option)
    first = t.streams[stream].first
    for n in range(t.streams[stream].end - first):
        costs[n] = added(t, w, stream, first + n)
    put(t, w, stream, option)


@entry(*example(), np.zeros(1))
def cost_all(tables: Tables, work: Work, costs: NDArray[np.float64]) -> None:
    """The cost of every assignment, into `costs`: the option of the last stream changes with each."""
    t, w = refer(tables), refer(work)
    streams = w.chosen.shape[0]
    for stream in range(streams):
        w.chosen[stream] = t.streams[stream].first
    _begin(t, w, 0)
    for number in range(costs.shape[0]):
        costs[number] = total(t, w)
        for stream in range(streams - 1, -1, -1):
            option = w.chosen[stream]
            following = option + 1 if option + 1 < t.streams[stream].end else t.streams[stream].first
            take(t, w, stream)
            put(t, w, stream, following)
            price(t, w, option)
            price(t, w, following)
            if following > option:
                break


mark_loops_complete(__name__)
