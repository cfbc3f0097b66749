"""Cuts the variants of a model into stages of similar run time, verifies the stages, and adds them to the card."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import msgspec
import numpy as np
import onnx
from onnx import ModelProto, ValueInfoProto

from models import store
from models.build.cut.check_inputs import check_inputs
from models.build.cut.partition import balanced, cuts, split
from models.build.cut.verify import FUSED, WRONG, Whole, in_words, mismatch
from models.build.graph.extract import stage
from models.build.graph.graph import Graph
from models.build.graph.tensors import spec_of
from models.build.measure.batch_axis import single
from models.build.measure.input_files import given_inputs
from models.build.measure.load_cost import memory_bytes
from models.build.measure.profiler import run_times
from models.build.measure.random_inputs import random_inputs
from models.build.measure.runner import Runner
from models.build.measure.timing import Stopwatch
from models.build.quantize.calibration_inputs import constant_inputs
from models.profiles import slowed
from swarm.core.settings.cards import Card, Stage, TensorSpec, Variant
from swarm.core.settings.errors import BadInput

PREFIXES = 24
"""Prefixes of the graph that are timed; times of the others are interpolated."""

NODE_SHARE = 0.1
"""Time of all nodes apart from matrix products, as a share of the time of the matrix products."""

MIN_STAGE_SHARE = 0.4
"""Least time of a stage, as a share of an equal share: a shorter stage is not worth its hand-over."""

ROUNDS = 7
CHECK_INPUTS = 3
WHOLE = -1                           # key of the whole, beside stage numbers

Say = Callable[[str], None]


def partition(
    card: Card, most: int, variants: Sequence[str], folder: Path | None = None, say: Say = lambda _: None,
    note: Say = lambda _: None, inputs: Sequence[str] = (),
) -> Card:
    """As `cut_variants`; also measures the stages and saves the card."""
    cut_card = cut_variants(card, most, variants, folder, say, note, inputs)
    entries = dict(cut_card.variants)
    for key in variants:
        if entries[key].stages:
            say(f"measuring the stages of {card.name} {key}")
            entries[key] = msgspec.structs.replace(entries[key], stages=_measured_stages(cut_card, key, folder))
    changed = msgspec.structs.replace(cut_card, variants=entries)
    store.save_card(changed, folder)
    return changed


def work_costs(graph: Graph) -> list[float]:
    """The same in shares of the work: by multiply-accumulates and, with little weight, by the number of nodes.

    Nothing is measured, so that a busy host makes the same cuts as a quiet one.
    """
    found = cuts(graph)
    ends = np.array([*(cut.position for cut in found), len(graph.nodes)])
    work = np.array([*(cut.macs_before for cut in found), sum(graph.macs)]) / max(sum(graph.macs), 1)
    return (work + NODE_SHARE * ends / len(graph.nodes)).tolist()


def cut_variants(
    card: Card, most: int, variants: Sequence[str], folder: Path | None = None, say: Say = lambda _: None,
    note: Say = lambda _: None, inputs: Sequence[str] = (), costs: Callable[[Graph], list[float]] | None = None,
) -> Card:
    """The card with `variants` cut into at most `most` stages that are not too short; their files are stored.

    Memory and times of a stage are the whole's until they are measured. The chain of stages is first verified against
    the whole.
    Args: inputs: values of single inputs, as NAME=FILE.npy. `say` is called with the progress; `note` with the share
    and the size of a difference that operator fusion makes. costs: as `prefix_costs`, the default.
    Raises: BadInput for a variant that cannot be cut, or whose output does not depend on its input.
    """
    entries = dict(card.variants)
    given = constant_inputs(card) | given_inputs(inputs, card.inputs)
    for key in variants:
        say(f"cutting {card.name} {key}")
        graph = Graph(single(onnx.load(store.artefact(card, key, folder))), given)
        entries[key] = msgspec.structs.replace(entries[key], stages=[])
        if cuts(graph) and (points := balanced(graph, most, (costs or prefix_costs)(graph), MIN_STAGE_SHARE)):
            stages = split(graph, points)
            if fused := _check_stages(f"{card.name} {key}", graph, stages):
                note(fused)
            stored = [_stored(model, entries[key], folder) for model in stages]
            entries[key] = msgspec.structs.replace(entries[key], stages=stored)
    return msgspec.structs.replace(card, variants=entries)


def prefix_costs(graph: Graph) -> list[float]:
    """Milliseconds that the nodes before each cut take together, then all nodes: the `cost` of `balanced`.

    Measured on up to `PREFIXES` prefixes of the graph, with operator fusion, in turn: the minimum of `ROUNDS` runs.
    Interpolated between them by multiply-accumulates and, with little weight, by the number of nodes.
    """
    ends = np.array([*(cut.position for cut in cuts(graph)), len(graph.nodes)])
    chosen = np.unique(np.linspace(0, len(ends) - 1, min(PREFIXES, len(ends))).round().astype(int))
    runners = [Runner(stage(graph, 0, int(ends[i]))) for i in chosen]
    feed, watch = next(random_inputs(graph.model, 1, given=graph.given)), Stopwatch()
    feeds = [{value.name: feed[value.name] for value in runner.inputs} for runner in runners]
    took_ms = [[watch.time_ms(lambda r=runner, f=feed: r.run(f)) for runner, feed in zip(runners, feeds, strict=True)]
               for _ in range(ROUNDS)]
    done = np.array(work_costs(graph))
    return np.interp(done, done[chosen], np.maximum.accumulate(np.min(took_ms, axis=0))).tolist()


def _check_stages(what: str, graph: Graph, stages: Sequence[ModelProto]) -> str:
    """Verify the stages. Returns: how operator fusion makes them differ from the whole; empty if it does not.

    Raises: BadInput if they cannot be verified or run; RuntimeError if they are wrong, which is a bug of ours.
    """
    for model in stages:
        onnx.checker.check_model(model)
    whole = Whole(graph, check_inputs(graph, CHECK_INPUTS))
    if whole.unusable:
        raise BadInput(what, f"its stages cannot be verified: {whole.unusable}")
    differ = mismatch(f"{what}: its {len(stages)} stages", *whole.check(stages))
    if differ is None:
        return ""
    if differ.cause == FUSED:
        return f"{differ}; {in_words(whole.optimised)}"
    if differ.cause == WRONG:
        raise RuntimeError(str(differ))
    raise BadInput(what, f"its stages cannot be run: {differ.cause}")


def _stored(model: ModelProto, whole: Variant, folder: Path | None) -> Stage:
    sha256, size_bytes = store.put(model.SerializeToString(deterministic=True), folder)
    return Stage(sha256=sha256, bytes=size_bytes, inputs=_specs(model.graph.input), outputs=_specs(model.graph.output),
                 macs=sum(Graph(model).macs), memory_bytes=whole.memory_bytes, run_time=whole.run_time)


def _measured_stages(card: Card, key: str, folder: Path | None) -> list[Stage]:
    """The stages with measured memory, and times scaled to the host that made the card by the ratio of the whole."""
    variant = card.variants[key]
    files = {k: store.stage(card, key, k, folder) for k in range(len(variant.stages))}
    times = run_times(files | {WHOLE: store.artefact(card, key, folder)})
    ratio = times[WHOLE].p50_ms / variant.run_time.p50_ms
    return [msgspec.structs.replace(stage, memory_bytes=memory_bytes(files[k]), run_time=slowed(times[k], ratio))
            for k, stage in enumerate(variant.stages)]


def _specs(values: Iterable[ValueInfoProto]) -> list[TensorSpec]:
    return [spec for value in values if (spec := spec_of(value))]
