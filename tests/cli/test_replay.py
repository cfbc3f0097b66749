"""`swarm models replay`: what robots were told, against the whole model on the same frames."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import numpy as np
import pytest

from agents.runtime.recording import Recording
from models import store, tasks
from models.session import Session
from swarm.cli.main import main
from swarm.cli.replay_check import difference, read
from swarm.core.protocol.spans import LegRun, RequestId, Span
from swarm.core.protocol.world import Detection, Detections, Mask, Outcome
from swarm.core.settings.errors import BadInput
from swarm.telemetry.recorder import RECORDINGS, RunFolder

FRAMES = np.load(Path(__file__).parent.parent / "models" / "data" / "golden.npz")["images"]


def whole(frame: np.ndarray) -> Detections:
    card = store.load_card("detector")
    task = tasks.task(card)
    outcome = task.postprocess(Session(store.artefact(card, "int8")).run(task.preprocess(frame)))
    assert isinstance(outcome, Detections)
    return outcome


def run_folder(folder: Path, told: list[tuple[np.ndarray, Outcome]]) -> Path:
    """A run in which rover_0 was told this of these frames, the first time by a chain."""
    RunFolder(folder / "run").close()
    kept = Recording()
    for i, (frame, outcome) in enumerate(told):
        legs = [LegRun(agent=agent, first=0, last=1) for agent in ("rover_0", "mule")] if i == 0 else []
        kept.keep(Span(request=RequestId("rover_0", 1, i), stream="s", model="detector", variant="int8", priority=0,
                       captured_ns=0, submitted_ns=0, deadline_ns=1, ran_on="mule", legs=legs), outcome, frame)
    (folder / "run" / RECORDINGS).mkdir()
    (folder / "run" / RECORDINGS / "rover_0.npz").write_bytes(kept.content())
    return folder / "run"


def test_what_the_whole_model_says_too_is_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = run_folder(tmp_path, [(frame, whole(frame)) for frame in FRAMES])
    assert main(["models", "replay", str(run), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    models = told.pop("models")
    assert told == {"frames": 8, "same": 8, "split_frames": 1, "max_score_difference": 0.0}
    assert models["detector"]["int8"]["split_same"] == 1


def test_one_other_outcome_is_named_and_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    right = whole(FRAMES[3])
    wrong = Detections(boxes=[msgspec.structs.replace(right.boxes[0], score=right.boxes[0].score - 0.01)])
    run = run_folder(tmp_path, [(FRAMES[0], whole(FRAMES[0])), (FRAMES[3], wrong)])
    assert main(["models", "replay", str(run)]) == 1
    out, err = capsys.readouterr()
    assert err.strip() == "swarm: rover_0/1/1: the unsplit model gives a different outcome"
    assert "1 of 2 outcomes match the unsplit model (split over several robots: 1 of 1)" in out
    assert "scores differ by at most 0.01" in out


@pytest.mark.parametrize(("make", "told"), [
    (lambda folder: folder, "not a run folder"),
    (lambda folder: RunFolder(folder / "run").path, "nothing was recorded; swarm launch NAME --record"),
    (lambda folder: run_folder(folder, []), "no request had an outcome"),
])
def test_where_there_is_nothing_to_replay(tmp_path: Path, capsys: pytest.CaptureFixture[str], make, told: str) -> None:
    assert main(["models", "replay", str(make(tmp_path))]) == 2
    assert told in capsys.readouterr().err


def test_a_file_that_is_no_recording_is_named(tmp_path: Path) -> None:
    (tmp_path / "me.npz").write_bytes(b"text")
    for name in ("me.npz", "nowhere.npz"):
        with pytest.raises(BadInput, match="not a recording"):
            read(tmp_path / name)


def box(score: float = 0.5, x0_px: float = 1.0, label: int = 1) -> Detection:
    return Detection(label, score, x0_px, 2.0, 90.0, 40.0)


@pytest.mark.parametrize(("mine", "right", "precision", "same"), [
    ([box()], [box()], "int8", True),
    ([box(0.5 + 1e-7)], [box()], "int8", False),
    ([box(0.5 + 1e-6)], [box()], "fp32", True),
    ([box(0.5 + 1e-4)], [box()], "fp32", False),
    ([box(x0_px=1.1)], [box()], "fp32", False),
    ([box(label=2)], [box()], "fp32", False),
    ([box(), box()], [box()], "fp32", False),
    ([], [], "fp32", True),
])
def test_floats_may_differ_by_rounding_and_int8_not_at_all(mine, right, precision, same: bool) -> None:
    assert difference(Detections(boxes=mine), Detections(boxes=right), precision)[0] is same


def test_masks_must_be_equal() -> None:
    one, other = Mask(height=1, width=2, cells=b"\0\1"), Mask(height=1, width=2, cells=b"\0\2")
    assert difference(one, one, "fp32") == (True, 0.0)
    assert not difference(one, other, "fp32")[0]
