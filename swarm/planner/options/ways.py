"""The ways to run one stream, as tuples: there are many, and they are sorted."""

from __future__ import annotations

from collections.abc import Sequence
from heapq import nlargest
from typing import NamedTuple

from swarm.planner.options.option import ACCURACY_MATTERS, OVERHEAD_S, Option, Source
from swarm.planner.problem import StreamOf

NEEDS_CUTS = 0.4                 # of an executor: among more streams, one that needs less is cut only to be in time
ACCURACY_PRICE = 0.1             # of losing all accuracy, in misses per result
STUDENT_PRICE = 0.03             # of a less accurate network: more than a peer's risk and a whole deadline of latency

Way = tuple[float, bool, int, str, tuple[str, ...], tuple[Source, ...], float, float, tuple[float, float]]
"""A way to run a stream, so that the best come first: latency when nothing else runs (s), whether it leaves the robot,
legs, variant, agent of each stage; the runs of each leg; transfers, runs (s); accuracy, and that of its network."""


class Whole(NamedTuple):
    """A whole run on an agent."""

    where: tuple[str]
    sources: tuple[Source]
    variant: str
    p50_s: float
    mean_s: float
    accuracy: tuple[float, float]    # and that of its network
    input_bytes: int


def way_of(variant: str, where: tuple[str, ...], sources: tuple[Source, ...], transfer_s: float, runs_s: float,
         accuracy: tuple[float, float], away: bool = True) -> Way:
    """transfer_s: of all hops. runs_s: mean of all legs. away: whether it leaves the robot."""
    return (round(OVERHEAD_S + transfer_s + runs_s, 6), away, len(sources), variant, where, sources, transfer_s, runs_s,
            accuracy)


def option_of(way: Way, best: float, best_network: float) -> Option:
    """With the price of its accuracy beside the best of its stream: see `best_known`."""
    _, away, _, variant, where, sources, transfer_s, runs_s, (accuracy, network) = way
    return Option(variant=variant, where=where, sources=sources, home=not away, transfer_s=transfer_s, mean_s=runs_s,
                  accuracy=accuracy, accuracy_cost=_accuracy_cost(best - accuracy, student=network < best_network))


def best_known(whole: Sequence[Way], home: str) -> tuple[float, float]:
    """The best accuracy, and the best of a network, that a stream is held to: what its own robot offers, or two agents.

    One peer that says it has something better makes no student of what all others have, be it right or not. Where one
    agent alone can run the model, what it says. whole: of the model, at home and on peers.
    """
    by_agent: dict[str, tuple[float, float]] = {}
    for way in whole:
        (agent,), (accuracy, network) = way[4], way[-1]
        before = by_agent.get(agent, (0.0, 0.0))
        by_agent[agent] = max(accuracy, before[0]), max(network, before[1])
    own = by_agent.get(home, (0.0, 0.0))
    seconds = [nlargest(2, of_agents)[-1] for of_agents in zip(*by_agent.values(), strict=True)] or [0.0, 0.0]
    return max(own[0], seconds[0]), max(own[1], seconds[1])


def _accuracy_cost(lost: float, *, student: bool) -> float:
    """In misses per result. A student is worth it where it avoids misses, and not for its latency."""
    if student:
        return STUDENT_PRICE + ACCURACY_PRICE * max(lost, 0.0)
    return ACCURACY_PRICE * lost if lost > ACCURACY_MATTERS else 0.0


def may_need_cuts(stream: StreamOf, whole: Sequence[Way], best: float, most_s: float) -> bool:
    """Whether no whole run of the most accurate network is both short beside the period, and in time.

    best: the accuracy of that network.
    """
    rate_hz = stream.spec.rate_hz
    return all(way[-1][1] < best or rate_hz * way[7] > NEEDS_CUTS or OVERHEAD_S + way[6] + way[7] > most_s
               for way in whole)
