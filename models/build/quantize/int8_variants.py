"""Makes the int8 variants of a float model: quantizes, judges, stores and measures. Used by recipe and command."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import onnx
from onnx import ModelProto

from models import profiles, store
from models.build.cut.cut_variants import cut_variants
from models.build.measure import profiler
from models.build.measure.batch_axis import batched, single
from models.build.quantize.quantizer_setup import QuantizerSetup
from models.build.quantize.scheme_search import Trial, quantize
from models.profiles import ModelProfile, slowed
from swarm.core.policy.plan import MOST_AT_ONCE
from swarm.core.settings.cards import Card, Gate, Variant
from swarm.core.settings.errors import BadInput

Say = Callable[[str], None]


class QuantizationResult(msgspec.Struct, frozen=True, kw_only=True):
    """The card with its new variants, their keys, and the profile of all variants on this machine."""

    card: Card
    made: list[str]
    profile: ModelProfile


def original(card: Card) -> str:
    """The variant that the others are made from."""
    return next(key for key, variant in card.variants.items() if not variant.parent)


def load(card: Card, folder: Path | None = None, variant: str = "") -> ModelProto:
    """The graph of a variant, by default the original, for one input at once."""
    return single(onnx.load(store.artefact(card, variant or original(card), folder)))


def make_int8_variants(
    card: Card, setup: QuantizerSetup, *, folder: Path | None = None, say: Say = lambda _: None,
    on_trial: Say = lambda _: None,
) -> QuantizationResult:
    """Make int8 variants of the original, keep those that pass the gate, and profile all variants on this machine.

    A new variant replaces one of the same name. It is cut if the old variant or the original is in stages. It takes
    several inputs at once if the original does and its graph allows it. If any variant passed, card and profile are
    saved in `folder`, by default at home. `on_trial` is called with every trial, `say` with the progress.
    Raises: ValueError, as `quantize`.
    """
    parent = original(card)
    trials = quantize(load(card, folder), setup.inputs, setup.judge, on_trial)
    before, variants = card.variants, dict(card.variants)
    for key, trial in trials.items():
        say(f"measuring {card.name} {key}")
        variants[key] = _variant(before[parent], parent, trial, setup, folder)
    card = msgspec.structs.replace(card, variants=variants)
    for key in trials:
        if stages := max(len(entry.stages) for entry in (before[parent], before.get(key, before[parent]))):
            try:
                card = cut_variants(card, stages, [key], folder, say, on_trial)
            except BadInput as error:    # the variant itself is good, and stays whole
                on_trial(f"{key} stays whole: {error}")
    if before[parent].batch > 1:
        card = batched(card, list(trials), folder, setup.inputs[:MOST_AT_ONCE])
    profile = profiler.profile(card, rounds=profiler.ROUNDS, folder=folder, say=say)
    if trials:
        timed = {key: _with_times(card, key, parent, profile) if key in trials else variant
                 for key, variant in card.variants.items()}
        card = msgspec.structs.replace(card, variants=timed)
        store.save_card(card, folder)
        profiles.save(profile, folder)
    return QuantizationResult(card=card, made=list(trials), profile=profile)


def _variant(parent: Variant, parent_key: str, trial: Trial, setup: QuantizerSetup, folder: Path | None) -> Variant:
    """The entry for the card; memory and times are the parent's until they are measured."""
    sha256, size_bytes = store.put(trial.model.SerializeToString(), folder)
    metrics, errors = setup.measure(trial.model)
    return Variant(
        precision="int8", sha256=sha256, bytes=size_bytes, memory_bytes=parent.memory_bytes, metrics=metrics,
        run_time=parent.run_time, error_model=errors, parent=parent_key, way=str(trial),
        gate=Gate(metric=setup.judge.metric, value=trial.score, floor=setup.judge.floor),
        providers=["cpu"],               # TensorRT takes neither zero points other than 0 nor dynamic quantization
    )


def _with_times(card: Card, key: str, parent: str, profile: ModelProfile) -> Variant:
    """The variant with measured memory, and times scaled to the host that made the card by the ratio of the parent."""
    ratio = profile.variants[parent].whole.run_time.p50_ms / card.variants[parent].run_time.p50_ms
    variant, measured = card.variants[key], profile.variants[key]
    whole, *stages = (
        msgspec.structs.replace(entry, memory_bytes=piece.memory_bytes, run_time=slowed(piece.run_time, ratio))
        for entry, piece in zip((variant, *variant.stages), (measured.whole, *measured.stages), strict=True))
    batch_times = {inputs: slowed(time, ratio) for inputs, time in measured.batches.items()}
    return msgspec.structs.replace(whole, stages=stages, batch_times=batch_times)
