"""Verifies that the stages of a cut graph have the same outputs as the whole: they are built and run as a chain.

Float outputs must agree within `compare.ALLOWED`, int8 graphs bit for bit. If they do not, both sides run again without
optimisation. If then every bit is the same, the stages compute the same as the whole, and the difference comes from
operator fusion, which the runtime does otherwise in a part than in the whole; graphs of any type may amplify it. The
report gives its share and size, and by how much optimisation changes the outputs of the whole. A graph in float16 runs
again in float32, because ONNX Runtime casts around its operators on a CPU, also without optimisation.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import msgspec
from numpy.typing import NDArray
from onnx import ModelProto

from models.build.cut.compare import EQUAL, Difference, difference, is_finite
from models.build.cut.in_float32 import feed_in_float32, in_float32
from models.build.cut.partition import Cut, split
from models.build.graph.graph import Graph
from models.build.graph.repeatable import Feed, cause, first_not_finite
from models.build.measure.runner import Runner, RunnerError
from models.pipeline import Pipeline
from models.store import ModelError

FUSED = "the runtime fuses other operators in the stages than in the whole; without optimisation every bit is the same"
WRONG = "the stages do not compute the same as the whole"


class Skipped(msgspec.Struct, frozen=True, kw_only=True):
    """A cut that was not checked, and the reason."""

    cut: str
    reason: str


class Mismatch(msgspec.Struct, frozen=True, kw_only=True):
    """A cut whose outputs differ from the whole's by more than allowed, and the cause."""

    cut: str
    share: float                     # of the outputs' elements
    max_abs_error: float
    cause: str
    words: str                       # share and size, for people

    def __str__(self) -> str:
        return f"{self.cut}: {self.cause}: {self.words}"


def mismatch(what: str, difference: Difference, cause: str) -> Mismatch | None:
    """The result of a check of `what` that found a difference; None if it found none."""
    return Mismatch(cut=what, share=difference.share, max_abs_error=difference.max_abs_error, cause=cause,
                    words=str(difference)) if cause else None


def in_words(optimised: Difference) -> str:
    """What optimisation does to the outputs of the whole, as the measure of a difference that fusion makes."""
    return f"between the whole with and without optimisation, {optimised}"


class CutReport(msgspec.Struct, frozen=True, kw_only=True):
    """Results for the cuts of one graph: `cuts` = `verified` + skipped + failed; `explained` are among the verified."""

    cuts: int
    verified: int
    skipped: list[Skipped]
    failed: list[Mismatch]
    explained: list[Mismatch]
    optimised: Difference            # of the whole with optimisation from the whole without; EQUAL if none is explained
    max_abs_error: float             # over the verified cuts
    sensitivity: float               # share of the outputs' elements that depend on the input


