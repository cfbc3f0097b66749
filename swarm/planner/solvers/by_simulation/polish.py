"""Improves an assignment by simulation: moves streams that miss deadlines, and those that are in their way; then brings
home what went away for nothing.

A move is judged by simulating the streams near it alone, before and after, so its cost grows little with the team. The
first look is at those that run on an agent that it changes; most moves fail it. The second one, over other phases, is
also at those that run at the owners of these: what an agent refuses returns to its owner.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from swarm.planner.forecast.simulation.outcome import LOCAL_S, Outcome
from swarm.planner.options.instance import Assignment, Instance
from swarm.planner.solvers.formula import Formula
from swarm.planner.solvers.judge import Judge, Verdict

ENOUGH = 0.995                       # a stream with this share on time needs no help
TRIES, TRIES_OF_ALL = 4, 64          # options tried of a stream that misses deadlines, at least, and of all together
TRIES_OF_OTHERS = 2                  # and of one that is in its way
GAIN = 0.03                          # results per second of a priority: a smaller difference is none; so is one of
SCREEN, SURE, LOSS = 0.5, 1.5, 0.5   # less than so many standard errors: a gain at the first look, at both, and a loss
REST = 0.01                          # the same of all that counts less than misses
LOOK_S = 200.0                       # streams x simulated seconds of a look, as far as it has enough sets of phases:
FEWEST, MOST = 2, 12                 # so many at least and at most


def polish(
    instance: Instance, judge: Judge, formula: Formula, verdict: Verdict, spent: Callable[[], bool]
) -> Assignment:
    """The best assignment found, from this one on. spent: says when to stop."""
    return _Polish(instance, judge, formula, verdict).run(spent)


class _Polish:
    def __init__(self, instance: Instance, judge: Judge, formula: Formula, verdict: Verdict) -> None:
        self._instance, self._judge, self._formula = instance, judge, formula
        self._now = list(verdict.assignment)
        self._local = judge.local(verdict.assignment)
        self._on_time: list[float] = judge.own(verdict.outcome.on_time).tolist()
        self._at: list[set[int]] = [set() for _ in instance.agents]      # the streams that run on an agent
        for n, option in enumerate(self._now):
            for agent in instance.options[n][option].agents:
                self._at[agent].add(n)
        self._version = [0] * len(instance.agents)                       # grows with each change of an agent's streams
        self._tried: set[tuple[int, int, tuple[int, ...]]] = set()
        self._before: dict[tuple[tuple[int, ...], int], Outcome] = {}    # under the present assignment

    def run(self, spent: Callable[[], bool]) -> Assignment:
        improved = True
        while improved and not spent():
            improved = False
            for stream, option in self._moves():
                if spent():
                    break
                if self._improves(stream, option):
                    improved = True
                    break
        return tuple(self._now)

    def _moves(self) -> Iterator[tuple[int, int]]:
        """Single moves, those that promise most first. None is made twice in the same surroundings."""
        streams = self._instance.streams
        missing = sorted((n for n, share in enumerate(self._on_time) if share < ENOUGH),
                         key=lambda n: (-streams[n].spec.priority, self._missed(n), n))
        for stream in missing:
            beside = set().union(*(self._at[agent] for agent in self._agents(stream, self._now[stream]))) - {stream}
            in_order = sorted(beside, key=lambda n: (streams[n].spec.priority, n))
            below = [n for n in in_order if streams[n].spec.priority < streams[stream].spec.priority]
            for other in below:                      # rather what is in the way moves than the stream itself
                yield from self._untried(other, TRIES_OF_OTHERS)
            yield from self._untried(stream, max(TRIES, TRIES_OF_ALL // len(streams)))
            for other in in_order[len(below):]:
                yield from self._untried(other, TRIES_OF_OTHERS)
        for stream, option in enumerate(self._now):
            home = next((n for n, one in enumerate(self._instance.options[stream]) if one.home), option)
            if not self._instance.options[stream][option].home and self._is_untried(stream, home):
                yield stream, home

    def _missed(self, stream: int) -> float:
        """Results per second, negative."""
        return (self._on_time[stream] - 1.0) * self._instance.streams[stream].spec.rate_hz

    def _agents(self, stream: int, option: int) -> tuple[int, ...]:
        return self._instance.options[stream][option].agents

    def _untried(self, stream: int, tries: int) -> Iterator[tuple[int, int]]:
        now = self._now[stream]
        for option in [n for n in self._formula.ranked(tuple(self._now), stream) if n != now][:tries]:
            if self._is_untried(stream, option):
                yield stream, option

    def _is_untried(self, stream: int, option: int) -> bool:
        """Whether a move was not tried yet in the present surroundings; it is, from now on."""
        agents = sorted({*self._agents(stream, self._now[stream]), *self._agents(stream, option)})
        key = stream, option, tuple(self._version[agent] for agent in agents)
        if key in self._tried or option == self._now[stream]:
            return False
        self._tried.add(key)
        return True

    def _improves(self, stream: int, option: int) -> bool:
        """Make a move, if the streams near it gain by it."""
        agents = {*self._agents(stream, self._now[stream]), *self._agents(stream, option)}
        rest = self._judge.price(stream, self._now[stream]) - self._judge.price(stream, option)
        gained: dict[int, list[float]] = {}          # by priority, in each set of phases
        near, first, phases = (), 0, 0
        for wide, errors in ((False, SCREEN), (True, SURE)):
            near = self._near(agents if not wide else agents | self._owners(self._near(agents)))
            first, phases = first + phases, min(max(round(LOOK_S / (LOCAL_S * len(near))), FEWEST), MOST)
            before, after = self._look(near, (stream, option), phases, first)
            self._add_gains(gained, near, after.shares - before.shares)
            places = range(len(near))
            more = float((self._judge.rest(near, before, places) - self._judge.rest(near, after, places)).sum())
            if not is_gain(gained, rest + more, errors):
                return False
            on_time = after.on_time.tolist()
        self._judge.adopt(self._local, stream, option)
        for agent in self._agents(stream, self._now[stream]):
            self._at[agent].discard(stream)
        for agent in self._agents(stream, option):
            self._at[agent].add(stream)
        for agent in agents:
            self._version[agent] += 1
        self._now[stream] = option
        self._before.clear()
        for n, share in zip(near, on_time, strict=True):
            self._on_time[n] = share
        return True

    def _look(self, near: tuple[int, ...], move: tuple[int, int], phases: int, first: int) -> tuple[Outcome, Outcome]:
        """The outcomes of these streams, as it is now and after a move."""
        before = self._before.get((near, first))
        outcomes = self._judge.local_outcomes(
            self._local, near, self._now, [move] if before else [None, move], phases, first)
        self._before[near, first] = before or outcomes[0]
        return before or outcomes[0], outcomes[-1]

    def _add_gains(self, gained: dict[int, list[float]], near: Sequence[int], by_stream: NDArray[np.float64]) -> None:
        """by_stream: [set of phases, stream of `near`]."""
        looked = max(map(len, gained.values()), default=0)
        specs = [self._instance.streams[n].spec for n in near]
        by_stream = by_stream * [spec.rate_hz for spec in specs]
        for priority in {*gained, *(spec.priority for spec in specs)}:       # a priority may be near at one look only
            here = by_stream[:, [spec.priority == priority for spec in specs]].sum(axis=1)
            gained[priority] = [*gained.get(priority, [0.0] * looked), *here.tolist()]

    def _near(self, agents: Iterable[int]) -> tuple[int, ...]:
        """The streams that run on these agents, and those that look at their outcomes."""
        near = set[int]().union(*(self._at[agent] for agent in agents))
        near.update(n for n, source in self._instance.chained if source in near)
        return tuple(sorted(near))

    def _owners(self, streams: Iterable[int]) -> set[int]:
        return {self._instance.agent_of(self._instance.streams[n].agent) for n in streams}


def is_gain(gained: Mapping[int, Sequence[float]], rest: float, errors: float) -> bool:
    """Whether a move gains, the most important priority first that changes for certain; then by the rest.

    gained: results per second in each set of phases, by priority. errors: standard errors of a certain gain.
    """
    for priority in sorted(gained, reverse=True):
        values = gained[priority]
        gain, error = float(np.mean(values)), float(np.std(values, ddof=1)) / sqrt(len(values))
        if gain > max(GAIN, errors * error):
            return True
        if gain < -max(GAIN, LOSS * error):
            return False
    return rest > REST
