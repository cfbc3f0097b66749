"""Tasks of users, by path: whatever they raise or return becomes a `TaskError`."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from models import tasks
from models.store import ModelError, load_card
from swarm.core.protocol.world import NamedArray, Tensors
from swarm.core.settings.errors import BadInput

GOOD = """
from models.sensor_input import sensor_input
from swarm.core.protocol.world import Tensors, named_array

class Brightest:
    def __init__(self, card):
        self.preprocess = sensor_input(card).preprocess

    def postprocess(self, outputs):
        return Tensors([named_array("most", outputs[0].max())])

make = Brightest
"""
FRAME, MASK = np.full((72, 96, 3), 9, np.uint8), [np.full((1, 72, 96), 4, np.uint8)]


def made(folder: Path, text: str) -> tasks.Checked:
    path = folder / "brightest.py"
    path.write_text(text)
    return tasks.task(msgspec.structs.replace(load_card("segmenter"), task=str(path)))


def test_a_task_is_a_file_of_the_user(tmp_path: Path) -> None:
    task = made(tmp_path, GOOD)
    assert task.preprocess(FRAME)["image"].shape == (1, 72, 96, 3)
    assert task.postprocess(MASK) == Tensors([NamedArray("most", "uint8", [], b"\x04")])


@pytest.mark.parametrize(("of", "by", "why"), [
    ("return Tensors([named", "return None\n        ([named", "NoneType, which is no outcome"),
    ('named_array("most", outputs[0].max())', "42", "Tensors|int"),
    ("return Tensors", "raise SystemExit(3)\n        return Tensors", "SystemExit: 3"),
    ("return Tensors", "return Tensors([named_array('n' * 65, outputs[0])])\n        return Tensors", "length <= 64"),
    ("outputs[0].max()", "outputs[7].max()", "IndexError"),
    ('named_array("most", outputs[0].max())', 'named_array("most", outputs[0].repeat(200))', "at most 1,048,576"),
])
def test_what_a_task_does_wrong_is_told_as_its_error(tmp_path: Path, of: str, by: str, why: str) -> None:
    assert of in GOOD
    task = made(tmp_path, GOOD.replace(of, by))
    with pytest.raises(tasks.TaskError, match=why):
        task.postprocess(MASK)


@pytest.mark.parametrize("by", ["lambda frame: {}", "lambda frame: None", "lambda frame: 1 / 0",
                                "lambda frame: {'image': frame}"])
def test_inputs_that_the_model_does_not_take_are_the_error_of_the_task(tmp_path: Path, by: str) -> None:
    task = made(tmp_path, GOOD.replace("sensor_input(card).preprocess", by))
    with pytest.raises(tasks.TaskError, match=r"brightest\.py"):
        task.preprocess(FRAME)


@pytest.mark.parametrize(("text", "why"), [
    ("make = 1 / 0", "ZeroDivisionError"), ("other = 1", "it has no make"), ("def make(card", "SyntaxError"),
    ("def make(card):\n    raise SystemExit", "SystemExit"), ("import sys\nsys.exit(1)\nmake = 1", "SystemExit: 1"),
])
def test_a_file_that_makes_no_task_is_refused(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(BadInput, match=why):
        made(tmp_path, text)


def test_a_model_without_a_task_is_refused_by_name() -> None:
    with pytest.raises(ModelError, match="model 'segmenter': has no task, so no stream can have it; swarm "):
        tasks.task(msgspec.structs.replace(load_card("segmenter"), task=""))


def test_a_file_that_was_changed_since_the_import_is_refused_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "kept.py"
    path.write_text(GOOD)
    card = msgspec.structs.replace(load_card("segmenter"), task=str(path), task_sha256=tasks.sha256_of(path))
    assert tasks.task(card).file == path
    path.write_text(GOOD + "\n# other\n")
    with pytest.raises(ModelError, match=r"kept.py: is not the file with which model segmenter was imported"):
        tasks.task(card)
