"""Makes the variants of a float variant for TensorRT, fp16 and int8; judges, cuts, stores and describes them.

The CPU on which they are judged computes fp16 in fp32 between casts, and int8 by rounding in float, as TensorRT rounds.
It is no measure of their speed: the card has the times of the CPU's variant of the same arithmetic, which is what the
speed of an emulated board divides. A real board measures with `swarm models profile`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
from onnx import ModelProto

from models import store
from models.build.cut.cut_variants import cut_variants
from models.build.measure.load_cost import memory_bytes
from models.build.measure.runner import RunnerError
from models.build.quantize.int8_graphs import Scheme
from models.build.quantize.int8_variants import load, original
from models.build.quantize.quantizer_form import QuantizerError, prepared
from models.build.quantize.quantizer_setup import QuantizerSetup
from models.build.quantize.scheme_search import RANGES, Search
from models.build.quantize.weights import check_weights
from models.build.tensorrt.graphs import half, signed_int8
from models.build.tensorrt.rewriting import rewritten
from models.profiles import slowed
from swarm.core.settings.cards import Card, Gate, Precision, Provider, Variant, network
from swarm.core.settings.errors import BadInput

FP16, INT8 = "fp16", "int8_trt"
PROVIDERS: dict[str, list[Provider]] = {FP16: ["tensorrt", "cuda"], INT8: ["tensorrt"]}
PRECISION: dict[str, Precision] = {FP16: "fp16", INT8: "int8"}
SCHEMES = [Scheme(ranges=ranges, reduce_range=False) for ranges in RANGES]
RANGE_INPUTS = 16
"""Inputs on which the range of values is watched for fp16."""

LEAST_SHARE = 1e-3
"""Of the time of the whole: a stage without multiply-accumulates takes some time, too."""

Say = Callable[[str], None]
SetupOf = Callable[[Card, ModelProto], QuantizerSetup]


def parents(card: Card) -> list[str]:
    """The variants in float32, from which those for TensorRT are made: the original and its students."""
    return [key for key, variant in card.variants.items() if variant.precision == "fp32"]


def key_of(card: Card, parent: str, form: str) -> str:
    """The key of a form of a variant: `fp16` of the original, `student_fp16` of `student_fp32`."""
    return form if parent == original(card) else f"{parent.removesuffix('_fp32')}_{form}"


def without(card: Card, parent: str) -> Card:
    """The card without a variant and all that was made from it: it is to be trained again."""
    return msgspec.structs.replace(card, variants={key: variant for key, variant in card.variants.items()
                                                   if network(card, key) != parent})


def make_tensorrt_variants(
    card: Card, setup_of: SetupOf, *, folder: Path | None = None, only: Sequence[str] = (),
    cut: Sequence[str] = (FP16, INT8), say: Say = lambda _: None, on_trial: Say = lambda _: None,
) -> tuple[Card, list[str]]:
    """The card with the variants for TensorRT of its float32 variants that pass the gate, and their keys.

    Each is judged against the variant that it is made from. It replaces one of the same name; all others stay. It is
    cut if its parent is in stages.
    Args: setup_of: gives inputs and judge for a graph. only: the parents; default: all of `parents`. cut: the forms
    that are cut. on_trial: called with each trial.
    Raises: BadInput; ValueError with the reason if the graph cannot be quantized at all.
    """
    made: list[str] = []
    for parent in only or parents(card):
        setup = setup_of(card, load(card, folder, parent))
        for form, (model, score, way) in _graphs(load(card, folder, parent), setup, on_trial).items():
            key = key_of(card, parent, form)
            passed = score >= setup.judge.floor
            on_trial(f"{key}, {way}: {setup.judge.metric} {score:.4f}, {'passes' if passed else 'fails'} the gate at "
                     f"{setup.judge.floor:.4f}")
            if not passed:
                continue
            say(f"storing {card.name} {key}")
            entry = _variant(card, parent, form, model, score, way, setup, folder)
            card = msgspec.structs.replace(card, variants=card.variants | {key: entry})
            card = _cut(card, key, len(card.variants[parent].stages) if form in cut else 0, folder, say, on_trial)
            made.append(key)
    return card, made


def with_times(card: Card) -> Card:
    """The card on which the variants that no CPU may run have the times of their CPU's like, as it has them now.

    Stages have shares of them by their multiply-accumulates.
    """
    timed = dict(card.variants)
    for key, variant in card.variants.items():
        if variant.parent and variant.providers and "cpu" not in variant.providers:
            run_time = _like(card, variant.parent, INT8 if variant.precision == "int8" else FP16).run_time
            total = max(sum(stage.macs for stage in variant.stages), 1)
            stages = [msgspec.structs.replace(
                stage, run_time=slowed(run_time, 1 / max(stage.macs / total, LEAST_SHARE))) for stage in variant.stages]
            timed[key] = msgspec.structs.replace(variant, run_time=run_time, stages=stages)
    return msgspec.structs.replace(card, variants=timed)


def _graphs(
    model: ModelProto, setup: QuantizerSetup, on_trial: Say
) -> dict[str, tuple[ModelProto, float, str]]:
    """The graph, its score and the way it was made, by form; without those that cannot be made."""
    ready = rewritten(prepared(model))
    check_weights(model, ready)
    made: dict[str, tuple[ModelProto, float, str]] = {}
    try:
        graph, kept = half(ready, setup.inputs[:RANGE_INPUTS])
        in_float = f", {len(kept)} nodes in float: {', '.join(kept)}" if kept else ""
        made[FP16] = graph, setup.judge.score(graph), f"float16{in_float}"
    except (QuantizerError, RunnerError) as error:
        on_trial(f"{FP16}: {error}")
    search = Search(ready, setup.inputs, setup.judge, on_trial, signed_int8)
    trial = search.static(SCHEMES)
    if trial is not None:
        made[INT8] = trial.model, trial.score, f"signed symmetric {trial}"
    if not made:
        raise ValueError(f"no form for TensorRT can be made: {search.failure}")
    return made


def _variant(
    card: Card, parent: str, form: str, model: ModelProto, score: float, way: str, setup: QuantizerSetup,
    folder: Path | None,
) -> Variant:
    sha256, size_bytes = store.put(model.SerializeToString(deterministic=True), folder)
    metrics, errors = setup.measure(model)
    memory = memory_bytes(store.blob(sha256, size_bytes, folder, card.name))
    return Variant(
        precision=PRECISION[form], sha256=sha256, bytes=size_bytes, memory_bytes=memory, metrics=metrics,
        run_time=_like(card, parent, form).run_time, error_model=errors, parent=parent, way=way,
        gate=Gate(metric=setup.judge.metric, value=score, floor=setup.judge.floor), providers=PROVIDERS[form],
    )


def _like(card: Card, parent: str, form: str) -> Variant:
    """The CPU's variant of the same arithmetic: of int8 the fastest int8 one of the parent, else the parent itself."""
    same = [variant for variant in card.variants.values()
            if form == INT8 and variant.parent == parent and variant.precision == "int8"
            and "tensorrt" not in variant.providers]
    return min(same, key=lambda variant: variant.run_time.p50_ms, default=card.variants[parent])


def _cut(card: Card, key: str, stages: int, folder: Path | None, say: Say, note: Say) -> Card:
    """The card with the variant in stages, whose times are shares of the whole's by their multiply-accumulates."""
    if not stages:
        return card
    try:
        card = cut_variants(card, stages, [key], folder, say, note)
    except BadInput as error:            # the variant itself is good, and stays whole
        note(f"{key} stays whole: {error}")
        return card
    whole = card.variants[key]
    stages = [msgspec.structs.replace(stage, memory_bytes=memory_bytes(store.stage(card, key, k, folder)))
              for k, stage in enumerate(whole.stages)]
    return with_times(msgspec.structs.replace(
        card, variants=card.variants | {key: msgspec.structs.replace(whole, stages=stages)}))
