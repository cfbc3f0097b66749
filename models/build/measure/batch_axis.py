"""Graphs that take several inputs at once: the first axis set free, and the results held against one run each.

A variant's own file is what takes them, so that nothing is loaded twice. A graph that computes something else for
several inputs than for each alone, or cannot, stays as it is: a reshape with a 1 in front, an average over all.
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
from models.build.measure.runner import Runner, RunnerError
from models.build.measure.random_inputs import random_inputs
from swarm.core.settings.cards import BATCH_AXIS, Card

Feed = dict[str, NDArray]


def single(model: ModelProto) -> ModelProto:
    """A copy that takes one input: what is cut, quantized and compared."""
    copy = ModelProto()
    copy.CopyFrom(model)
    if BATCH_AXIS in (side.dim_param for value in copy.graph.input for side in value.type.tensor_type.shape.dim[:1]):
        bind(copy, {BATCH_AXIS: 1})
    return copy


def opened(model: ModelProto) -> ModelProto | None:
    """A copy whose inputs and outputs have a free first axis; None where that of any is not 1."""
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
    """How many inputs `free` takes at once so that each gives what it gives in `model`; 1: none.

    Of all sizes that are offered up to this one it is shown, on random inputs and on `real` ones. Float outputs agree
    as `compare.ALLOWED` has it, those of int8 graphs bit for bit; one input gives the same bits in both graphs.
    """
    int8 = any("Quantize" in node.op_type or node.op_type.startswith("QLinear") for node in model.graph.node)
    feeds = [*real, *samples(model, max(SIZES))][:max(SIZES)]
    alone, together = Runner(model), _loaded(free)
    if together is None:
        return 1
    expected = [alone.named(feed) for feed in feeds]
    most = 1
    for inputs in (1, *SIZES):
        if not _same(together, feeds[:inputs], expected[:inputs], exact=int8 or inputs == 1):
            break
        most = inputs
    return most


def batched(card: Card, variants: Sequence[str], folder: Path | None = None, real: Sequence[Feed] = ()) -> Card:
    """The card with files of `variants` that take as many inputs at once as they can; what that takes is not measured.

    A variant that cannot keeps its file.
    """
    entries = dict(card.variants)
    for key in variants:
        model = single(onnx.load(store.artefact(card, key, folder)))
        free = opened(model)
        most = most_at_once(model, free, real) if free is not None else 1
        if free is not None and most > 1:
            sha256, size_bytes = store.put(free.SerializeToString(deterministic=True), folder)
            entries[key] = msgspec.structs.replace(
                entries[key], sha256=sha256, bytes=size_bytes, batch=most, batch_times={},
            )
    return msgspec.structs.replace(card, variants=entries)


def timed(card: Card, variants: Sequence[str], folder: Path | None = None) -> Card:
    """The card with what several inputs at once take, on the scale of its runs of one."""
    entries = dict(card.variants)
    made = batch_times.times({key: (store.artefact(card, key, folder), entries[key]) for key in variants})
    entries |= {key: msgspec.structs.replace(entries[key], batch_times=made[key]) for key in variants}
    return msgspec.structs.replace(card, variants=entries)


def _loaded(free: ModelProto) -> Runner | None:
    try:
        return Runner(free)
    except RunnerError:                  # a shape that the first axis is part of
        return None


def _same(runner: Runner, feeds: Sequence[Feed], expected: Sequence[Feed], *, exact: bool) -> bool:
    """Whether all inputs at once give what each gives alone."""
    try:
        made = runner.named({name: np.concatenate([feed[name] for feed in feeds]) for name in feeds[0]})
    except RunnerError:                  # the same, found when it runs
        return False
    return all(
        len(value) == len(feeds) and not difference({name: value[i:i + 1]}, {name: right[name]}, exact=exact).mismatches
        for name, value in made.items() for i, right in enumerate(expected)
    )
