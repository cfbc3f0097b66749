"""All that is shown of one variant: its cuts, and the stages that are stored for it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import onnx
from onnx import ModelProto

from models import store
from models.build.cut.partition import cuts, ranked
from models.build.cut.verify import FUSED, Feed, Report, Whole
from models.build.cut.verify_pool import Tell, verify
from models.build.graph.graph import Graph
from models.build.measure.batch_axis import single
from models.build.measure.random_inputs import random_inputs
from models.build.quantize.calibration_inputs import RANDOM, WORLD, camera_inputs, inputs_of, is_camera
from models.build.train import frame_sets
from swarm.core.settings.cards import Card
from swarm.core.settings.errors import BadInput

DRAWN, REAL = 2, 4
"""Inputs that each cut is run on: random ones, and real ones where there are."""

BEST = 8
"""Cuts that are checked unless all are asked for: those that stages would be made of."""


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """What was shown of one graph, on how many inputs."""

    report: Report
    drawn: int
    real: int
    stages: int = 0                  # of the card, checked as they are stored
    stages_wrong: str = ""           # how these differ from the whole

    @property
    def failures(self) -> list[str]:
        """A line for each cut, or split, that is wrong."""
        lines = [f"cut {one.cut}: {one.cause}: {one.share:.2%} of the output differs, by up to {one.max_abs_error:.3g}"
                 for one in self.report.failed]
        return [*lines, f"its {self.stages} stages: {self.stages_wrong}"] if self.stages_wrong else lines


def prove(
    model: ModelProto, *, all_cuts: bool, real: Sequence[Feed] = (), stages: Sequence[ModelProto] = (),
    tell: Tell = lambda done, of: None,
) -> Proof:
    """Check every cut, or the `BEST`, each by itself, and stored `stages` as a whole. Raises: BadInput, as `verify`."""
    graph = Graph(model)
    feeds = [*samples(graph.model, DRAWN), *real[:REAL]]
    names = None if all_cuts else [cut.name for cut in ranked(cuts(graph))[:BEST]]
    wrong = ""
    if stages:
        cause = Whole(graph, feeds).check(stages)[1]
        wrong = "" if cause in ("", FUSED) else cause
    return Proof(report=verify(model, feeds, names, tell), drawn=DRAWN, real=len(feeds) - DRAWN, stages=len(stages),
                 stages_wrong=wrong)


def prove_variant(
    card: Card, key: str, *, all_cuts: bool, source: str, folder: Path | None = None, tell: Tell = lambda done, of: None
) -> Proof:
    """The same for a variant of a model. Args: source: of real inputs: world, random (none), or files."""
    model = single(onnx.load(store.artefact(card, key, folder)))
    count = len(card.variants[key].stages)
    stages = [onnx.load(store.stage(card, key, k, folder)) for k in range(count)]
    return prove(model, all_cuts=all_cuts, real=_real(source, card, model), stages=stages, tell=tell)


def _real(source: str, card: Card, model: ModelProto) -> Sequence[Feed]:
    if source == RANDOM:
        return []
    if source != WORLD:
        return inputs_of(source, card, model, least=1)
    if not is_camera(card):
        raise BadInput(f"--inputs {WORLD}", f"{card.name} takes no frames of a camera, uint8 [1, 72, 96, 3]",
                       "random, or .npy or .npz files")
    return camera_inputs(worlds.render(worlds.SEEDS["test"][0], REAL).images, card)
