"""A store with the shipped detector in four stages, independent of the stages on the shipped card."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec
import onnx

from agents.ports import Given, Made
from agents.runtime.offer import Offer
from agents.runtime.sessions import Loaded, Sessions, read_offer
from models import store
from models.build.cut.partition import balanced, split
from models.build.graph.graph import Graph
from models.build.graph.tensors import spec_of
from models.build.measure.batch_axis import single
from models.session import RunHandle
from swarm.core.policy.plan import Leg
from swarm.core.settings.boards import Board
from swarm.core.settings.cards import RunTime, Stage, TensorSpec

STAGES = 4
STAGE_MS = 1.0


def store_with_stages(folder: Path) -> Path:
    """Write the detector's int8 variant, whole and in stages of a made-up run time, into `folder`; returns it."""
    card = store.load_card("detector", store.ARTEFACTS)
    whole = store.artefact(card, "int8", store.ARTEFACTS)
    store.put(whole.read_bytes(), folder)
    graph = Graph(single(onnx.load(whole)))
    stages = [_stage(model, folder) for model in split(graph, balanced(graph, STAGES))]
    variant = msgspec.structs.replace(card.variants["int8"], stages=stages, parent="")
    store.save_card(msgspec.structs.replace(card, variants={"int8": variant}), folder)
    return folder


def hold(names: Iterable[str], board: Board, folder: Path, *, staged: bool = False) -> tuple[Offer, Sessions]:
    """The offer of a board for these models, and the models in memory."""
    offer = read_offer(names, board, folder, staged=staged)
    return offer, Sessions(offer, board, folder)


def run_leg(loaded: Loaded, given: Given, leg: Leg) -> Made:
    """Run it as an executor does."""
    if leg.whole:
        return loaded.run(given, RunHandle())
    for stage in range(leg.first, leg.last - 1):
        between = loaded.run_stage(given, stage, RunHandle())
        assert isinstance(between, list)
        given = between
    return loaded.run_stage(given, leg.last - 1, RunHandle())


def _stage(model: onnx.ModelProto, folder: Path) -> Stage:
    sha256, size = store.put(model.SerializeToString(deterministic=True), folder)
    return Stage(
        sha256=sha256, bytes=size, inputs=_specs(model.graph.input), outputs=_specs(model.graph.output), macs=1,
        memory_bytes=1, run_time=RunTime(quantiles_ms=[STAGE_MS] * 21, runs=1),
    )


def _specs(values: object) -> list[TensorSpec]:
    return [spec for value in values if (spec := spec_of(value))]      # type: ignore[attr-defined]
