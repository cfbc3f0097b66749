"""From a float model to its int8 variants: quantized, judged, stored, measured. One path for recipe and command."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import onnx
from onnx import ModelProto

from models import profiles, store
from models.build.cut.cut_variants import staged
from models.build.measure import profiler
from models.build.measure.batch_axis import batched, single
from models.build.quantize.scheme_search import Trial, quantize
from models.build.quantize.quantizer_setup import QuantizerSetup
from models.profiles import ModelProfile, slowed
from swarm.core.policy.plan import MOST_AT_ONCE
from swarm.core.settings.cards import Card, Gate, Variant

Say = Callable[[str], None]


class QuantizationResult(msgspec.Struct, frozen=True, kw_only=True):
    """The card with its new variants, which those are, and what all variants take on this machine."""

    card: Card
    made: list[str]
    profile: ModelProfile


def original(card: Card) -> str:
    """The variant that others are made from."""
    return next(key for key, variant in card.variants.items() if not variant.parent)


def load(card: Card, folder: Path | None = None) -> ModelProto:
    """The original's graph, for one input."""
    return single(onnx.load(store.artefact(card, original(card), folder)))


def make_int8_variants(
    card: Card, used: QuantizerSetup, *, folder: Path | None = None, say: Say = lambda _: None,
    tell: Say = lambda _: None,
) -> QuantizationResult:
    """Make int8 variants of the original, keep those that the judge lets pass, and profile all on this machine.

    A variant that was there under the same name is replaced; where that or the original is in stages, the new one is
    cut, too, and where the original takes several inputs at once, so does the new one if it can. Card and profile are
    saved in `folder`, by default at home, if anything passed. `tell` hears of every trial, `say` of progress.
    Raises: ValueError, as `quantize`; BadInput, as `staged`.
    """
    parent = original(card)
    trials = quantize(load(card, folder), used.inputs, used.judge, tell)
    before, variants = card.variants, dict(card.variants)
    for key, trial in trials.items():
        say(f"measuring {card.name} {key}")
        variants[key] = _variant(before[parent], parent, trial, used, folder)
    card = msgspec.structs.replace(card, variants=variants)
    for key in trials:
        if stages := max(len(entry.stages) for entry in (before[parent], before.get(key, before[parent]))):
            card = staged(card, stages, [key], folder, say)
    if before[parent].batch > 1:
        card = batched(card, list(trials), folder, used.inputs[:MOST_AT_ONCE])
    taken = profiler.profile(card, rounds=profiler.ROUNDS, folder=folder, say=say)
    if trials:
        timed = {key: _timed(card, key, parent, taken) if key in trials else variant
                 for key, variant in card.variants.items()}
        card = msgspec.structs.replace(card, variants=timed)
        store.save_card(card, folder)
        profiles.save(taken, folder)
    return QuantizationResult(card=card, made=list(trials), profile=taken)


def _variant(parent: Variant, parent_key: str, trial: Trial, used: QuantizerSetup, folder: Path | None) -> Variant:
    """As on the card, but for memory and times, which are the parent's until they are measured."""
    sha256, size_bytes = store.put(trial.model.SerializeToString(), folder)
    metrics, errors = used.measure(trial.model)
    return Variant(
        precision="int8", sha256=sha256, bytes=size_bytes, memory_bytes=parent.memory_bytes, metrics=metrics,
        run_time=parent.run_time, error_model=errors, parent=parent_key, way=str(trial),
        gate=Gate(metric=used.judge.metric, value=trial.score, floor=used.judge.floor),
        providers=["cpu"] if trial.way.ranges is None else [],       # TensorRT knows no dynamic quantization
    )


def _timed(card: Card, key: str, parent: str, taken: ModelProfile) -> Variant:
    """With memory as measured, and times as on the host that made the card: by the ratio to the parent, here."""
    pace = taken.variants[parent].whole.run_time.p50_ms / card.variants[parent].run_time.p50_ms
    variant, measured = card.variants[key], taken.variants[key]
    whole, *stages = (
        msgspec.structs.replace(entry, memory_bytes=piece.memory_bytes, run_time=slowed(piece.run_time, pace))
        for entry, piece in zip((variant, *variant.stages), (measured.whole, *measured.stages), strict=True))
    batch_times = {inputs: slowed(time, pace) for inputs, time in measured.batches.items()}
    return msgspec.structs.replace(whole, stages=stages, batch_times=batch_times)
