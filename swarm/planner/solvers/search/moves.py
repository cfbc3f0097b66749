"""Puts streams on options and takes them away, and finds the best option of one stream."""

from __future__ import annotations

from math import inf

from swarm.compiled.compiler import part
from swarm.planner.solvers.search.queue import cost_of
from swarm.planner.solvers.search.records import NONE, RANDOM, Tables, Work

GAIN = 1e-9                      # smaller gains are rounding errors


@part
def put(t: Tables, w: Work, stream: int, option: int) -> None:
    """Place a stream. The costs of its agents are out of date after that."""
    w.chosen[stream] = option
    for number in range(t.options[option].first, t.options[option].end):
        agent = t.sources[number].agent
        w.members[agent, w.count[agent]] = number
        w.count[agent] += 1


@part
def take(t: Tables, w: Work, stream: int) -> None:
    """Take a stream away. The costs of its agents are out of date after that."""
    option = w.chosen[stream]
    w.chosen[stream] = NONE
    for number in range(t.options[option].first, t.options[option].end):
        agent = t.sources[number].agent
        last = w.count[agent] - 1
        for place in range(last, -1, -1):
            if w.members[agent, place] == number:
                w.members[agent, place] = w.members[agent, last]
                break
        w.count[agent] = last


@part
def price(t: Tables, w: Work, option: int) -> None:
    """Bring the costs of an option's agents up to date."""
    for number in range(t.options[option].first, t.options[option].end):
        agent = t.sources[number].agent
        w.cost[agent] = cost_of(t, w, agent)


@part
def added(t: Tables, w: Work, stream: int, option: int) -> float:
    """What it would cost to place a stream, which is not placed, on this option."""
    put(t, w, stream, option)
    cost = t.options[option].cost + w.learnt[option]
    for number in range(t.options[option].first, t.options[option].end):
        agent = t.sources[number].agent
        cost += cost_of(t, w, agent) - w.cost[agent]
    take(t, w, stream)
    return cost


@part
def place_best(t: Tables, w: Work, stream: int, at_first: int) -> bool:
    """Place a stream, which is not placed, where it costs least; a tie goes to `at_first`. Whether it went elsewhere.

    Costs that are no numbers are never the least.
    """
    best, best_cost = at_first, inf
    if at_first != NONE:
        cost = added(t, w, stream, at_first)
        if cost < best_cost:
            best_cost = cost - GAIN
    for option in range(t.streams[stream].first, t.streams[stream].end):
        if option != at_first:
            cost = added(t, w, stream, option)
            if cost < best_cost or best == NONE:
                best, best_cost = option, cost
    put(t, w, stream, best)
    price(t, w, best)
    return best != at_first


@part
def move(t: Tables, w: Work, stream: int) -> bool:
    """Move a stream to its best option. Whether that is another one."""
    option = w.chosen[stream]
    take(t, w, stream)
    price(t, w, option)
    return place_best(t, w, stream, option)


@part
def total(t: Tables, w: Work) -> float:
    """The cost of the whole assignment."""
    cost = 0.0
    for agent in range(w.count.shape[0]):
        cost += w.cost[agent]
    for stream in range(w.chosen.shape[0]):
        cost += t.options[w.chosen[stream]].cost + w.learnt[w.chosen[stream]]
    return cost


@part
def drawn(w: Work, below: int) -> int:
    """A random number. Marsaglia, Xorshift RNGs (Journal of Statistical Software 8(14), 2003)."""
    state = w.counts[RANDOM]
    state ^= state << 13
    state ^= (state >> 7) & 0x1FFFFFFFFFFFFFF        # a logical shift
    state ^= state << 17
    w.counts[RANDOM] = state
    return (state & 0x7FFFFFFFFFFFFFFF) % below
