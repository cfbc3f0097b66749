"""Where a graph can be cut, which cuts are worth it, and the stages that come of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto

from models.build.graph.extract import stage
from models.build.graph.graph import Graph
from swarm.core.settings.cards import TensorSpec
from swarm.core.settings.errors import BadInput

MOST_TENSORS = 8
"""What crosses a cut at most."""

SLACK = 0.1
"""Of the longest stage's time may be given up for fewer bytes between the stages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """A frontier after a node of the canonical order, told apart by what crosses it."""

    name: str                        # the first tensor that the last node before the cut makes
    position: int                    # nodes before it
    tensors: tuple[TensorSpec, ...]  # what crosses, in order of making
    macs_before: int
    macs_after: int
    refused: str = ""                # why it cannot be used; then `tensors` has only those whose type is known

    @property
    def bytes(self) -> int:
        """What travels when the stages run on two robots."""
        return sum(spec.bytes for spec in self.tensors)

    @property
    def imbalance(self) -> float:
        """0 where both sides cost the same, 1 where one side is all."""
        return abs(self.macs_before - self.macs_after) / max(self.macs_before + self.macs_after, 1)


def frontiers(graph: Graph) -> list[Cut]:
    """All cuts by position: at most one for each set of crossing tensors, at most `MOST_TENSORS` in it.

    Those whose tensors cannot travel are among them, with the reason in `refused`. Where only the int8 form of a float
    tensor is needed, the cut is behind its QuantizeLinear.
    """
    before = list(accumulate(graph.macs, initial=0))
    found: dict[frozenset[str], Cut] = {}
    for position in range(1, len(graph.nodes)):
        alive = graph.alive(position)
        if len(alive) > MOST_TENSORS or graph.is_half_int8(position):
            continue
        why = [f"{name!r} crosses: {graph.unknown[name]}" for name in alive if name in graph.unknown]
        last = graph.nodes[position - 1]
        found.setdefault(frozenset(alive), Cut(
            name=next(filter(None, last.output)), position=position, refused="; ".join(why),
            tensors=tuple(graph.specs[name] for name in alive if name in graph.specs),
            macs_before=before[position], macs_after=before[-1] - before[position],
        ))
    return list(found.values())


def cuts(model: ModelProto | Graph) -> list[Cut]:
    """The cuts that can be used, by position."""
    return [cut for cut in frontiers(_graph(model)) if not cut.refused]


def ranked(found: Sequence[Cut]) -> list[Cut]:
    """Best first: by the sum of the ranks by bytes and by balance (Borda), ties by position."""
    by_bytes, by_balance = (sorted({measure(cut) for cut in found})
                            for measure in (lambda cut: cut.bytes, lambda cut: cut.imbalance))
    rank = {cut.position: by_bytes.index(cut.bytes) + by_balance.index(cut.imbalance) for cut in found}
    return sorted(found, key=lambda cut: (rank[cut.position], cut.position))


def split(model: ModelProto | Graph, points: Sequence[Cut]) -> list[ModelProto]:
    """The stages between cuts of this model, in order: one more than there are cuts.

    Raises: BadInput for a cut that is refused; ValueError for cuts out of order.
    """
    graph = _graph(model)
    for cut in points:
        if cut.refused:
            raise BadInput(f"cut {cut.name}", cut.refused)
    ends = [0, *(cut.position for cut in points), len(graph.nodes)]
    if any(start >= end for start, end in pairwise(ends)):
        raise ValueError(f"cuts at {ends[1:-1]} are not in order within {ends[-1]} nodes")
    return [stage(graph, start, end) for start, end in pairwise(ends)]


def balanced(
    model: ModelProto | Graph, k: int, cost: Sequence[float] | None = None, shortest: float = 0.0
) -> list[Cut]:
    """The k - 1 cuts whose longest stage is shortest; fewer where the graph has no more, or stages would be too short.

    Of all such splits within `SLACK` of the best, the one with the fewest bytes crossing. Least bottleneck and then
    least bytes are each found by dynamic programming over the cuts.

    Args: cost: what the nodes before each cut of `cuts(model)` take together, and the whole last, in any unit; default:
    their multiply-accumulates. shortest: no stage takes less than this part of what it would if all took the same.
    """
    found = cuts(model)
    span = _spans(found, cost)
    for stages in range(min(k, len(found) + 1), 1, -1):
        long_enough = np.where(span >= shortest * span[0, -1] / stages, span, np.inf)
        bottleneck = _bottleneck(long_enough, stages)
        if np.isfinite(bottleneck):
            allowed = np.where(long_enough <= (1 + SLACK) * bottleneck, 0.0, np.inf)
            sizes = np.array([cut.bytes for cut in found] + [0], float)
            return [found[i] for i in _lightest(allowed, sizes, stages)]
    return []


def _spans(found: Sequence[Cut], cost: Sequence[float] | None) -> NDArray[np.float64]:
    """What a stage from boundary to boundary [b, b] costs; infinite where it would not go forward."""
    whole = [found[0].macs_before + found[0].macs_after] if found else [0]
    given = cost if cost is not None else [cut.macs_before for cut in found] + whole
    if len(given) != len(found) + 1:
        raise ValueError(f"{len(given)} costs for {len(found)} cuts and the whole")
    done = np.array([0, *given], float)
    return np.where(np.tri(len(done), dtype=bool), np.inf, done[None, :] - done[:, None])


def _bottleneck(span: NDArray[np.float64], stages: int) -> float:
    """The longest stage of the split into `stages` whose longest stage is shortest."""
    best = span[0]                               # by the boundary where the last stage so far ends
    for _ in range(stages - 1):
        best = np.maximum(best[:, None], span).min(0)
    return float(best[-1])


def _lightest(allowed: NDArray[np.float64], sizes: NDArray[np.float64], stages: int) -> list[int]:
    """The inner boundaries, less one, of the split into allowed stages with the least sum of sizes.

    Args: allowed: 0 for a stage that may be, infinite for others [b, b]. sizes: by boundary, but for the first [b - 1].
    """
    ends = np.concatenate([[0.0], sizes])
    total, came_from = allowed[0] + ends, []
    for _ in range(stages - 1):
        way = total[:, None] + allowed
        came_from.append(way.argmin(0))
        total = way.min(0) + ends
    inner, boundary = [], len(ends) - 1
    for step in reversed(came_from):
        boundary = int(step[boundary])
        inner.append(boundary - 1)
    return inner[::-1]


def _graph(model: ModelProto | Graph) -> Graph:
    return model if isinstance(model, Graph) else Graph(model)
