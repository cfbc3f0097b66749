"""Greedy construction and iterated local search over assignments, with cached queue costs."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

from swarm.core.policy import draw
from swarm.planner.forecast import agent_cost
from swarm.planner.instance import Assignment, Instance
from swarm.planner.options import Option
from swarm.planner.solvers.budget import Budget

GAIN = 1e-9                      # smaller gains are rounding errors
ROUNDS = 1000                    # of moves and swaps per descent at most, so that it ends even if a cost is NaN
SWAPS = 200                      # pairs tried per descent at most, so that large problems keep budget for moves


class Search:
    """One search. `evaluations` counts the queue costs computed."""

    def __init__(self, instance: Instance, seed: int) -> None:
        self._instance = instance
        self._budget: Budget | None = None           # of the improvement in progress
        self._before = 0                             # evaluations when it began
        self._random = draw.stream(seed, "planner search")
        self._costs: dict[tuple[int, ...], float] = {}
        self._by_agent: list[dict[int, list[int]]] = []
        for options in instance.options:
            at: dict[int, list[int]] = {}
            for n, option in enumerate(options):
                at.setdefault(option.agent, []).append(n)
            self._by_agent.append(at)
        self.evaluations = 0

    def cost(self, assignment: Sequence[int]) -> float:
        """The objective of an assignment."""
        return sum(self._queue(q) for q in self._queues(assignment))

    def greedy(self) -> Assignment:
        """Streams by priority and slack, each where it adds least to the cost."""
        return self.repair([None] * len(self._instance.options))

    def repair(self, partial: Sequence[int | None]) -> Assignment:
        """Fill the gaps of an assignment, each where it adds least to the cost."""
        assignment = list(partial)
        queues: list[list[Option]] = [[] for _ in self._instance.agents]
        for options, n in zip(self._instance.options, assignment, strict=True):
            if n is not None:
                queues[options[n].agent].append(options[n])
        gaps = [s for s, n in enumerate(assignment) if n is None]
        for stream in sorted(gaps, key=self._urgency):
            options = self._instance.options[stream]
            added = [self._queue([*queues[o.agent], o]) - self._queue(queues[o.agent]) for o in options]
            n = min(range(len(options)), key=lambda n: (added[n], n))
            assignment[stream] = n
            queues[options[n].agent].append(options[n])
        return tuple(n for n in assignment if n is not None)

    def improve(self, start: Assignment, budget: Budget) -> Assignment:
        """Descend by moves and swaps; repeat from disturbed copies of the best, until the budget is spent."""
        self._budget, self._before = budget, self.evaluations
        best = self._descend(list(start))
        best_cost = self.cost(best)
        idle = 0
        while not self._spent() and idle < 30 and len(best) > 1:
            other = self._descend(self._disturbed(best))
            cost = self.cost(other)
            idle += 1
            if cost < best_cost - GAIN:
                best, best_cost, idle = other, cost, 0
        return tuple(best)

    def _spent(self) -> bool:
        return self._budget is not None and self._budget.spent(self.evaluations - self._before)

    def _urgency(self, stream: int) -> tuple[int, float, int]:
        options = self._instance.options[stream]
        return -options[0].priority, options[0].deadline_s - options[0].idle_s, stream

    def _disturbed(self, assignment: list[int]) -> list[int]:
        """A copy in which a few streams of one costly queue, and some others, have random options."""
        queues = self._queues(assignment)
        costs = [self._queue(q) for q in queues]
        costly = self._random.choices(queues, [(cost if isfinite(cost) else 0.0) + 1e-3 for cost in costs])[0]
        picked = {o.stream for o in self._random.sample(costly, min(2, len(costly)))}
        picked.update(self._random.sample(range(len(assignment)), min(len(assignment), self._random.randint(1, 2))))
        changed = list(assignment)
        for stream in sorted(picked):
            changed[stream] = self._random.randrange(len(self._instance.options[stream]))
        return changed

    def _descend(self, assignment: list[int]) -> list[int]:
        queues = self._queues(assignment)
        order = list(range(len(assignment)))
        self._random.shuffle(order)
        for _ in range(ROUNDS):
            if self._spent():
                break
            improved = False
            for stream in order:
                improved |= self._move(assignment, queues, stream)
            if not improved and not self._swap_any(assignment, queues, order):
                break
        return assignment

    def _move(self, assignment: list[int], queues: list[list[Option]], stream: int) -> bool:
        """Move one stream to its best other option, if that is better than the present one."""
        options = self._instance.options[stream]
        now = options[assignment[stream]]
        rest = [o for o in queues[now.agent] if o is not now]
        here, without = self._queue(queues[now.agent]), self._queue(rest)
        best, best_gain = assignment[stream], GAIN
        for n, option in enumerate(options):
            if n == assignment[stream] or self._spent():
                continue
            if option.agent == now.agent:
                gain = here - self._queue([*rest, option])
            else:
                there = queues[option.agent]
                gain = here - without + self._queue(there) - self._queue([*there, option])
            if gain > best_gain:
                best, best_gain = n, gain
        if best == assignment[stream]:
            return False
        assignment[stream] = best
        queues[now.agent] = rest
        queues[options[best].agent] = [*queues[options[best].agent], options[best]]
        return True

    def _swap_any(self, assignment: list[int], queues: list[list[Option]], order: list[int]) -> bool:
        """Swap the agents of the first pair of streams that gains by it."""
        tried = 0
        for n, one in enumerate(order):
            for other in order[n + 1:]:
                if tried >= SWAPS or self._spent():
                    return False
                first, second = self._instance.options[one], self._instance.options[other]
                if first[assignment[one]].agent != second[assignment[other]].agent:
                    tried += 1
                    if self._swap(assignment, queues, one, other):
                        return True
        return False

    def _swap(self, assignment: list[int], queues: list[list[Option]], one: int, other: int) -> bool:
        a, b = self._instance.options[one][assignment[one]], self._instance.options[other][assignment[other]]
        to_b, to_a = self._by_agent[one].get(b.agent), self._by_agent[other].get(a.agent)
        if not to_b or not to_a:
            return False
        new_b, new_a = self._instance.options[one][to_b[0]], self._instance.options[other][to_a[0]]
        at_a = [*(o for o in queues[a.agent] if o is not a), new_a]
        at_b = [*(o for o in queues[b.agent] if o is not b), new_b]
        before = self._queue(queues[a.agent]) + self._queue(queues[b.agent])
        if not before - self._queue(at_a) - self._queue(at_b) > GAIN:     # NaN is no gain
            return False
        queues[a.agent], queues[b.agent] = at_a, at_b
        assignment[one], assignment[other] = to_b[0], to_a[0]
        return True

    def _queues(self, assignment: Sequence[int]) -> list[list[Option]]:
        queues: list[list[Option]] = [[] for _ in self._instance.agents]
        for options, n in zip(self._instance.options, assignment, strict=True):
            queues[options[n].agent].append(options[n])
        return queues

    def _queue(self, options: list[Option]) -> float:
        """Cost of one agent's queue, cached."""
        if not options:
            return 0.0
        key = tuple(sorted(o.number for o in options))
        cost = self._costs.get(key)
        if cost is None:
            self.evaluations += 1
            cost = self._costs[key] = agent_cost(
                self._instance, options[0].agent, sorted(options, key=lambda o: o.number)
            )
        return cost
