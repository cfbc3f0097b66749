"""Makes graphs take several inputs at once: frees the first axis, and compares the results with single runs.

The variant's file itself gets the free axis, so that nothing is loaded twice. A graph stays unchanged if it fails on a
batch or computes something else, for example with a reshape to a leading 1 or an average over all inputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto

from models import store
from models.batch_sizes import SIZES
from models.build.cut.compare import difference
from models.build.graph.normalize import bind
from models.build.measure import batch_times
from models.build.measure.random_inputs import random_inputs
from models.build.measure.runner import Runner, RunnerError
from swarm.core.settings.cards import BATCH_AXIS, Card

Feed = dict[str, NDArray]


def single(model: ModelProto) -> ModelProto:
    """A copy that takes one input at once, for cutting, quantization and comparison."""
    copy = ModelProto()
    copy.CopyFrom(model)
    if BATCH_AXIS in (side.dim_param for value in copy.graph.input for side in value.type.tensor_type.shape.dim[:1]):
        bind(copy, {BATCH_AXIS: 1})
    return copy


def with_free_axis(model: ModelProto) -> ModelProto | None:
    """A copy whose inputs and outputs have a free first axis; None if the first axis of any is not 1."""
    copy = ModelProto()
    copy.CopyFrom(model)
    ends = [value.type.tensor_type.shape.dim for value in (*copy.graph.input, *copy.graph.output)]
    if not all(sides and sides[0].dim_value == 1 for sides in ends):
        return None
    for sides in ends:
        sides[0].dim_param = BATCH_AXIS
    del copy.graph.value_info[:]
    return copy


def most_at_once(model: ModelProto, free: ModelProto, real: Sequence[Feed] = ()) -> int:
    """The largest batch size at which `free` has the same results as `model` has for each input alone; 1: no batches.

    All of `SIZES` up to it are checked, on random and `real` inputs. Float outputs must agree within `compare.ALLOWED`,
    those of int8 graphs bit for bit; a single input must give the same bits in both graphs.
    """
    int8 = any("Quantize" in node.op_type or node.op_type.startswith("QLinear") for node in model.graph.node)
    feeds = [*real, *random_inputs(model, max(SIZES))][:max(SIZES)]
    alone, together = Runner(model), _loaded(free)
    if together is None:
        return 1
    expected = [alone.run_named(feed) for feed in feeds]
    most = 1
    for inputs in (1, *SIZES):
        if not _same(together, feeds[:inputs], expected[:inputs], exact=int8 or inputs == 1):
            break
        most = inputs
    return most


def batched(card: Card, variants: Sequence[str], folder: Path | None = None, real: Sequence[Feed] = ()) -> Card:
    """The card with files of `variants` that take the largest possible batches; batch times are not measured.

    A variant without batches keeps its file.
    """
    entries = dict(card.variants)
    for key in variants:
        model = single(onnx.load(store.artefact(card, key, folder)))
        free = with_free_axis(model)
        most = most_at_once(model, free, real) if free is not None else 1
        if free is not None and most > 1:
            sha256, size_bytes = store.put(free.SerializeToString(deterministic=True), folder)
            entries[key] = msgspec.structs.replace(
                entries[key], sha256=sha256, bytes=size_bytes, batch=most, batch_times={},
            )
    return msgspec.structs.replace(card, variants=entries)


def timed(card: Card, variants: Sequence[str], folder: Path | None = None) -> Card:
    """The card with measured batch times, scaled to its run times of one input."""
    entries = dict(card.variants)
    made = batch_times.times({key: (store.artefact(card, key, folder), entries[key]) for key in variants})
    entries |= {key: msgspec.structs.replace(entries[key], batch_times=made[key]) for key in variants}
    return msgspec.structs.replace(card, variants=entries)


def _loaded(free: ModelProto) -> Runner | None:
    try:
        return Runner(free)
    except RunnerError:                  # a shape in the graph depends on the first axis
        return None


def _same(runner: Runner, feeds: Sequence[Feed], expected: Sequence[Feed], *, exact: bool) -> bool:
    """Whether a batch of all inputs has the same results as each input alone."""
    try:
        made = runner.run_named({name: np.concatenate([feed[name] for feed in feeds]) for name in feeds[0]})
    except RunnerError:                  # as above, but detected in the run
        return False
    return all(
        len(value) == len(feeds) and not difference({name: value[i:i + 1]}, {name: right[name]}, exact=exact).mismatches
        for name, value in made.items() for i, right in enumerate(expected)
    )
