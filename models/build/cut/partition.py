"""The possible cuts of a graph, their ranking, and the stages between cuts."""

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

MAX_TENSORS = 8
"""Limit of the tensors that cross a cut."""

SLACK = 0.1
"""The longest stage may take this share longer, if fewer bytes then cross between the stages."""

STAGE_MS, FEWEST, MOST = 0.4, 2, 8
"""Run time in fp32 that is worth a stage of its own; limits of the number of stages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """A cut after a node of the canonical order, identified by the tensors that cross it."""

    name: str                        # first output of the last node before the cut
    position: int                    # number of nodes before it
    tensors: tuple[TensorSpec, ...]  # crossing tensors, in order of production
    macs_before: int
    macs_after: int
    refused: str = ""                # why it is unusable; then `tensors` has only those of known type

    @property
    def bytes(self) -> int:
        """Bytes that cross if the two sides run on two robots."""
        return sum(spec.bytes for spec in self.tensors)

    @property
    def imbalance(self) -> float:
        """0 if both sides cost the same, 1 if one side is empty."""
        return abs(self.macs_before - self.macs_after) / max(self.macs_before + self.macs_after, 1)


def candidate_cuts(graph: Graph) -> list[Cut]:
    """All cuts by position: one for each set of at most `MAX_TENSORS` crossing tensors.

    Cuts with tensors that cannot be sent are included, with the reason in `refused`. If only the int8 form of a float
    tensor is needed, the cut is after its QuantizeLinear.
    """
    before = list(accumulate(graph.macs, initial=0))
    found: dict[frozenset[str], Cut] = {}
    for position in range(1, len(graph.nodes)):
        alive = graph.alive(position)
        if len(alive) > MAX_TENSORS or graph.is_half_int8(position):
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
    """The usable cuts, by position."""
    return [cut for cut in candidate_cuts(_graph(model)) if not cut.refused]


def ranked(found: Sequence[Cut]) -> list[Cut]:
    """The cuts, best first: by the sum of their ranks in bytes and in balance (Borda count), ties by position."""
    by_bytes, by_balance = (sorted({measure(cut) for cut in found})
                            for measure in (lambda cut: cut.bytes, lambda cut: cut.imbalance))
    rank = {cut.position: by_bytes.index(cut.bytes) + by_balance.index(cut.imbalance) for cut in found}
    return sorted(found, key=lambda cut: (rank[cut.position], cut.position))


def split(model: ModelProto | Graph, points: Sequence[Cut]) -> list[ModelProto]:
    """The stages between cuts of this model, in order: one more than the number of cuts.

    Raises: BadInput for a refused cut; ValueError for cuts out of order.
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
    """The k - 1 cuts with the shortest longest stage; fewer if the graph has fewer cuts, or stages would be too short.

    Of all splits within `SLACK` of the best, the one with the fewest crossing bytes. Dynamic programming over the cuts
    finds first the least bottleneck, then the fewest bytes.

    Args: cost: total cost of the nodes before each cut of `cuts(model)`, then of all nodes, in any unit; default:
    multiply-accumulates. shortest: the least cost of a stage, as a share of an equal share of the total.
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
    """Cost of a stage from boundary i to boundary j, [b, b]; infinite for i >= j."""
    whole = [found[0].macs_before + found[0].macs_after] if found else [0]
    totals = cost if cost is not None else [cut.macs_before for cut in found] + whole
    if len(totals) != len(found) + 1:
        raise ValueError(f"{len(totals)} costs for {len(found)} cuts and the whole")
    done = np.array([0, *totals], float)
    return np.where(np.tri(len(done), dtype=bool), np.inf, done[None, :] - done[:, None])


def _bottleneck(span: NDArray[np.float64], stages: int) -> float:
    """The least possible cost of the longest stage in a split into `stages`."""
    best = span[0]                               # least bottleneck up to each boundary
    for _ in range(stages - 1):
        best = np.maximum(best[:, None], span).min(0)
    return float(best[-1])


def _lightest(allowed: NDArray[np.float64], sizes: NDArray[np.float64], stages: int) -> list[int]:
    """The inner boundaries, as indices of cuts, of the split into allowed stages with the least sum of sizes.

    Args: allowed: 0 for an allowed stage, else infinite [b, b]. sizes: bytes at each boundary but the first [b - 1].
    """
    ends = np.concatenate([[0.0], sizes])
    total, came_from = allowed[0] + ends, []
    for _ in range(stages - 1):
        sums = total[:, None] + allowed
        came_from.append(sums.argmin(0))
        total = sums.min(0) + ends
    inner, boundary = [], len(ends) - 1
    for step in reversed(came_from):
        boundary = int(step[boundary])
        inner.append(boundary - 1)
    return inner[::-1]


def _graph(model: ModelProto | Graph) -> Graph:
    return model if isinstance(model, Graph) else Graph(model)


def stages_worth(fp32_ms: float) -> int:
    """The number of stages of a network that takes so long in fp32: a stage of a short run costs more than it gives."""
    return min(max(round(fp32_ms / STAGE_MS), FEWEST), MOST)
