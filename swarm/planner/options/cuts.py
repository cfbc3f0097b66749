"""Which cuts of a model are considered: all between two agents, the most balanced ones between more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import permutations

FIRST, SECOND = 2, 3                 # agents that may run the first stages, and those after them: the nearest
AMONG = 3                            # agents that longer chains may begin with; those after them follow by nearness
MOST_LEGS = 5


def cuts(runs: Mapping[str, Sequence[float]], home: str) -> Iterator[tuple[str, ...]]:
    """The agent of each stage, for each cut. runs: run time of each stage by agent, the nearest agent first.

    A request that has left its home does not come back for a leg.
    """
    count = max(map(len, runs.values()), default=0)
    agents = [agent for agent, stages in runs.items() if len(stages) == count]
    for first in agents[:FIRST]:
        for second in agents[:SECOND + 1]:
            if home != second != first:
                for stage in range(1, count):
                    yield (first,) * stage + (second,) * (count - stage)
    for size in range(3, min(MOST_LEGS, count, len(agents)) + 1):
        for begin in permutations(agents[:AMONG]):
            if home not in begin[1:]:
                yield balanced((*begin, *agents[AMONG:size]), runs)


def balanced(chain: Sequence[str], runs: Mapping[str, Sequence[float]]) -> tuple[str, ...]:
    """The cut along this chain whose longest leg is the shortest. Each agent runs at least one stage."""
    count = len(runs[chain[0]])
    best: dict[int, tuple[float, tuple[str, ...]]] = {0: (0.0, ())}          # by the number of stages that are placed
    for place, agent in enumerate(chain):
        following: dict[int, tuple[float, tuple[str, ...]]] = {}
        for done, (longest_s, where) in best.items():
            leg_s = 0.0
            for end in range(done + 1, count - (len(chain) - place - 1) + 1):
                leg_s += runs[agent][end - 1]
                one = max(longest_s, leg_s), (*where, *(agent,) * (end - done))
                if end not in following or one < following[end]:
                    following[end] = one
        best = following
    return best[count][1]
