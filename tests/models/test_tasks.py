"""The tasks are the modules of their folder."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest

from models import tasks
from models.store import ModelError, load_card
from swarm.core.protocol.world import Mask

NEW = """
import numpy as np
from models.camera_input import ImageInput
from swarm.core.protocol.world import Mask

class Count:
    def __init__(self, card):
        self.preprocess = ImageInput.of(card).preprocess

    def postprocess(self, outputs):
        return Mask(height=1, width=1, cells=np.uint8(outputs[0].max()).tobytes())

make = Count
"""
CARD = load_card("segmenter")


def test_the_folder_lists_the_tasks() -> None:
    assert tasks.available() == ["classify", "detect", "segment", "tensors"]


def test_a_file_in_the_folder_is_a_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "count.py").write_text(NEW)
    monkeypatch.setattr(tasks, "__path__", [*tasks.__path__, str(tmp_path)])
    try:
        assert "count" in tasks.available()
        count = tasks.task(msgspec.structs.replace(CARD, task="count"))
        frame = np.full((72, 96, 3), 9, np.uint8)
        assert count.preprocess(frame)["image"].shape == (1, 72, 96, 3)
        assert count.postprocess([np.array([0, 1])]) == Mask(height=1, width=1, cells=b"\1")
    finally:
        sys.modules.pop("models.tasks.count", None)
        vars(tasks).pop("count", None)


@pytest.mark.parametrize("name", ["", "image", "detect.decode", "../detect"])
def test_a_task_that_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(ModelError, match=r"available: classify, detect, segment, tensors|has no task"):
        tasks.task(msgspec.structs.replace(CARD, task=name))
