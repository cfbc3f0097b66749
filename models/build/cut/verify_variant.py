"""Verifies one variant: its cuts, and its stored stages."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import onnx
from onnx import ModelProto

from models import store
from models.build.cut.check_inputs import check_inputs
from models.build.cut.partition import cuts, ranked
from models.build.cut.verify import FUSED, CutReport, Mismatch, Whole, mismatch
from models.build.cut.verify_pool import Progress, verify
from models.build.graph.graph import Graph
from models.build.graph.repeatable import Feed
from models.build.measure.batch_axis import single
from models.build.measure.input_files import given_inputs
from models.build.quantize.calibration_inputs import (
    RANDOM,
    WORLD,
    camera_inputs,
    constant_inputs,
    inputs_of,
    is_camera,
)
from models.build.train import frame_sets
from swarm.core.settings.cards import Card
from swarm.core.settings.errors import BadInput

RANDOM_INPUTS, REAL_INPUTS = 2, 4
"""Inputs for each cut: random ones, and at most this many real ones."""

BEST_CUTS = 8
"""Cuts that are checked by default: those that stages would be made of."""


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """What was verified of one graph."""

    report: CutReport
    drawn: int                       # number of random inputs
    real: int                        # number of real inputs
    stages: int = 0                  # number of stored stages, which were checked together
    stages_differ: Mismatch | None = None    # how they differ from the whole

    @property
    def failures(self) -> list[str]:
        """A line for each wrong cut, and for wrong stages."""
        wrong = [self.stages_differ] if self.stages_differ is not None and self.stages_differ.cause != FUSED else []
        return [*(f"cut {one}" for one in self.report.failed), *map(str, wrong)]


def verify_model(
    model: ModelProto | Graph, *, all_cuts: bool, real: Sequence[Feed] = (), stages: Sequence[ModelProto] = (),
    progress: Progress = lambda done, of: None,
) -> Verification:
    """Check all or the best cuts separately, and the stored `stages` together. Raises: BadInput, as `verify`."""
    graph = model if isinstance(model, Graph) else Graph(model)
    drawn, real = check_inputs(graph, RANDOM_INPUTS), real[:REAL_INPUTS]
    feeds = [*drawn, *real]
    names = None if all_cuts else [cut.name for cut in ranked(cuts(graph))[:BEST_CUTS]]
    differ = mismatch(f"its {len(stages)} stages", *Whole(graph, feeds).check(stages)) if stages else None
    return Verification(report=verify(graph, feeds, names, progress), drawn=len(drawn), real=len(real),
                        stages=len(stages), stages_differ=differ)


def verify_variant(
    card: Card, key: str, *, all_cuts: bool, source: str, folder: Path | None = None,
    progress: Progress = lambda done, of: None, inputs: Sequence[str] = (),
) -> Verification:
    """As `verify_model`, for a variant of a model.

    Args: source: of real inputs: world, random (none), or files. inputs: values of single inputs, as NAME=FILE.npy.
    """
    model = single(onnx.load(store.artefact(card, key, folder)))
    count = len(card.variants[key].stages)
    stages = [onnx.load(store.stage(card, key, k, folder)) for k in range(count)]
    real = _real_inputs(source, card, model)
    graph = Graph(model, constant_inputs(card) | given_inputs(inputs, card.inputs))
    return verify_model(graph, all_cuts=all_cuts, real=real, stages=stages, progress=progress)


def _real_inputs(source: str, card: Card, model: ModelProto) -> Sequence[Feed]:
    if source == RANDOM:
        return []
    if source != WORLD:
        return inputs_of(source, card, model, min_count=1)
    if not is_camera(card):
        raise BadInput(f"--inputs {WORLD}", f"{card.name} takes no frames of a camera, uint8 [1, 72, 96, 3]",
                       "random, or .npy or .npz files")
    return camera_inputs(frame_sets.render("search_rescue", frame_sets.SEEDS["test"][0], REAL_INPUTS).images, card)
