"""The family of a model: its students, trained, quantized, cut and added to its card as variants.

A student has the inputs and outputs of its teacher, so that tasks and routes do not change. Its run times are measured
in pairs with the teacher's int8 variant, in processor time, and scaled to that variant's times on the card: they hold
for the card's host, however busy this one is. On a busy host a short run fits between those of others and a long one
does not, so that the ratio of times by the clock would be wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import onnx
import torch
from torch import nn

from models import store
from models.build.cut.cut_variants import cut_variants, work_costs
from models.build.cut.partition import stages_worth
from models.build.measure.batch_axis import batched
from models.build.measure.batch_times import sizes, steps
from models.build.measure.load_cost import memory_bytes
from models.build.measure.profiler import times_ms
from models.build.measure.timing import Stopwatch, interleaved
from models.build.quantize.calibration_inputs import camera_inputs
from models.build.quantize.quantizer_setup import QuantizerSetup, labelled
from models.build.quantize.scheme_search import quantize
from models.build.tensorrt.variants import without
from models.build.train import frame_sets
from models.build.train.distill import LESSONS
from models.build.train.export import export
from models.build.train.students import STUDENTS
from models.build.train.train import learn
from models.profiles import slowed
from models.session import Session
from swarm.core.clock import ThreadClock
from swarm.core.policy.plan import MOST_AT_ONCE
from swarm.core.settings.cards import Card, Gate, RunTime, Variant

REFERENCE = "int8"
"""The variant that students are timed beside."""

ROUNDS = 60


def train_students(name: str, frames: int, out: Path, only: Sequence[str] = ()) -> Card:
    """Train the students of the model `name` of the store `out`, by default all, and add them to its card."""
    data = frame_sets.load(store.load_card(name, out).task, "train", frames)
    lesson, loss = LESSONS[name]
    for key in only or STUDENTS[name]:
        student = STUDENTS[name][key]
        goals = lesson(onnx.load(store.artefact(store.load_card(name, out), student.teacher, out)), data)
        network, took = learn(f"{name} {key}", student.build, data, goals, loss, student.schedule, student.minutes * 60)
        torch.save(network.state_dict(), frame_sets.DATA / f"{name}_{key}.pt")
        add_student(name, key, network, took, out)
    return store.load_card(name, out)


def add_student(name: str, key: str, network: nn.Module, took: str, out: Path) -> Card:
    """Export a student, quantize it, test, cut and time both forms, and write them to the store `out`.

    They replace all forms of the network before, those for TensorRT too, which `tensorrt.shipped` makes anew.
    took: its number of training steps, as text. Raises: ValueError if no int8 form keeps the accuracy.
    """
    file = frame_sets.DATA / f"{name}_{key}.onnx"
    export(name, network, file)
    student, float_key, int8_key = STUDENTS[name][key], f"{key}_fp32", f"{key}_int8"
    card, original = without(store.load_card(name, out), float_key), onnx.load(file)
    setup = _setup(card, original)
    trials = quantize(original, setup.inputs, setup.judge, print)
    if "int8" not in trials:
        raise ValueError(f"{name} {key}: no int8 variant keeps {card.primary_metric} above {setup.judge.floor:.4f}")
    trial = trials["int8"]
    taught = _variant(card, original, setup, out, precision="fp32", teacher=student.teacher, way="distilled")
    made = _variant(card, trial.model, setup, out, precision="int8", parent=float_key, way=str(trial),
                    gate=Gate(metric=setup.judge.metric, value=trial.score, floor=setup.judge.floor))
    schedule = student.schedule
    card = msgspec.structs.replace(
        card, variants=card.variants | {float_key: taught, int8_key: made},
        made_with=card.made_with | {key: f"{took} steps; batch {schedule.batch}, passes {schedule.passes}, "
                                         f"rate {schedule.rate}"})
    keys = [float_key, int8_key]
    card = timed_beside(card, keys, out)
    most = stages_worth(card.variants[float_key].run_time.p50_ms)
    card = cut_variants(card, most, keys, out, print, print, costs=work_costs)
    card = batched(card, keys, out, setup.inputs[:MOST_AT_ONCE])
    card = timed_beside(card, keys, out)
    store.save_card(card, out)
    store.sweep(out)
    for each in keys:
        variant = card.variants[each]
        print(f"{name} {each}: {variant.metrics}, p50 {variant.run_time.p50_ms:.2f} ms", flush=True)
    return card


def _setup(card: Card, original: onnx.ModelProto) -> QuantizerSetup:
    calibration, choose, test = (frame_sets.load(card.task, kind, *used) for kind, used in frame_sets.USED.items())
    return labelled(card, original, camera_inputs(calibration.images, card), choose, test)


def _variant(card: Card, model: onnx.ModelProto, setup: QuantizerSetup, out: Path, **facts: object) -> Variant:
    """Its times are the reference's until they are measured."""
    sha256, size_bytes = store.put(model.SerializeToString(), out)
    metrics, errors = setup.measure(model)
    return msgspec.convert(facts | {
        "sha256": sha256, "bytes": size_bytes, "memory_bytes": 0, "metrics": metrics, "error_model": errors,
        "run_time": card.variants[REFERENCE].run_time}, Variant, from_attributes=True)


def timed_beside(card: Card, keys: Sequence[str], out: Path) -> Card:
    """The card with memory and times of these variants, timed in pairs with the reference, which keeps its times."""
    files = {REFERENCE: store.artefact(card, REFERENCE, out)}
    for key in keys:
        files |= {(key, -1): store.artefact(card, key, out)}
        files |= {(key, k): store.stage(card, key, k, out) for k in range(len(card.variants[key].stages))}
    took = times_ms(files, ROUNDS, Stopwatch(ThreadClock()))
    reference = card.variants[REFERENCE].run_time
    entries = dict(card.variants)
    for key in keys:
        whole, *stages = (
            msgspec.structs.replace(
                entry, memory_bytes=memory_bytes(files[key, k]),
                run_time=scaled(reference, took[key, k] / took[REFERENCE]))
            for k, entry in enumerate((entries[key], *entries[key].stages), -1))
        entries[key] = _with_batches(msgspec.structs.replace(whole, stages=stages), files[key, -1])
    return msgspec.structs.replace(card, variants=entries)


def _with_batches(variant: Variant, file: Path) -> Variant:
    """With its times of batches, from the ratio of a batch to as many single runs."""
    session = Session(file)
    pairs = {n: steps(session, n, Stopwatch(ThreadClock())) for n in sizes(variant)}
    took = interleaved({(n, i): pair[i] for n, pair in pairs.items() for i in (0, 1)}, ROUNDS) if pairs else {}
    times = {n: scaled(variant.run_time, n * took[n, 1][:, 0] / took[n, 0][:, 0]) for n in pairs}
    return msgspec.structs.replace(variant, batch_times=times)


def scaled(reference: RunTime, ratios: np.ndarray) -> RunTime:
    """The times of a file that takes so many times as long as the reference did beside it, in each round."""
    return slowed(reference, 1.0 / float(np.median(ratios)))
