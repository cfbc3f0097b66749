"""Which point runs next, which block is repeated, and when a point counts. Deterministic.

A block is repeated as a whole: if only the runs of one arm were, a busy host would be measured more often than the
other. Its arms follow each other, so that with one run at a time they are back to back.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from swarm.experiments.design.points import Cell

MOST_LOSSES = 3                      # of the process that ran a point: then the point has failed


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """One point. seed: of its block; `run_seed` is what it flies with: that of a control may be another one."""

    id: str
    values: Cell                     # of all axes
    cell: Cell                       # of all but the compared one
    arm: str
    seed: int
    run_seed: int


class Ran(msgspec.Struct, frozen=True, kw_only=True):
    """A finished run of a point: a line of the journal."""

    id: str
    took_s: float
    code: str = ""                   # hash of the code
    revision: str = ""
    error: str = ""                  # why there is no result
    invalid: list[str] = []          # why it does not count
    values: dict[str, float | None] = {}     # of the metrics

    @property
    def counts(self) -> bool:
        """Whether it has a result that counts."""
        return not self.error and not self.invalid


def newest_code(ran: Iterable[Ran]) -> list[Ran]:
    """Of each point the runs since its code last changed: only these have left what lies in its run folder."""
    runs: dict[str, list[Ran]] = {}
    for run in ran:
        known = runs.setdefault(run.id, [])
        if known and known[-1].code != run.code:
            known.clear()
        known.append(run)
    return [run for known in runs.values() for run in known]


class Sweep:
    """The runs of all blocks. ran: the runs that have finished before, in order. repeats: of a block, at most."""

    def __init__(self, blocks: Iterable[Sequence[Point]], ran: Iterable[Ran] = (), repeats: int = 0) -> None:
        self.blocks: list[Sequence[Point]] = []
        self._block_of: dict[str, Sequence[Point]] = {}
        self._runs: dict[str, list[Ran]] = {}
        self._losses: dict[str, int] = {}
        self._repeats = repeats
        self._waiting: deque[Point] = deque()
        for run in ran:
            self._runs.setdefault(run.id, []).append(run)
        self.add(blocks)

    def add(self, blocks: Iterable[Sequence[Point]]) -> None:
        """More blocks: those of further seeds."""
        for block in blocks:
            self.blocks.append(block)
            self._block_of |= {point.id: block for point in block}
            self._waiting += self._pending(block)

    @property
    def left(self) -> int:
        """Points that wait for a run."""
        return len(self._waiting)

    def next(self) -> Point | None:
        """The point to run now; None: none waits, but a run that has not ended may call for more."""
        return self._waiting.popleft() if self._waiting else None

    def ended(self, ran: Ran) -> None:
        """A run has finished. If its block is complete and does not count, it is repeated next."""
        self._runs.setdefault(ran.id, []).append(ran)
        block = self._block_of[ran.id]
        if len({self._rounds(point) for point in block}) == 1:
            self._waiting.extendleft(reversed(self._pending(block)))

    def lost(self, id: str) -> bool:
        """The process that ran a point has vanished. False: that has happened too often; the point is not run again."""
        self._losses[id] = self._losses.get(id, 0) + 1
        if self._losses[id] >= MOST_LOSSES:
            return False
        self._waiting.appendleft(next(point for point in self._block_of[id] if point.id == id))
        return True

    def newest(self) -> Mapping[str, Ran]:
        """The newest run of each point that has one."""
        return {id: runs[-1] for id, runs in self._runs.items() if id in self._block_of}

    def block_counts(self, point: Point) -> bool:
        """Whether every run of the point's block counts: one that does not takes all arms out."""
        runs = [self._runs.get(other.id) for other in self._block_of[point.id]]
        return all(of is not None and of[-1].counts for of in runs)

    def repeated(self) -> int:
        """Runs that were repeated."""
        return sum(len(runs) - 1 for id, runs in self._runs.items() if id in self._block_of)

    def _rounds(self, point: Point) -> int:
        return len(self._runs.get(point.id, ()))

    def _pending(self, block: Sequence[Point]) -> list[Point]:
        """The points of a block that must run now: those that are a round behind or, in a new round, all."""
        rounds = max(map(self._rounds, block))
        behind = [point for point in block if self._rounds(point) < rounds]
        if not rounds or behind:
            return behind or list(block)
        newest = [self._runs[point.id][-1] for point in block]
        again = rounds <= self._repeats and any(run.invalid for run in newest) and not any(run.error for run in newest)
        return list(block) if again else []
