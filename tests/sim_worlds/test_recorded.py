"""A body that replays a recording."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from sim_worlds.recorded import Recorded, frames_of
from swarm.cli.main import main
from swarm.core.settings.yaml_text import dump

FRAMES = np.arange(2 * 4 * 6 * 3, dtype=np.uint8).reshape(2, 4, 6, 3)


def content(frames: np.ndarray) -> bytes:
    made = io.BytesIO()
    np.savez(made, frames=frames)
    return made.getvalue()


def test_frames_come_one_after_the_other_and_again() -> None:
    world = Recorded("rover", frames_of(content(FRAMES)))
    seen = [world.observe("rover", frame=frame) for frame in (True, False, True, True)]
    assert [one.frame is None for one in seen] == [False, True, False, False]
    assert [int(one.frame[0, 0, 0]) for one in seen if one.frame is not None] == [0, 72, 0]
    assert [one.sequence for one in seen] == [1, 2, 3, 4]
    camera = world.sensors("rover").camera
    assert camera is not None
    assert (camera.height_px, camera.width_px, world.sensors("rover").lidar) == (4, 6, None)


@pytest.mark.parametrize("wrong", [b"", b"PK", content(FRAMES[:0]), content(FRAMES.astype(np.float32))])
def test_what_is_no_recording_is_refused_in_one_line(
    wrong: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "rover.npz").write_bytes(wrong)
    (tmp_path / "body.yaml").write_text(dump({"version": 1, "swarm": "s", "name": "rover-body", "robot": "rover",
                                              "recording": str(tmp_path / "rover.npz")}))
    assert main(["body", str(tmp_path / "body.yaml")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
