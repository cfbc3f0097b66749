"""Models of the user's in virtual time: a detector's boxes into a classifier, arrays of a scan and of a timer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from models.build import importing
from models.build.describing import Described
from models.build.importing import import_file
from swarm.cli.main import main
from swarm.core.settings import rules
from swarm.core.settings.cards import RunTime
from swarm.core.settings.errors import BadInput
from swarm.core.settings.launch_file import StreamOn
from tests.models.networks import KINDS, LABELS, classifier, of_a_row, saved, yolo8
from tests.virtual.flights import flown


@pytest.fixture(autouse=True)
def imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user's store; nothing is measured."""
    monkeypatch.setenv("SWARM_MODELS", str(tmp_path / "models"))
    monkeypatch.setattr(importing, "memory_bytes", lambda path: 1)
    monkeypatch.setattr(importing, "run_times",
                        lambda paths: dict.fromkeys(paths, RunTime(quantiles_ms=[1.0] * 21, runs=1)))
    np.save(tmp_path / "row.npy", np.ones((1, 64), np.float32))
    for name, network, labels, inputs, told in (
        ("door", classifier(), KINDS, (), {"task": "classify"}), ("row", of_a_row("scan"), (), (), {"task": "tensors"}),
        ("clock", of_a_row("clock"), (), (f"clock={tmp_path / 'row.npy'}",), {"task": "tensors"}),
        ("yolo", yolo8(), LABELS, (), {"task": "detect"}), ("bare", of_a_row("bare"), (), (), None),
    ):
        path, named = saved(network, tmp_path / f"{name}.onnx", labels)
        import_file(path, name, {}, inputs=inputs, told=told and Described(labels=str(named) if labels else "", **told))


def stream(name: str, model: str, source: str, **changes: Any) -> StreamOn:
    return StreamOn(**{"name": name, "on": ["rover"], "model": model, "rate_hz": 5.0, "deadline_s": 0.5,
                       "source": source, **changes})


STREAMS = [
    stream("detect", "detector", "camera"), stream("closer", "door", "detect"), stream("walls", "row", "scan"),
    stream("ticks", "clock", "timer", rate_hz=4.0), stream("view", "door", "camera", rate_hz=2.5),
]


def test_streams_of_every_kind_fly_and_repeat(tmp_path: Path) -> None:
    def fly(out: str) -> dict[str, Any]:
        outcome = flown(tmp_path / out, streams=STREAMS, duration_s=6.0)
        assert outcome.error == ""
        assert outcome.summary is not None
        return outcome.summary

    summary = fly("out")
    assert summary["requests"]["lost"] == 0
    assert not {"task", "run_failed", "no_model"} & summary["requests"]["failed_by"].keys()
    assert summary["requests"]["due"] == summary["requests"]["submitted"] == 6 * (5 + 5 + 5 + 4) + 15
    assert summary["offload"]["share"] > 0.1
    table = pq.read_table(tmp_path / "out" / "requests.parquet")
    found = {(name, said) for name, said in zip(table["stream"].to_pylist(), table["found"].to_pylist(), strict=True)}
    assert {("walls", "sums 1, shares 1"), ("ticks", "sums 1, shares 1")} <= found
    one_of = {f"{kind} 1" for kind in KINDS}
    assert {said for name, said in found if name == "view"} & one_of
    assert {said for name, said in found if name == "closer"} <= {"", *one_of}
    assert fly("again")["state_hash"] == summary["state_hash"]


@pytest.mark.parametrize(("changes", "why"), [
    ({"model": "bare"}, "streams[0].model: model 'bare': has no task, so no stream can have it"),
    ({"model": "yolo"}, "has no error model, which virtual time needs"),
    ({"model": "row"}, "source: a camera, and model row takes what a scan gives; source: scan"),
    ({"model": "door", "source": "scan"}, "source: a scan, and model door takes what a camera gives"),
    ({"model": "door", "source": "later"}, "no sensor or stream above is called 'later'"),
    ({"name": "scan"}, "'scan' is a sensor"),
    ({"box": "2"}, "streams[0].box: 2, and a camera finds no boxes"),
    ({"box": "17"}, "streams[0].box"),
])
def test_a_stream_that_cannot_fly_is_refused_by_dry_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, str], why: str
) -> None:
    told = {"name": "mine", "model": "detector", "source": "camera"} | changes
    (tmp_path / "mine.yaml").write_text(
        "version: 1\nscenario: search_rescue\nclock: virtual\npolicy: local\n"
        "fleet: [{name: rover, count: 1, board: raspberry_pi_4, physics: kinematic}]\n"
        f"streams: [{{on: [rover], rate_hz: 5, deadline_s: 0.5, {', '.join(f'{k}: {v}' for k, v in told.items())}}}]\n")
    assert main(["launch", str(tmp_path / "mine.yaml"), "--dry-run"]) == 2
    told_lines = capsys.readouterr().err.splitlines()
    assert len(told_lines) == 1
    assert why in told_lines[0]


@pytest.mark.parametrize(("below", "why"), [
    (stream("closer", "door", "detect", rate_hz=2.0), "rate_hz: 2, and its source detect has 5"),
    (stream("closer", "door", "detect", on=["carrier"]), "'carrier' does not have its source detect"),
])
def test_who_looks_closer_does_so_at_the_rate_and_on_the_robots_of_its_source(below: StreamOn, why: str) -> None:
    with pytest.raises(BadInput, match=why):
        rules.streams([STREAMS[0], below], "x: streams")
