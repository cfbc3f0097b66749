"""Every cut of every shipped model is verified, on random inputs and on rendered frames."""

from pathlib import Path

import numpy as np
import onnx
import pytest

from models import store
from models.build.cut.verify import Feed
from models.build.cut.verify_variant import verify_model
from models.build.graph.graph import Graph
from models.build.measure.batch_axis import single
from models.store import ARTEFACTS
from swarm.core.settings.cards import crossing

SHIPPED = [(name, variant) for name in store.names(ARTEFACTS) for variant in store.load_card(name, ARTEFACTS).variants]
QUICK = [("detector", "int8"), ("detector", "small_int8_trt")]
STAGED = [*QUICK, ("detector", "student_fp32"), ("segmenter", "small_int8")]


@pytest.fixture(scope="module")
def frames() -> list[Feed]:
    with np.load(Path(__file__).parent.parent / "data" / "golden.npz") as file:
        return [{"image": image[None]} for image in file["images"][:2]]


@pytest.mark.parametrize(("name", "variant"), [
    pytest.param(*key, marks=[] if key in QUICK else [pytest.mark.long]) for key in SHIPPED
])
def test_every_cut_gives_what_the_whole_gives(name: str, variant: str, frames: list[Feed]) -> None:
    card = store.load_card(name, ARTEFACTS)
    found = verify_model(single(onnx.load(store.artefact(card, variant, ARTEFACTS))), all_cuts=True, real=frames).report
    assert found.verified == found.cuts >= 20
    assert (found.skipped, found.failed) == ([], [])
    assert not found.explained or "cpu" not in (card.variants[variant].providers or ["cpu"])     # else as CPUs fuse
    assert found.sensitivity > 0.3
    if card.variants[variant].precision == "int8" and "tensorrt" not in card.variants[variant].providers:
        assert found.max_abs_error == 0.0


@pytest.mark.parametrize(("name", "variant"), [
    pytest.param(*key, marks=[] if key in STAGED else [pytest.mark.long])
    for key in SHIPPED if not key[1].endswith("fp16")])
def test_the_stored_stages_are_the_whole_and_int8_ones_send_int8(name: str, variant: str, frames: list[Feed]) -> None:
    card = store.load_card(name, ARTEFACTS)
    entry = card.variants[variant]
    whole = single(onnx.load(store.artefact(card, variant, ARTEFACTS)))
    stages = [onnx.load(store.stage(card, variant, k, ARTEFACTS)) for k in range(len(entry.stages))]
    assert {"small": 2, "student": 3}.get(variant.partition("_")[0], 5) <= len(stages) <= 8
    assert verify_model(whole, all_cuts=False, real=frames, stages=stages).failures == []
    assert sum(stage.macs for stage in entry.stages) == sum(Graph(whole).macs)
    assert sum(stage.bytes for stage in entry.stages) < 1.3 * entry.bytes
    kinds = [spec.dtype for k in range(1, len(stages)) for spec in crossing(card, variant, k)]
    if entry.precision == "int8":
        kind, least = ("int8", 0.4) if "tensorrt" in entry.providers else ("uint8", 0.8)     # no rounding in residuals
        assert kinds.count(kind) >= least * len(kinds)
