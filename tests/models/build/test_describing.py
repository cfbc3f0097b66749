"""A model gets its task at import, or is refused with the reason."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import ModelProto, TensorProto

from models import store, tasks
from models.build import importing
from models.build.describing import Described
from models.build.importing import import_file, name_of
from models.session import Session
from swarm.core.protocol.world import Classes, Detections, Tensors
from swarm.core.settings.cards import Card, RunTime
from swarm.core.settings.errors import BadInput
from tests.models.build.graphs import model, node, tensor
from tests.models.networks import KINDS, LABELS, classifier, of_a_row, saved, yolo8

FRAME = np.arange(72 * 96 * 3, dtype=np.uint32).astype(np.uint8).reshape(72, 96, 3)
Take = Callable[..., Card]


@pytest.fixture
def take(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Take:
    """Import a network with a task by way of a file; nothing is measured."""
    monkeypatch.setattr(importing, "memory_bytes", lambda path: 1)
    monkeypatch.setattr(importing, "run_times",
                        lambda paths: dict.fromkeys(paths, RunTime(quantiles_ms=[1.0] * 21, runs=1)))

    def taken(network: ModelProto, task: str, labels: tuple[str, ...] = (), inputs: tuple[str, ...] = (),
              sizes: dict[str, int] | None = None, **told: Any) -> Card:
        path, named = saved(network, tmp_path / "given.onnx", labels)
        return import_file(path, "given", sizes or {}, tmp_path / "store", inputs=inputs,
                           told=Described(task=task, labels=str(named) if labels else "", **told))

    return taken


def outcome(card: Card, folder: Path, given: np.ndarray) -> object:
    task, session = tasks.task(card), Session(store.artefact(card, "fp32", folder / "store"))
    return task.postprocess(session.run(task.preprocess(given)))


def test_a_detector_with_a_head_of_yolo_v8(take: Take, tmp_path: Path) -> None:
    card = take(yolo8(), "detect", LABELS)
    assert (card.task, card.reading, card.sensor, card.labels) == ("detect", "yolo8", "camera", list(LABELS))
    assert card.image is not None
    assert (card.image.layout, card.image.fit, card.image.scale) == ("NCHW", "letterbox", 1 / 255)
    found = outcome(card, tmp_path, FRAME)
    assert isinstance(found, Detections)
    assert found.boxes


def test_a_classifier_whose_outputs_are_logits(take: Take, tmp_path: Path) -> None:
    card = take(classifier(), "classify", KINDS)
    assert (card.reading, card.dynamic_axes) == ("logits", {"batch": 1})
    found = outcome(card, tmp_path, FRAME)
    assert isinstance(found, Classes)
    assert sum(one.score for one in found.best) == pytest.approx(1.0)


def test_arrays_of_a_scan_and_of_constants(take: Take, tmp_path: Path) -> None:
    scan = np.linspace(1.0, 2.0, 32, dtype=np.float32)
    card = take(of_a_row("ranges"), "tensors")
    assert card.sensor == "scan"
    seen = outcome(card, tmp_path, scan)
    assert isinstance(seen, Tensors)
    np.save(tmp_path / "row.npy", scan.repeat(2)[None])
    timed = take(of_a_row("ranges"), "tensors", inputs=(f"ranges={tmp_path / 'row.npy'}",))
    assert (timed.sensor, list(timed.constants)) == ("timer", ["ranges"])
    assert outcome(timed, tmp_path, np.empty(0, np.uint8)) == seen      # 64 values of 32 beams: each twice


def test_the_same_file_with_another_task_keeps_its_variants(take: Take, tmp_path: Path) -> None:
    first, second = take(classifier(), "tensors"), take(classifier(), "classify", KINDS)
    assert (first.task, second.task) == ("tensors", "classify")
    assert second.variants == first.variants
    assert store.load_card("given", tmp_path / "store") == second


@pytest.mark.parametrize(("network", "task", "labels", "told", "why"), [
    (yolo8(), "detect", LABELS[:6], {}, "no detector of 6 labels: output0 float32"),
    (yolo8(), "detect", (), {}, "--labels: task detect needs the names of its classes"),
    (yolo8(), "detect", LABELS, {"reading": "ssd"}, "no detector of 7 labels"),
    (yolo8(), "segment", LABELS, {}, "no segmenter of 7 labels"),
    (yolo8(), "detect", ("a", "b", "a"), {}, "line 3: 'a' is that of line 1, too"),
    (yolo8(), "detect", ("a", "", "b"), {}, "line 2: '' is no label"),
    (yolo8(), "dance", LABELS, {}, "--task dance: is no task"),
    (yolo8(), "nowhere.py", LABELS, {}, "No such file"),
    (yolo8(), "tensors", (), {"sensor": "scan"}, "sensor scan: one input of floats with one long axis"),
    (yolo8(), "tensors", (), {"sensor": "timer"}, "sensor timer: a constant for each input"),
    (yolo8(), "detect", LABELS, {"mean": [1.0, 2.0]}, "--mean: 2 values; 1 or 3"),
    (yolo8(), "detect", LABELS, {"std": [0.0]}, "--std: 0 divides nothing"),
    (model([node("Identity", "x", "y")], [tensor("x", [1, 3, 16, 16], TensorProto.INT8)],
           [tensor("y", [1, 3, 16, 16], TensorProto.INT8)]), "segment", KINDS, {}, "int8, which does not hold pixels"),
    (of_a_row("ranges"), "detect", LABELS, {"sensor": "camera"}, "a camera does not give its inputs"),
    (model([node("Relu", "x", "y")], [tensor("x", [3, 4])], [tensor("y", [3, 4])]), "tensors", (), {},
     "no sensor gives input 'x'"),
    (model([node("Add", "x z", "y")], ["x", "z"]), "tensors", (), {}, "no sensor gives all of its inputs: .*--input z"),
    (model([node("Mul", "x big", "y")], [tensor("x", [1, 3, 16, 16])], [tensor("y", [1, 3, 16, 16])],
           {"big": np.array(9, np.float32)}), "classify", KINDS, {}, "no classifier of 3 labels"),
    (model([node("Conv", "x w", "y")], [tensor("x", [1, 3, "?", "?"])], [tensor("y", [1, 4, "h", "w"])],
           {"w": np.ones((4, 3, 1, 1), np.float32)}), "segment", ("a", "b", "c", "d"), {}, "a picture of 1 x 1 px"),
    (model([node("Identity", "x", "y")], [tensor("x", [1, 3, 9, 9])], [tensor("y", [1, 3, 9, 9])]), "segment", KINDS,
     {"reading": "classes"}, "no segmenter"),
    (model([node("Reshape", "x to", "y")], [tensor("x", [1, 3, 8, 12])], [tensor("y", [1, 6, 48])],
           {"to": np.array([1, 6, 48])}), "detect", ("a", "b"), {"scale": 1.0}, "scores from .* Sigmoid or Softmax"),
])
def test_what_does_not_fit_is_refused(
    take: Take, network: ModelProto, task: str, labels: tuple[str, ...], told: dict[str, Any], why: str
) -> None:
    with pytest.raises(BadInput, match=why):
        take(network, task, labels, **told)


def test_an_axis_called_as_if_unknown_is_1_unless_it_is_told(take: Take) -> None:
    network = model([node("Conv", "x w", "y")], [tensor("x", ["?", 3, "?", "?"])], [tensor("y", ["n", 4, "h", "w"])],
                    {"w": np.ones((4, 3, 1, 1), np.float32)})
    card = take(network, "segment", ("a", "b", "c", "d"), sizes={"x.2": 16, "x.3": 24})
    assert (card.inputs[0].shape, card.dynamic_axes) == ([1, 3, 16, 24], {"x.0": 1, "x.2": 16, "x.3": 24})


@pytest.mark.parametrize(("stem", "name"), [
    ("yolo", "yolo"), ("8x8", "model_8x8"), ("_net", "model_net"), ("net v2", "net_v2"), ("blobs", "model_blobs"),
    ("\u00fcber", "model_ber"), ("x" * 80, "x" * 64), ("", "model_"),
])
def test_a_name_is_made_of_any_file_s(stem: str, name: str) -> None:
    assert name_of(stem) == name
    store.must_be_name(name)
