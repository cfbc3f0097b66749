"""Whether the stages of a cut graph give what the whole gives: really built, really run, one fed by the other.

Float graphs must agree within `compare.ALLOWED`, int8 graphs bit for bit. Where whole numbers or int8 graphs do not,
both sides are run again with nothing fused: if then every bit is the same, the stages do the arithmetic of the whole,
and the difference is how the runtime fuses operators, which it cannot do across a cut. It is reported, by its share.
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

FUSED = "the runtime fuses operators across the cut; with nothing fused every bit is the same"
WRONG = "the stages compute something else than the whole"

Feed = Mapping[str, NDArray]


class Skipped(msgspec.Struct, frozen=True, kw_only=True):
    """A cut that was not checked, and why."""

    cut: str
    reason: str


class Mismatch(msgspec.Struct, frozen=True, kw_only=True):
    """A cut whose outputs differ from the whole's by more than is allowed, and why."""

    cut: str
    share: float                     # of the outputs' elements
    max_abs_error: float
    cause: str


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the cuts of one graph: `cuts` = `verified` + skipped + failed; the explained are verified ones."""

    cuts: int
    verified: int
    skipped: list[Skipped]
    failed: list[Mismatch]
    explained: list[Mismatch]
    max_abs_error: float             # of the verified
    sensitivity: float               # share of the outputs' elements that depend on the input


class Whole:
    """The uncut graph, run on the inputs of the check: what its stages must give.

    unusable: why nothing can be shown with it; empty where all is well.
    sensitivity: share of the outputs' elements that another input changes by more than stages may differ.
    Raises: RunnerError where it cannot be loaded or run.
    """

    def __init__(self, graph: Graph, feeds: Sequence[Feed]) -> None:
        self.graph, self.feeds = graph, feeds
        self._int8 = any("Quantize" in node.op_type or node.op_type.startswith("QLinear") for node in graph.nodes)
        self._half = any(spec.dtype == "float16" for spec in graph.specs.values())
        runner = Runner(graph.model)
        self.expected = [runner.named(feed) for feed in feeds]
        changed = (self._difference([other], self.expected[:1]).share for other in self.expected[1:])
        self.sensitivity = max(changed, default=0.0)
        self.unusable = self._why_unusable(runner.named(feeds[0]))

    @cached_property
    def unfused(self) -> list[dict[str, NDArray]]:
        """The outputs with every node computed by itself."""
        runner = Runner(self.graph.model, optimise=False)
        return [runner.named(feed) for feed in self.feeds]

    def check(self, stages: Sequence[ModelProto]) -> tuple[Difference, str]:
        """Run the stages one after the other on every input.

        Returns: how they differ, and why: empty, `FUSED`, `WRONG`, or that a stage cannot be loaded or run.
        """
        try:
            outputs = self._run(stages, optimise=True)
            found = self._difference(outputs, self.expected)
            if not found.mismatches:
                return found, ""
            if not self._int8 and self._difference(_floats(outputs), _floats(self.expected)).mismatches:
                return found, WRONG
            bare = [difference(mine, right, exact=True)
                    for mine, right in zip(self._run(stages, optimise=False), self.unfused, strict=True)]
            return found, WRONG if sum(bare, EQUAL).mismatches else FUSED
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

    def _why_unusable(self, again: Feed) -> str:
        if not all(is_finite(outputs) for outputs in self.expected):
            return "not finite: the output has infinite values, or some that are no numbers"
        if difference(again, self.expected[0], exact=True).mismatches:
            return "not deterministic: the output differs from run to run on the same input"
        if not self.sensitivity:
            return "insensitive: the output does not depend on the input"
        return ""


def _floats(runs: Sequence[Feed]) -> list[Feed]:
    return [{name: value for name, value in run.items() if value.dtype.kind == "f"} for run in runs]


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What the check of one cut gave; `skipped`: why it was not checked."""

    cut: str
    difference: Difference = EQUAL
    cause: str = ""
    skipped: str = ""


def outcome(whole: Whole, cut: Cut) -> Outcome:
    """One cut, whole against two stages."""
    if reason := cut.refused or whole.unusable:
        return Outcome(cut=cut.name, skipped=reason)
    difference, cause = whole.check(split(whole.graph, [cut]))
    return Outcome(cut=cut.name, difference=difference, cause=cause)


def report(outcomes: Sequence[Outcome], sensitivity: float) -> Report:
    """The outcomes of all cuts of a graph, counted."""
    differing = [
        Mismatch(cut=one.cut, share=one.difference.share, max_abs_error=one.difference.max_abs_error, cause=one.cause)
        for one in outcomes if one.cause
    ]
    failed = [mismatch for mismatch in differing if mismatch.cause != FUSED]
    skipped = [Skipped(cut=one.cut, reason=one.skipped) for one in outcomes if one.skipped]
    good = [one for one in outcomes if not one.skipped and one.cause in ("", FUSED)]
    return Report(
        cuts=len(outcomes), verified=len(good), skipped=skipped, failed=failed,
        explained=[mismatch for mismatch in differing if mismatch.cause == FUSED],
        max_abs_error=max((one.difference.max_abs_error for one in good), default=0.0), sensitivity=sensitivity,
    )
