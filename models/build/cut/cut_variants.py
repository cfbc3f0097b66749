"""Cuts the variants of a model into stages that take about as long each, proves them, and puts them on the card."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import msgspec
import numpy as np
import onnx
from onnx import ModelProto, ValueInfoProto

from models import store
from models.build.cut.partition import balanced, cuts, split
from models.build.cut.verify import FUSED, Whole
from models.build.graph.extract import stage
from models.build.graph.graph import Graph
from models.build.graph.tensors import spec_of
from models.build.measure.batch_axis import single
from models.build.measure.load_cost import memory_bytes
from models.build.measure.profiler import run_times
from models.build.measure.runner import Runner
from models.build.measure.random_inputs import random_inputs
from models.build.measure.timing import Stopwatch
from models.profiles import slowed
from swarm.core.settings.cards import Card, Stage, TensorSpec, Variant
from swarm.core.settings.errors import BadInput

HEADS = 24
"""Cuts whose time is measured; that of the others lies between theirs."""

OTHER = 0.1
"""Of the time of all products of matrices, what all nodes take besides."""

SHORTEST = 0.4
"""Of an even share of the time: a shorter stage is not worth its hand-over."""

ROUNDS = 7
INPUTS = 3
WHOLE = -1                           # among the numbers of stages

Say = Callable[[str], None]


def partition(
    card: Card, most: int, variants: Sequence[str], folder: Path | None = None, say: Say = lambda _: None
) -> Card:
    """As `staged`, with the stages measured and the card saved."""
    cut = staged(card, most, variants, folder, say)
    entries = dict(cut.variants)
    for key in variants:
        if entries[key].stages:
            say(f"measuring the stages of {card.name} {key}")
            entries[key] = msgspec.structs.replace(entries[key], stages=_measured(cut, key, folder))
    changed = msgspec.structs.replace(cut, variants=entries)
    store.save_card(changed, folder)
    return changed


def staged(
    card: Card, most: int, variants: Sequence[str], folder: Path | None = None, say: Say = lambda _: None
) -> Card:
    """The card with `variants` cut into `most` stages, or fewer if some were too short, or none; their files are kept.

    Memory and times of a stage are the whole's until they are measured. No variant is cut unless its stages, one
    feeding the next, give what the whole gives.
    Raises: BadInput for a variant that cannot be cut, or whose output does not depend on its input.
    """
    entries = dict(card.variants)
    for key in variants:
        say(f"cutting {card.name} {key}")
        graph = Graph(single(onnx.load(store.artefact(card, key, folder))))
        entries[key] = msgspec.structs.replace(entries[key], stages=[])
        if cuts(graph) and (points := balanced(graph, most, head_costs(graph), SHORTEST)):
            stages = split(graph, points)
            _prove(f"{card.name} {key}", graph, stages)
            kept = [_kept(model, entries[key], folder) for model in stages]
            entries[key] = msgspec.structs.replace(entries[key], stages=kept)
    return msgspec.structs.replace(card, variants=entries)


def head_costs(graph: Graph) -> list[float]:
    """Milliseconds that the nodes before each cut take together, and the whole last: what `balanced` wants.

    Measured on up to `HEADS` of the graph's heads as the runtime fuses them, in turn, the shortest of `ROUNDS` runs
    each; between them by multiply-accumulates, and a little by nodes.
    """
    found = cuts(graph)
    ends = np.array([*(cut.position for cut in found), len(graph.nodes)])
    chosen = np.unique(np.linspace(0, len(ends) - 1, min(HEADS, len(ends))).round().astype(int))
    runners = [Runner(stage(graph, 0, int(ends[i]))) for i in chosen]
    feed, watch = next(samples(graph.model, 1)), Stopwatch()
    feeds = [{value.name: feed[value.name] for value in runner.inputs} for runner in runners]
    took_ms = [[watch.time_ms(lambda r=runner, f=given: r.run(f)) for runner, given in zip(runners, feeds, strict=True)]
               for _ in range(ROUNDS)]
    work = np.array([*(cut.macs_before for cut in found), sum(graph.macs)]) / max(sum(graph.macs), 1)
    done = work + OTHER * ends / len(graph.nodes)
    return np.interp(done, done[chosen], np.maximum.accumulate(np.min(took_ms, axis=0))).tolist()


def _prove(what: str, graph: Graph, stages: Sequence[ModelProto]) -> None:
    """Raises: BadInput where nothing can be shown, RuntimeError where the stages are not the whole: a bug of ours."""
    for model in stages:
        onnx.checker.check_model(model)
    whole = Whole(graph, list(samples(graph.model, INPUTS)))
    if whole.unusable:
        raise BadInput(what, f"its stages cannot be verified: {whole.unusable}", "a model whose output shows its input")
    found, cause = whole.check(stages)
    if cause not in ("", FUSED):
        raise RuntimeError(f"{what}: {cause}: {found}")


def _kept(model: ModelProto, whole: Variant, folder: Path | None) -> Stage:
    sha256, size_bytes = store.put(model.SerializeToString(deterministic=True), folder)
    return Stage(sha256=sha256, bytes=size_bytes, inputs=_specs(model.graph.input), outputs=_specs(model.graph.output),
                 macs=sum(Graph(model).macs), memory_bytes=whole.memory_bytes, run_time=whole.run_time)


def _measured(card: Card, key: str, folder: Path | None) -> list[Stage]:
    """The stages with memory as measured, and times as on the host that made the card: by the ratio to the whole."""
    variant = card.variants[key]
    files = {k: store.stage(card, key, k, folder) for k in range(len(variant.stages))}
    times = run_times(files | {WHOLE: store.artefact(card, key, folder)})
    pace = times[WHOLE].p50_ms / variant.run_time.p50_ms
    return [msgspec.structs.replace(stage, memory_bytes=memory_bytes(files[k]), run_time=slowed(times[k], pace))
            for k, stage in enumerate(variant.stages)]


def _specs(values: Iterable[ValueInfoProto]) -> list[TensorSpec]:
    return [spec for value in values if (spec := spec_of(value))]
