"""Int8 variants of a float graph: many ways are tried, a judge decides, and what it refuses is not kept.

Static graphs whose weights have 8 bits saturate on x86 without VNNI: they would pass here and fail there, and are tried
only when nothing else passes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
from onnx import ModelProto, TensorProto

from models.build.measure.runner import RunnerError
from models.build.quantize.gates import Judge
from models.build.quantize.int8_graphs import Inputs, Ranges, Way, heads, prepared, quantized, weighted
from models.build.quantize.sensitivity import ranked

RANGES: tuple[Ranges, ...] = ("minmax", "percentile", "entropy")
STATIC = [Way(ranges=ranges, per_channel=per_channel) for per_channel in (True, False) for ranges in RANGES]
STATIC_S8 = [Way(ranges=ranges, reduce_range=False) for ranges in RANGES]
DYNAMIC = [Way(ranges=None, per_channel=per_channel) for per_channel in (True, False)]
RANKED_ON = 8
"""Inputs on which layers are compared."""


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """One int8 graph and how it scored; `kept` nodes stayed in float beside the heads."""

    way: Way
    score: float
    model: ModelProto
    kept: list[str] = []

    def __str__(self) -> str:
        return f"{self.way}" + (f", {len(self.kept)} layers in float: {', '.join(self.kept)}" if self.kept else "")


def quantize(
    original: ModelProto, inputs: Sequence[Inputs], judge: Judge, say: Callable[[str], None] = lambda _: None
) -> dict[str, Trial]:
    """The best static graph as `int8` and the best dynamic one as `int8_dynamic`; each only if it passes the gate.

    `say` hears of every trial. Raises: ValueError with the reason where the graph cannot be quantized at all.
    """
    model = prepared(original)
    if not weighted(model):
        half = any(tensor.data_type == TensorProto.FLOAT16 for tensor in model.graph.initializer)
        raise ValueError("has its weights in float16, which are not quantized" if half else
                         "has no convolution or matrix product with weights: int8 would gain nothing")
    search = _Search(model, inputs, judge, say)
    best = {"int8": search.static(), "int8_dynamic": search.best(DYNAMIC)}
    return {key: trial for key, trial in best.items() if trial is not None and trial.score >= judge.floor}


class _Search:
    def __init__(
        self, model: ModelProto, inputs: Sequence[Inputs], judge: Judge, say: Callable[[str], None]
    ) -> None:
        self.model, self.inputs, self.judge, self.say = model, inputs, judge, say
        self.heads = heads(model)

    def static(self) -> Trial | None:
        """The best of the plain ways; else with more and more of the worst layers in float; else with 8-bit weights."""
        best = self.best(STATIC)
        if best is None or best.score >= self.judge.floor:
            return best
        mended = self._mended(best)
        return mended if mended.score >= self.judge.floor else self.best(STATIC_S8, mended)

    def best(self, ways: Sequence[Way], so_far: Trial | None = None) -> Trial | None:
        """The way that scores highest; the first of equals. None where no runtime runs any of them."""
        for way in ways:
            trial = self._try(way)
            if trial is not None and (so_far is None or trial.score > so_far.score):
                so_far = trial
        return so_far

    def _mended(self, trial: Trial) -> Trial:
        """The worst 1, 2, 4, ... layers in float, up to half of them, until the gate opens; else the best of these."""
        worst = ranked(self.model, trial.model, self.inputs[:RANKED_ON])
        best, k = trial, 1
        while k <= len(worst) // 2 and best.score < self.judge.floor:
            again = self._try(trial.way, worst[:k])
            if again is not None and again.score > best.score:
                best = again
            k *= 2
        return best

    def _try(self, way: Way, kept: Sequence[str] = ()) -> Trial | None:
        try:
            model = quantized(self.model, way, self.inputs, [*self.heads, *kept])
            trial = Trial(way=way, score=self.judge.score(model), model=model, kept=list(kept))
        except RunnerError as error:     # an operator that this runtime lacks in int8
            self.say(f"{way}: {error}")
            return None
        passed = "passes" if trial.score >= self.judge.floor else "fails"
        self.say(f"{trial}: {self.judge.metric} {trial.score:.4f}, {passed} the gate at {self.judge.floor:.4f}")
        return trial