class Whole:
    """The uncut graph and its outputs on the inputs of the check: the reference for its stages.

    unusable: why the graph cannot serve as a reference; empty if it can.
    sensitivity: share of the outputs' elements that change with the input by more than the tolerance.
    Raises: RunnerError if the graph cannot be loaded or run.
    """

    def __init__(self, graph: Graph, feeds: Sequence[Feed]) -> None:
        self.graph, self.feeds = graph, feeds
        self._int8 = any("Quantize" in node.op_type or node.op_type.startswith("QLinear") for node in graph.nodes)
        self._half = any(spec.dtype == "float16" for spec in graph.specs.values())
        runner = Runner(graph.model)
        self.expected = [runner.run_named(feed) for feed in feeds]
        changed = (self._difference([other], self.expected[:1]).share for other in self.expected[1:])
        self.sensitivity = max(changed, default=0.0)
        self.unusable = self._why_unusable(runner.run_named(feeds[0]))

    @cached_property
    def unfused(self) -> list[dict[str, NDArray]]:
        """The outputs without operator fusion; of a graph in float16, in float32."""
        runner = Runner(self._plain(self.graph.model), optimise=False)
        return [runner.run_named(self._plain_feed(feed)) for feed in self.feeds]

    @property
    def optimised(self) -> Difference:
        """By how much optimisation changes the outputs of the whole."""
        runner = Runner(self.graph.model, optimise=False)
        return self._difference(self.expected, [runner.run_named(feed) for feed in self.feeds])

    def check(self, stages: Sequence[ModelProto]) -> tuple[Difference, str]:
        """Run the stages one after the other on every input.

        Returns: the difference and its cause: empty, `FUSED`, `WRONG`, or the error of a stage.
        """
        try:
            outputs = self._run(stages, optimise=True)
            found = self._difference(outputs, self.expected)
            if not found.mismatches:
                return found, ""
            unfused = [difference(mine, right, exact=True)
                       for mine, right in zip(self._run(stages, optimise=False), self.unfused, strict=True)]
            return found, WRONG if sum(unfused, EQUAL).mismatches else FUSED
        except (RunnerError, ModelError) as error:
            return Difference(max_abs_error=float("inf"), mismatches=1, elements=1), str(error)

    def _run(self, stages: Sequence[ModelProto], *, optimise: bool) -> list[dict[str, NDArray]]:
        parts = stages if optimise else [self._plain(stage) for stage in stages]
        pipeline = Pipeline([Runner(part, optimise=optimise) for part in parts], self.graph.inputs, self.graph.outputs)
        return [pipeline.run(feed if optimise else self._plain_feed(feed)) for feed in self.feeds]

    def _plain(self, model: ModelProto) -> ModelProto:
        return in_float32(model) if self._half else model

    def _plain_feed(self, feed: Feed) -> Feed:
        return feed_in_float32(feed) if self._half else feed

    def _difference(self, found: Sequence[Feed], expected: Sequence[Feed]) -> Difference:
        each = (difference(mine, right, exact=self._int8, half=self._half)
                for mine, right in zip(found, expected, strict=True))
        return sum(each, EQUAL)

    def _why_unusable(self, rerun: Feed) -> str:
        for feed, outputs in zip(self.feeds, self.expected, strict=True):
            if not is_finite(outputs):
                node = first_not_finite(self.graph.model, feed)
                return "not finite: the output has infinite or NaN values" + (f", first made by {node}" if node else "")
        if difference(rerun, self.expected[0], exact=True).mismatches:
            return "not deterministic: {} {}; {}".format(*cause(self.graph.model, self.feeds))
        if not self.sensitivity:
            return (f"insensitive: the output is the same on the {len(self.feeds)} inputs tried; others may change it: "
                    "--input NAME=FILE.npy")
        return ""


class CutResult(msgspec.Struct, frozen=True, kw_only=True):
    """The result of the check of one cut; `skipped`: why it was not checked."""

    cut: str
    difference: Difference = EQUAL
    cause: str = ""
    skipped: str = ""


def check_cut(whole: Whole, cut: Cut) -> CutResult:
    """Check one cut: the whole against two stages."""
    if reason := cut.refused or whole.unusable:
        return CutResult(cut=cut.name, skipped=reason)
    difference, cause = whole.check(split(whole.graph, [cut]))
    return CutResult(cut=cut.name, difference=difference, cause=cause)


def summarize(results: Sequence[CutResult], whole: Whole) -> CutReport:
    """The report on the results of all cuts of a graph."""
    differing = [found for one in results if (found := mismatch(one.cut, one.difference, one.cause))]
    skipped = [Skipped(cut=one.cut, reason=one.skipped) for one in results if one.skipped]
    good = [one for one in results if not one.skipped and one.cause in ("", FUSED)]
    explained = [one for one in differing if one.cause == FUSED]
    return CutReport(
        cuts=len(results), verified=len(good), skipped=skipped,
        failed=[one for one in differing if one.cause != FUSED],
        explained=explained, optimised=whole.optimised if explained else EQUAL,
        max_abs_error=max((one.difference.max_abs_error for one in good), default=0.0), sensitivity=whole.sensitivity,
    )
