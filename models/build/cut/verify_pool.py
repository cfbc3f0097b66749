"""Verifies many cuts on all cores, in processes: ONNX Runtime holds the GIL while it loads a graph."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor

import onnx

from models.build.cut.partition import candidate_cuts
from models.build.cut.verify import CutReport, CutResult, Whole, check_cut, summarize
from models.build.graph.graph import Graph
from models.build.graph.repeatable import Feed
from models.build.measure.random_inputs import Given

MIN_CUTS_FOR_POOL = 24
"""With fewer cuts, the start of the processes takes longer than they save."""

Progress = Callable[[int, int], None]
"""Called with the number done, and the total."""


def verify(
    graph: Graph, feeds: Sequence[Feed], names: Sequence[str] | None = None,
    progress: Progress = lambda done, of: None,
) -> CutReport:
    """Check each cut of a graph separately: the whole against two stages.

    Args: feeds: two or more inputs. names: the cuts to check; default: all.
    Raises: BadInput for a graph that cannot be loaded or run.
    """
    found = [cut for cut in candidate_cuts(graph) if names is None or cut.name in names]
    results: list[CutResult] = []
    whole = Whole(graph, feeds)
    if len(found) < MIN_CUTS_FOR_POOL or whole.unusable:
        for cut in found:
            progress(len(results), len(found))
            results.append(check_cut(whole, cut))
        return summarize(results, whole)
    with ProcessPoolExecutor(len(os.sched_getaffinity(0)), multiprocessing.get_context("spawn"),
                             _open, (graph.model.SerializeToString(), graph.given, feeds)) as pool:
        for one in pool.map(_check, [cut.name for cut in found]):
            progress(len(results), len(found))
            results.append(one)
    return summarize(results, whole)


_opened: list[tuple[Whole, dict]] = []
"""In a process of the pool: its graph, and the cuts by name."""


def _open(content: bytes, given: Given, feeds: Sequence[Feed]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)         # the parent process handles Ctrl-C
    graph = Graph(onnx.load_model_from_string(content), given)
    _opened.append((Whole(graph, feeds), {cut.name: cut for cut in candidate_cuts(graph)}))


def _check(name: str) -> CutResult:
    whole, found = _opened[0]
    return check_cut(whole, found[name])
