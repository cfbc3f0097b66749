"""Which point runs next, which block is repeated, and when a point counts. Deterministic.

A block is repeated as a whole: if only the runs of one arm were, a busy host would be measured more often than the
other. Its arms follow each other, so that with one run at a time they are back to back. Each time that a block is flown
is a round; a block counts by its newest one.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence

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
    round: int = 0                   # of its block: 0: the first time that it was flown
    ended_at: float = 0.0            # s since 1970, UTC
    host: str = ""                   # on which it ran in real time, and since which start of that host
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
    """The runs of all blocks.

    Args: ran: the runs that have finished before, in order. repeats: of a block, at most. elsewhere: whether a run can
    have no other beside it in its block any more, as it was on another host.
    """

    def __init__(
        self, blocks: Iterable[Sequence[Point]], ran: Iterable[Ran] = (), repeats: int = 0,
        elsewhere: Callable[[Ran], bool] = lambda ran: False,
    ) -> None:
        self.blocks: list[Sequence[Point]] = []
        self._block_of: dict[str, Sequence[Point]] = {}
        self._runs: dict[str, list[Ran]] = {}
        self._round: dict[str, int] = {}             # that a point's block is in
        self._losses: dict[str, int] = {}
        self._repeats, self._elsewhere = repeats, elsewhere
        self._waiting: deque[Point] = deque()
        for run in ran:
            self._runs.setdefault(run.id, []).append(run)
        self.add(blocks)

    def add(self, blocks: Iterable[Sequence[Point]]) -> None:
        """More blocks: those of further seeds."""
        for block in blocks:
            self.blocks.append(block)
            self._block_of |= {point.id: block for point in block}
            number = max((run.round for point in block for run in self._runs.get(point.id, ())), default=0)
            self._enter(block, number)
            missing = [point for point in block if self._run(point) is None]
            if missing and any(map(self._elsewhere, self._flown(block))):
                self._enter(block, number + 1)
                self._waiting += block
            else:
                self._waiting += missing or self._repeated(block)

    @property
    def left(self) -> int:
        """Points that wait for a run."""
        return len(self._waiting)

    def next(self) -> Point | None:
        """The point to run now; None: none waits, but a run that has not ended may call for more."""
        return self._waiting.popleft() if self._waiting else None

    def round(self, id: str) -> int:
        """Of the block of a point: that in which it runs now."""
        return self._round[id]

    def ended(self, ran: Ran) -> None:
        """A run of this round has finished. If its block is complete and does not count, it is repeated next."""
        self._runs.setdefault(ran.id, []).append(ran)
        block = self._block_of[ran.id]
        if len(self._flown(block)) == len(block):
            self._waiting.extendleft(reversed(self._repeated(block)))

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

    def runs(self) -> list[Ran]:
        """All runs of its points."""
        return [run for id, runs in self._runs.items() if id in self._block_of for run in runs]

    def block_counts(self, point: Point) -> bool:
        """Whether every run of the point's block counts: one that does not takes all arms out."""
        block = self._block_of[point.id]
        return sum(run.counts for run in self._flown(block)) == len(block)

    def repeated(self) -> int:
        """Runs that were repeated."""
        return sum(len(runs) - 1 for id, runs in self._runs.items() if id in self._block_of)

    def apart_s(self) -> float:
        """The longest time that lay between the runs of one block that counts, in which nothing of it ran."""
        return max((_apart_s(self._flown(block)) for block in self.blocks if self.block_counts(block[0])), default=0.0)

    def _enter(self, block: Sequence[Point], number: int) -> None:
        self._round |= {point.id: number for point in block}

    def _run(self, point: Point) -> Ran | None:
        """The run of a point in the round of its block."""
        runs = self._runs.get(point.id)
        return runs[-1] if runs and runs[-1].round == self._round[point.id] else None

    def _flown(self, block: Sequence[Point]) -> list[Ran]:
        """The runs of a block in its round, so far."""
        return [run for point in block if (run := self._run(point)) is not None]

    def _repeated(self, block: Sequence[Point]) -> list[Point]:
        """The points of a block whose round is complete, if it must be flown again."""
        runs = [self._runs[point.id] for point in block]
        whole = set[int].intersection(*({run.round for run in of} for of in runs))
        newest = [of[-1] for of in runs]
        if len(whole) > self._repeats or any(run.error for run in newest) or not any(run.invalid for run in newest):
            return []
        self._enter(block, newest[0].round + 1)
        return list(block)


def _apart_s(runs: Sequence[Ran]) -> float:
    """The longest time between the end of one run and the begin of the next."""
    ordered = sorted(runs, key=lambda run: run.ended_at)
    return max((after.ended_at - after.took_s - before.ended_at for before, after in itertools.pairwise(ordered)),
               default=0.0)
