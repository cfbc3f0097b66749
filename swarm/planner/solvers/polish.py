"""Improves an assignment by simulation: moves streams that miss deadlines, and those that are in their way.

A move is judged by simulating the streams near it alone, before and after, so its cost does not grow with the team. The
first look is at those that run on an agent that it changes; most moves fail it. The second one, over other phases, is
also at those that run at the owners of these: what an agent refuses returns to its owner.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from swarm.planner.forecast.simulation.outcome import StreamOutcome
from swarm.planner.instance import Assignment, Instance
from swarm.planner.solvers.formula import Formula
from swarm.planner.solvers.judge import Judge, Verdict

ENOUGH = 0.995                       # a stream with this share on time needs no help
TRIES = 4                            # options tried of a stream that misses deadlines: the best ones by formula
TRIES_OF_OTHERS = 2                  # and of one that is in its way
GAIN = 0.03                          # results per second of a priority: a smaller difference is none
REST = 0.01                          # the same of all that counts less than misses
LOOKS = ((0, 2), (2, 3))             # of one judgement: the first set of phases, and how many


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
        self._on_time = [verdict.outcome.streams[judge.number(n)].on_time for n in range(len(self._now))]
        self._at: list[set[int]] = [set() for _ in instance.agents]      # the streams that run on an agent
        for n, option in enumerate(self._now):
            for agent in instance.options[n][option].agents:
                self._at[agent].add(n)
        self._version = [0] * len(instance.agents)                       # grows with each change of an agent's streams
        self._tried: set[tuple[int, int, tuple[int, ...]]] = set()
        self._before: dict[tuple[tuple[int, ...], int], list[StreamOutcome]] = {}    # under the present assignment

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
            yield from self._untried(stream, TRIES)
            for other in in_order[len(below):]:
                yield from self._untried(other, TRIES_OF_OTHERS)

    def _missed(self, stream: int) -> float:
        """Results per second, negative."""
        return (self._on_time[stream] - 1.0) * self._instance.streams[stream].spec.rate_hz

    def _agents(self, stream: int, option: int) -> tuple[int, ...]:
        return self._instance.options[stream][option].agents

    def _untried(self, stream: int, tries: int) -> Iterator[tuple[int, int]]:
        now = self._now[stream]
        for option in [n for n in self._formula.ranked(tuple(self._now), stream) if n != now][:tries]:
            agents = sorted({*self._agents(stream, now), *self._agents(stream, option)})
            key = stream, option, tuple(self._version[agent] for agent in agents)
            if key not in self._tried:
                self._tried.add(key)
                yield stream, option

    def _improves(self, stream: int, option: int) -> bool:
        """Make a move, if the streams near it gain by it."""
        agents = {*self._agents(stream, self._now[stream]), *self._agents(stream, option)}
        local, change = self._local, (stream, option)
        rest = self._rest(stream, self._now[stream], option)
        after: list[StreamOutcome] = []
        near: tuple[int, ...] = ()
        for first, phases in LOOKS:
            near = self._near(agents if not first else agents | self._owners(self._near(agents)))
            if (near, first) not in self._before:
                self._before[near, first] = self._judge.local_outcomes(local, near, self._now, None, phases, first)
            after = self._judge.local_outcomes(local, near, self._now, change, phases, first)
            if not self._is_better(near, self._before[near, first], after, rest):
                return False
        local.adopt({self._judge.number(stream): self._instance.placement(stream, option)})
        for agent in self._agents(stream, self._now[stream]):
            self._at[agent].discard(stream)
        for agent in self._agents(stream, option):
            self._at[agent].add(stream)
        for agent in agents:
            self._version[agent] += 1
        self._now[stream] = option
        self._before.clear()
        for n, outcome in zip(near, after, strict=True):
            self._on_time[n] = outcome.on_time
        return True

    def _near(self, agents: Iterable[int]) -> tuple[int, ...]:
        """The streams that run on these agents."""
        return tuple(sorted(set().union(*(self._at[agent] for agent in agents))))

    def _owners(self, streams: Iterable[int]) -> set[int]:
        return {self._instance.agent_of(self._instance.streams[n].agent) for n in streams}

    def _rest(self, stream: int, old: int, new: int) -> float:
        """By how much the price of a placement itself falls."""
        return self._judge.price(stream, old) - self._judge.price(stream, new)

    def _is_better(
        self, near: Sequence[int], before: Sequence[StreamOutcome], after: Sequence[StreamOutcome], rest: float
    ) -> bool:
        gained: dict[int, float] = {}
        for n, old, new in zip(near, before, after, strict=True):
            spec = self._instance.streams[n].spec
            gained[spec.priority] = gained.get(spec.priority, 0.0) + spec.rate_hz * (new.on_time - old.on_time)
            rest += self._judge.rest(n, old) - self._judge.rest(n, new)
        for priority in sorted(gained, reverse=True):
            if abs(gained[priority]) > GAIN:
                return gained[priority] > 0.0
        return rest > REST
