"""Verifies that the stages of a cut graph have the same outputs as the whole: they are built and run as a chain.

Float outputs must agree within `compare.ALLOWED`, int8 graphs bit for bit. If integers or int8 graphs differ, both
sides run again without fusion. If then every bit is the same, the stages compute the same as the whole, and the
difference comes from operator fusion, which the runtime cannot do across a cut. The report gives its share.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import msgspec
from numpy.typing import NDArray
from onnx import ModelProto

from models.build.cut.compare import EQUAL, Difference, difference, is_finite
from models.build.cut.partition import Cut, split
from models.build.graph.graph import Graph
from models.build.measure.runner import Runner, RunnerError
from models.pipeline import Pipeline
from models.store import ModelError

FUSED = "the runtime fuses operators across the cut; without fusion every bit is the same"
WRONG = "the stages do not compute the same as the whole"

Feed = Mapping[str, NDArray]


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


class CutReport(msgspec.Struct, frozen=True, kw_only=True):
    """Results for the cuts of one graph: `cuts` = `verified` + skipped + failed; `explained` are among the verified."""

    cuts: int
    verified: int
    skipped: list[Skipped]
    failed: list[Mismatch]
    explained: list[Mismatch]
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
        """The outputs without operator fusion."""
        runner = Runner(self.graph.model, optimise=False)
        return [runner.run_named(feed) for feed in self.feeds]

    def check(self, stages: Sequence[ModelProto]) -> tuple[Difference, str]:
        """Run the stages one after the other on every input.

        Returns: the difference and its cause: empty, `FUSED`, `WRONG`, or the error of a stage.
        """
        try:
            outputs = self._run(stages, optimise=True)
            found = self._difference(outputs, self.expected)
            if not found.mismatches:
                return found, ""
            if not self._int8 and self._difference(_floats(outputs), _floats(self.expected)).mismatches:
                return found, WRONG
            unfused = [difference(mine, right, exact=True)
                       for mine, right in zip(self._run(stages, optimise=False), self.unfused, strict=True)]
            return found, WRONG if sum(unfused, EQUAL).mismatches else FUSED
        except (RunnerError, ModelError) as error:
            return Difference(max_abs_error=float("inf"), mismatches=1, elements=1), str(error)

    def _run(self, stages: Sequence[ModelProto], *, optimise: bool) -> list[dict[str, NDArray]]:
        pipeline = Pipeline([Runner(stage, optimise=optimise) for stage in stages],
                            self.graph.inputs, self.graph.outputs)
        return [pipeline.run(feed) for feed in self.feeds]

    def _difference(self, found: Sequence[Feed], expected: Sequence[Feed]) -> Difference:
        each = (difference(mine, right, exact=self._int8, half=self._half)
                for mine, right in zip(found, expected, strict=True))
        return sum(each, EQUAL)

    def _why_unusable(self, rerun: Feed) -> str:
        if not all(is_finite(outputs) for outputs in self.expected):
            return "not finite: the output has infinite or NaN values"
        if difference(rerun, self.expected[0], exact=True).mismatches:
            return "not deterministic: the output differs from run to run on the same input"
        if not self.sensitivity:
            return "insensitive: the output does not depend on the input"
        return ""


def _floats(runs: Sequence[Feed]) -> list[Feed]:
    return [{name: value for name, value in run.items() if value.dtype.kind == "f"} for run in runs]


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


def summarize(results: Sequence[CutResult], sensitivity: float) -> CutReport:
    """The report on the results of all cuts of a graph."""
    differing = [
        Mismatch(cut=one.cut, share=one.difference.share, max_abs_error=one.difference.max_abs_error, cause=one.cause)
        for one in results if one.cause
    ]
    failed = [mismatch for mismatch in differing if mismatch.cause != FUSED]
    skipped = [Skipped(cut=one.cut, reason=one.skipped) for one in results if one.skipped]
    good = [one for one in results if not one.skipped and one.cause in ("", FUSED)]
    return CutReport(
        cuts=len(results), verified=len(good), skipped=skipped, failed=failed,
        explained=[mismatch for mismatch in differing if mismatch.cause == FUSED],
        max_abs_error=max((one.difference.max_abs_error for one in good), default=0.0), sensitivity=sensitivity,
    )
