"""Inputs that users bring, and what they get wrong about them."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from models.build.quantize.calibration_inputs import COUNT, camera_inputs, inputs_of, is_camera
from models.build.quantize.gates import Agreement, Labelled
from models.build.quantize.int8_variants import load
from models.build.quantize.quantizer_setup import labelled, setup_for
from models.build.train.frame_sets import Frames
from models.store import ARTEFACTS, load_card
from swarm.core.settings.cards import AGREEMENT, Card, TensorSpec
from swarm.core.settings.errors import BadInput
from tests.models.build.small_networks import CHANNELS, SIDE, cnn

SHAPE = (1, CHANNELS, SIDE, SIDE)
DRAWS = np.random.default_rng(5)


def card(*inputs: TensorSpec) -> Card:
    specs = list(inputs) or [TensorSpec(name="x", dtype="float32", shape=list(SHAPE))]
    return Card(name="small", task="", inputs=specs, outputs=specs, parameters=1, opset=17, ir_version=8,
                primary_metric=AGREEMENT, variants={}, made_by="test", made_with={})


def drawn(*shape: int) -> np.ndarray:
    return DRAWS.standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize(("shape", "count"), [((6, *SHAPE), 6), ((6, *SHAPE[1:]), 6)])
def test_one_file_may_hold_many_inputs(shape: tuple[int, ...], count: int, tmp_path: Path) -> None:
    array = drawn(*shape)
    np.save(tmp_path / "x.npy", array)
    found = inputs_of(str(tmp_path / "x.npy"), card(), cnn())
    assert len(found) == count
    assert all(given["x"].shape == SHAPE for given in found)
    assert (found[2]["x"].reshape(-1) == array[2].reshape(-1)).all()


def test_a_folder_is_read_in_order_single_inputs_with_and_without_a_batch_axis(tmp_path: Path) -> None:
    arrays = [drawn(*SHAPE), drawn(*SHAPE[1:]), drawn(*SHAPE), drawn(*SHAPE)]
    for i, array in enumerate(arrays):
        if i % 2:
            np.save(tmp_path / f"{i}.npy", array)
        else:
            np.savez(tmp_path / f"{i}.npz", x=array, other=np.zeros(3))
    found = inputs_of(str(tmp_path), card(), cnn())
    for given, array in zip(found, arrays, strict=True):
        assert (given["x"].reshape(-1) == array.reshape(-1)).all()


def test_several_inputs_come_in_one_file(tmp_path: Path) -> None:
    two = card(TensorSpec(name="a", dtype="float32", shape=[3]), TensorSpec(name="b", dtype="int64", shape=[2, 2]))
    np.savez(tmp_path / "x.npz", a=drawn(5, 3), b=np.arange(20).reshape(5, 2, 2))
    found = inputs_of(str(tmp_path / "x.npz"), two, cnn())
    assert [given["b"][0, 0] for given in found] == [0, 4, 8, 12, 16]


def test_what_a_file_holds_is_told_by_its_content(tmp_path: Path) -> None:
    with (tmp_path / "x.npy").open("wb") as file:
        np.savez(file, x=drawn(5, *SHAPE))
    with (tmp_path / "y.npz").open("wb") as file:
        np.save(file, drawn(5, *SHAPE))
    assert [len(inputs_of(str(tmp_path / name), card(), cnn())) for name in ("x.npy", "y.npz")] == [5, 5]


def test_one_input_is_enough_to_verify_on(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", drawn(*SHAPE))
    assert len(inputs_of(str(tmp_path / "x.npy"), card(), cnn(), min_count=1)) == 1


def spoil(kind: str, path: Path) -> Path:
    if kind == "text":
        (path / "x.npy").write_text("no array")
    elif kind == "few":
        np.save(path / "x.npy", drawn(2, *SHAPE))
    elif kind == "type":
        np.save(path / "x.npy", drawn(5, *SHAPE).astype(np.float64))
    elif kind == "shape":
        np.save(path / "x.npy", drawn(5, 3, 3))
    elif kind == "name":
        np.savez(path / "x.npz", y=drawn(5, *SHAPE))
    elif kind == "pickle":
        np.save(path / "x.npy", np.array([{"a": 1}], object), allow_pickle=True)
    elif kind == "zip":
        (path / "x.npz").write_bytes(b"PK\x03\x04 and no more")
    elif kind == "altered":
        np.savez_compressed(path / "x.npz", x=np.zeros((5, *SHAPE), np.float32))
        content = bytearray((path / "x.npz").read_bytes())
        content[60:90] = b"\xff" * 30
        (path / "x.npz").write_bytes(content)
    return path


@pytest.mark.parametrize(("kind", "told"), [
    ("text", r"x\.npy: cannot be read"), ("few", r"has 2 inputs; 4 or more"), ("nothing", r"has 0 inputs; 4 or more"),
    ("type", r"x\.npy: x is float64; the model takes float32"), ("shape", r"x\.npy: x has shape \[5, 3, 3\]"),
    ("name", r"x\.npz: has no array x; found y"), ("pickle", r"x\.npy: cannot be read"),
    ("zip", r"x\.npz: cannot be read"), ("altered", r"x\.npz: cannot be read"),
])
def test_what_is_no_input_is_refused_by_name(kind: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=told):
        inputs_of(str(spoil(kind, tmp_path)), card(), cnn())


def test_a_file_that_is_not_there_is_said() -> None:
    with pytest.raises(BadInput, match=r"nowhere: cannot be read"):
        inputs_of("nowhere", card(), cnn())


def test_without_truth_half_calibrates_and_half_is_compared_on(tmp_path: Path) -> None:
    used = setup_for(card(), cnn(), "random", tmp_path, lambda _: None)
    assert isinstance(used.judge, Agreement)
    assert len(used.inputs) == COUNT // 2
    assert used.measure(cnn())[0] == {AGREEMENT: 1.0}


def test_frames_are_for_models_that_take_them(tmp_path: Path) -> None:
    assert is_camera(load_card("detector", ARTEFACTS))
    with pytest.raises(BadInput, match=r"--calibrate world: small takes no frames of a camera"):
        setup_for(card(), cnn(), "world", tmp_path, lambda _: None)


def test_with_truth_the_cards_own_metric_decides() -> None:
    detector = load_card("detector", ARTEFACTS)
    with np.load(Path(__file__).parent.parent / "data" / "golden.npz") as file:
        frames = Frames(images=file["images"], masks=file["masks"], boxes=file["boxes"])
    model = load(detector, ARTEFACTS)
    used = labelled(detector, model, camera_inputs(frames.images, detector), frames, frames)
    assert isinstance(used.judge, Labelled)
    assert used.judge.metric == "ap50"
    metrics, errors = used.measure(model)
    assert metrics["ap50"] == pytest.approx(used.judge.floor + 0.01)
    assert errors
    assert msgspec.json.encode(metrics)
