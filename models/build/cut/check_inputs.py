"""Random inputs on which a check can rest: they change the output."""

from __future__ import annotations

from models.build.cut.compare import difference
from models.build.graph.graph import Graph
from models.build.graph.repeatable import Feed
from models.build.measure.random_inputs import random_inputs
from models.build.measure.runner import Runner, RunnerError

MORE = 6
"""Further inputs for each reach, if the first ones do not change the output."""

REACHES = (1, 4, 16, 64, 1000)
"""Sizes of the values: lengths and thresholds have a meaning that inputs near zero can miss."""


def check_inputs(graph: Graph, count: int) -> list[Feed]:
    """`count` random inputs, and one more that changes the output if these do not; if none does, all that were tried.

    Raises: RunnerError if the graph cannot be loaded, or run on the first inputs.
    """
    feeds: list[Feed] = list(random_inputs(graph.model, count, given=graph.given))
    runner = Runner(graph.model)
    first = runner.run_named(feeds[0])
    if any(_changes(runner.run_named(feed), first) for feed in feeds[1:]):
        return feeds
    for reach in REACHES:
        for feed in list(random_inputs(graph.model, count + MORE, given=graph.given, reach=reach))[count:]:
            try:
                changes = _changes(runner.run_named(feed), first)
            except RunnerError:          # an integer that the graph refuses
                continue
            feeds.append(feed)
            if changes:
                return [*feeds[:count], feed]
    return feeds


def _changes(found: Feed, first: Feed) -> bool:
    return difference(found, first, exact=False).mismatches > 0
