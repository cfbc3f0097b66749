"""Which provider runs which node, from the profile that ONNX Runtime writes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

from models import session
from models.gpu.placements import Elsewhere, elsewhere
from models.session import Session
from models.store import ARTEFACTS, artefact, load_card

CPU, CUDA, TENSORRT = "CPUExecutionProvider", "CUDAExecutionProvider", "TensorrtExecutionProvider"


def kernel(node: str, provider: str, dur_us: float, operator: str = "TopK") -> dict:
    return {"cat": "Node", "name": f"{node}_kernel_time", "dur": dur_us,
            "args": {"op_name": operator, "provider": provider}}


def test_nodes_on_other_providers_are_told_with_their_share_of_the_time() -> None:
    events = [
        {"cat": "Session", "name": "model_run", "dur": 900, "args": {}},
        kernel("engine", TENSORRT, 5000.0), kernel("top", CUDA, 3000.0), kernel("cast", CPU, 800.0, "Cast"),
        kernel("engine", TENSORRT, 60.0), kernel("top", CUDA, 30.0), kernel("cast", CPU, 10.0, "Cast"),
        kernel("engine", TENSORRT, 60.0), kernel("top", CUDA, 30.0), kernel("cast", CPU, 10.0, "Cast"),
        {"cat": "Node", "name": "top_fence_before", "dur": 7, "args": {"op_name": "TopK"}},
    ]
    assert elsewhere(events, TENSORRT) == [
        Elsewhere("top", "TopK", CUDA, 0.3), Elsewhere("cast", "Cast", CPU, 0.1)]       # the first run does not count
    assert str(elsewhere(events, TENSORRT)[0]) == "top (TopK) on CUDAExecutionProvider, 30.0% of the time"
    assert [one.node for one in elsewhere(events, CPU)] == ["engine", "top"]
    assert elsewhere(events[:4], TENSORRT)[0].share == pytest.approx(3000 / 8800)       # a single run counts
    assert elsewhere([], TENSORRT) == []


def test_a_real_profile_has_what_is_read(tmp_path: Path) -> None:
    options = ort.SessionOptions()
    options.enable_profiling, options.profile_file_prefix = True, str(tmp_path / "p")
    path = artefact(load_card("detector", ARTEFACTS), "fp32", ARTEFACTS)
    ran = ort.InferenceSession(str(path), options, providers=[CPU])
    for _ in range(3):
        ran.run(None, {"image": np.zeros((1, 72, 96, 3), np.uint8)})
    events = json.loads(Path(ran.end_profiling()).read_text())
    assert elsewhere(events, CPU) == []
    found = elsewhere(events, CUDA)
    assert sum(one.share for one in found) == pytest.approx(1.0)
    assert {"Conv", "Cast"} <= {one.operator.removeprefix("Fused") for one in found}
    assert {one.provider for one in found} == {CPU}


def test_a_session_on_a_gpu_tells_what_runs_elsewhere_and_one_on_a_cpu_is_not_profiled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A runtime that takes CUDA's name and runs all on the CPU."""
    create, made = ort.InferenceSession, []

    class Renamed:
        def __init__(self, path: str, options: ort.SessionOptions, providers: list, enable_fallback: int) -> None:
            made.append(options.enable_profiling)
            self.names = [name for name, _ in providers]
            self.real = create(path, options, providers=[CPU])

        def get_providers(self) -> list[str]:
            return self.names

        def __getattr__(self, name: str) -> object:
            return getattr(self.real, name)

    monkeypatch.setenv("SWARM_CACHE", str(tmp_path))
    monkeypatch.setattr(session.tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(session, "AVAILABLE", [CUDA, CPU])
    monkeypatch.setattr(session.ort, "InferenceSession", Renamed)
    path = artefact(load_card("detector", ARTEFACTS), "fp32", ARTEFACTS)
    found = Session(path, on=("cuda", "cpu")).elsewhere
    assert sum(one.share for one in found) == pytest.approx(1.0)
    assert f"{found[0]}, not on {CUDA}" in caplog.text
    assert Session(path, on=("cpu",)).elsewhere == []
    assert made == [True, False]
    assert not list(tmp_path.glob("*.json"))             # the profiles are gone
