"""Which provider runs which node, from the profile that ONNX Runtime writes."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import ClassVar

import numpy as np
import onnxruntime as ort
import pytest

from models import cache, session
from models.gpu.engines import folder_of
from models.gpu.placements import Elsewhere, elsewhere
from models.gpu.versions import GpuVersions
from models.session import Session
from models.store import ARTEFACTS, ModelError, artefact, load_card

CPU, CUDA, TENSORRT = "CPUExecutionProvider", "CUDAExecutionProvider", "TensorrtExecutionProvider"


HERE = GpuVersions(gpu="Orin", compute="8.7", tensorrt="10.3.0", cuda="12.6", l4t="36.4.3", runtime="1")


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


class Renamed:
    """A runtime that takes the names of all providers and runs all on the CPU; of TensorRT it leaves an engine."""

    create = ort.InferenceSession
    profiled: ClassVar[list[bool]] = []

    def __init__(self, path: str, options: ort.SessionOptions, providers: list, enable_fallback: int) -> None:
        self.profiled.append(options.enable_profiling)
        self.names = [name for name, _ in providers]
        for name, settings in providers:
            if name == TENSORRT:
                (Path(settings["trt_engine_cache_path"]) / "x.engine").touch()
        self.real = self.create(path, options, providers=[CPU])

    def get_providers(self) -> list[str]:
        return self.names

    def __getattr__(self, name: str) -> object:
        return getattr(self.real, name)


@pytest.fixture
def gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with a GPU, as far as a session knows; the file of a model."""
    monkeypatch.setenv("SWARM_CACHE", str(tmp_path))
    monkeypatch.setattr(session.tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(session, "AVAILABLE", [TENSORRT, CUDA, CPU])
    monkeypatch.setattr(session.ort, "InferenceSession", Renamed)
    monkeypatch.setattr(session, "this_machine", lambda runtime: HERE)
    monkeypatch.setattr(Renamed, "profiled", [])
    return artefact(load_card("detector", ARTEFACTS), "fp32", ARTEFACTS)


def test_a_session_on_a_gpu_tells_what_runs_elsewhere_and_one_on_a_cpu_is_not_profiled(
    gpu: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    found = Session(gpu, on=("cuda", "cpu")).elsewhere
    assert sum(one.share for one in found) == pytest.approx(1.0)
    assert f"{found[0]}, not on {CUDA}" in caplog.text
    assert Session(gpu, on=("cpu",)).elsewhere == []
    assert Renamed.profiled == [True, False]
    assert not list(tmp_path.glob("swarm-*"))            # the profiles are gone


def test_a_load_that_fails_leaves_no_profile(gpu: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise ModelError("x.onnx", "cannot run")

    monkeypatch.setattr(Session, "_warm_up", fails)
    with pytest.raises(ModelError, match="cannot run"):
        Session(gpu, on=("cuda", "cpu"))
    assert not list(tmp_path.glob("swarm-*"))


def test_the_first_load_on_tensorrt_builds_engines_and_the_second_finds_them(gpu: Path) -> None:
    first, second = (Session(gpu, on=("tensorrt", "cuda", "cpu"), precision="fp16") for _ in range(2))
    assert (first.cached, second.cached) == (False, True)
    assert first.elsewhere[0].provider == CPU
    (built,) = (cache.folder() / "engines").glob("*/*")
    assert built == folder_of(sha256(gpu.read_bytes()).hexdigest(), "fp16", HERE)
    assert sorted(path.name for path in built.iterdir()) == ["key.json", "x.engine"]
