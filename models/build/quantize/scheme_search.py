"""Search for int8 variants of a float graph: many schemes are tried, and a judge refuses those of too low a score.

Static graphs with 8-bit weights saturate on x86 without VNNI: they could pass here and fail there, so they are tried
only if nothing else passes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import msgspec
from onnx import ModelProto

from models.build.measure.runner import RunnerError
from models.build.quantize.gates import Judge
from models.build.quantize.int8_graphs import Inputs, RangeMethod, Scheme, heads, quantized
from models.build.quantize.quantizer_form import QuantizerError, prepared
from models.build.quantize.sensitivity import ranked
from models.build.quantize.weights import check_weights

RANGES: tuple[RangeMethod, ...] = ("minmax", "percentile", "entropy")
STATIC = [Scheme(ranges=ranges, per_channel=per_channel) for per_channel in (True, False) for ranges in RANGES]
STATIC_S8 = [Scheme(ranges=ranges, reduce_range=False) for ranges in RANGES]
DYNAMIC = [Scheme(ranges=None, per_channel=per_channel) for per_channel in (True, False)]
RANKED_ON = 8
"""Number of inputs for the ranking of layers."""

Make = Callable[[ModelProto, Scheme, Sequence[Inputs], Collection[str]], ModelProto]


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """One int8 graph and its score; the nodes `float_layers` stayed in float beside the heads."""

    scheme: Scheme
    score: float
    model: ModelProto
    float_layers: list[str] = []

    def __str__(self) -> str:
        names = ", ".join(self.float_layers)
        return f"{self.scheme}" + (f", {len(self.float_layers)} layers in float: {names}" if names else "")


def quantize(
    original: ModelProto, inputs: Sequence[Inputs], judge: Judge, say: Callable[[str], None] = lambda _: None
) -> dict[str, Trial]:
    """The best static graph as `int8` and the best dynamic graph as `int8_dynamic`; each only if it passes the gate.

    `say` is called with every trial. Raises: ValueError with the reason if the graph cannot be quantized at all.
    """
    model = prepared(original)
    check_weights(original, model)
    search = Search(model, inputs, judge, say)
    best = {"int8": search.static(STATIC, STATIC_S8), "int8_dynamic": search.best(DYNAMIC)}
    if not any(best.values()):
        raise ValueError(f"no scheme can be tried: {search.failure}")
    return {key: trial for key, trial in best.items() if trial is not None and trial.score >= judge.floor}


class Search:
    """Tries schemes on a `prepared` graph. make: gives the int8 graph of a scheme, as `quantized` does.

    `failure`: why the last scheme that failed could not be tried.
    """

    def __init__(
        self, model: ModelProto, inputs: Sequence[Inputs], judge: Judge, say: Callable[[str], None],
        make: Make = quantized,
    ) -> None:
        self.model, self.inputs, self.judge, self.say, self._make = model, inputs, judge, say, make
        self.heads = heads(model)
        self.failure = ""

    def static(self, schemes: Sequence[Scheme], last: Sequence[Scheme] = ()) -> Trial | None:
        """The best of the static schemes; else with the worst layers in float; else the best of the `last` ones."""
        best = self.best(schemes)
        if best is None or best.score >= self.judge.floor:
            return best
        improved = self._with_float_layers(best)
        return improved if improved.score >= self.judge.floor else self.best(last, improved)

    def best(self, schemes: Sequence[Scheme], best: Trial | None = None) -> Trial | None:
        """The trial with the highest score, the first of equals; None if the runtime can run none."""
        for scheme in schemes:
            trial = self._try(scheme)
            if trial is not None and (best is None or trial.score > best.score):
                best = trial
        return best

    def _with_float_layers(self, trial: Trial) -> Trial:
        """Keep the worst 1, 2, 4, ... layers in float, up to half, until the gate passes; else the best trial."""
        try:
            worst = ranked(self.model, trial.model, self.inputs[:RANKED_ON])
        except RunnerError as error:     # a tensor that the runtime cannot show
            self.say(f"layers are not ranked: {error}")
            return trial
        best, k = trial, 1
        while k <= len(worst) // 2 and best.score < self.judge.floor:
            retrial = self._try(trial.scheme, worst[:k])
            if retrial is not None and retrial.score > best.score:
                best = retrial
            k *= 2
        return best

    def _try(self, scheme: Scheme, float_layers: Sequence[str] = ()) -> Trial | None:
        try:
            model = self._make(self.model, scheme, self.inputs, [*self.heads, *float_layers])
            trial = Trial(scheme=scheme, score=self.judge.score(model), model=model, float_layers=list(float_layers))
        except (QuantizerError, RunnerError) as error:   # the latter: an operator that this runtime lacks in int8
            self.failure = f"{scheme}: {error}"
            self.say(self.failure)
            return None
        passed = "passes" if trial.score >= self.judge.floor else "fails"
        self.say(f"{trial}: {self.judge.metric} {trial.score:.4f}, {passed} the gate at {self.judge.floor:.4f}")
        return trial
