"""Verifies many cuts with all cores: processes, since ONNX Runtime holds the interpreter while it loads a graph."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor

import onnx
from onnx import ModelProto

from models.build.cut.partition import frontiers
from models.build.cut.verify import Feed, Outcome, Report, Whole, outcome, report
from models.build.graph.graph import Graph

FEW = 24
"""Cuts below which starting processes takes longer than it saves."""

Tell = Callable[[int, int], None]


def verify(
    model: ModelProto, feeds: Sequence[Feed], names: Sequence[str] | None = None, tell: Tell = lambda done, of: None
) -> Report:
    """Check each cut of a graph by itself, whole against two stages.

    Args: feeds: two inputs or more. names: the cuts to check; default: all. tell: hears how many are done, of how many.
    Raises: BadInput for a graph that cannot be loaded, run or cut.
    """
    graph = Graph(model)
    found = [cut for cut in frontiers(graph) if names is None or cut.name in names]
    outcomes: list[Outcome] = []
    whole = Whole(graph, feeds)
    if len(found) < FEW or whole.unusable:
        for cut in found:
            tell(len(outcomes), len(found))
            outcomes.append(outcome(whole, cut))
        return report(outcomes, whole.sensitivity)
    with ProcessPoolExecutor(len(os.sched_getaffinity(0)), multiprocessing.get_context("spawn"),
                             _open, (model.SerializeToString(), feeds)) as pool:
        for one in pool.map(_check, [cut.name for cut in found]):
            tell(len(outcomes), len(found))
            outcomes.append(one)
    return report(outcomes, whole.sensitivity)


_opened: list[tuple[Whole, dict]] = []
"""In a process of the pool: the graph that it was started for, and its cuts by name."""


def _open(content: bytes, feeds: Sequence[Feed]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)         # Ctrl-C is for the process that started this one
    graph = Graph(onnx.load_model_from_string(content))
    _opened.append((Whole(graph, feeds), {cut.name: cut for cut in frontiers(graph)}))


def _check(name: str) -> Outcome:
    whole, found = _opened[0]
    return outcome(whole, found[name])
