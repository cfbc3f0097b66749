"""The bench of GPUs, with a runtime that runs all on the CPU."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from models import store
from models.gpu.placements import Elsewhere
from models.session import RunFailed, RunHandle, Session
from models.store import ARTEFACTS, ModelError
from swarm.bench import CannotRun
from swarm.bench.gpu import bench
from swarm.bench.gpu.runtime import empty_cache, gpu_providers
from swarm.cli.main import main

BOTH = ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"]


class OnCpu:
    """Loads every file on the CPU; TensorRT refuses fp16. A file is cached when it was loaded before."""

    def __init__(self) -> None:
        self.loaded: list[tuple[Path, str]] = []

    def load(self, path: Path, on: Sequence[str], precision: str) -> Any:
        if on[0] == "tensorrt" and precision == "fp16":
            raise ModelError(str(path), "out of memory")
        session = Session(path)
        session.cached = (path, on[0]) in self.loaded
        session.elsewhere = [Elsewhere("top", "TopK", "CPUExecutionProvider", 0.5)] if on[0] == "cuda" else []
        self.loaded.append((path, on[0]))
        return session

    def handle(self) -> RunHandle:
        return RunHandle()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "RUNS", 3)
    monkeypatch.setattr(bench, "ABORTS", 2)
    monkeypatch.setattr(bench, "INPUTS", 2)


def test_every_variant_is_measured_on_every_provider_that_it_is_for() -> None:
    card, told, ticks = store.load_card("detector", ARTEFACTS), [], count()
    figures = bench.measure([card], ["tensorrt", "cuda"], OnCpu(), told.append, lambda: next(ticks) * 1e-3)
    rows = {(row["variant"], row["provider"]): row for row in figures["rows"]}
    assert {("fp32", "tensorrt"), ("fp16", "tensorrt"), ("int8_trt", "tensorrt"), ("fp32", "cuda"), ("fp16", "cuda")
            } <= set(rows)
    assert ("int8_trt", "cuda") not in rows
    assert ("int8", "tensorrt") not in rows
    whole = rows["fp32", "tensorrt"]
    assert (whole["agreement"], whole["missed"], whole["hit"], whole["error"]) == (1.0, True, True, "")
    assert whole["p50_ms"] == 1.0                        # by the clock that it was given
    assert (whole["stages"], whole["price"]) == (len(card.variants["fp32"].stages), 1.0)
    assert 0.8 < rows["fp16", "cuda"]["agreement"] < 1.0
    assert "out of memory" in rows["fp16", "tensorrt"]["error"]
    assert rows["fp16", "cuda"]["elsewhere_share"] == 0.5
    assert figures["left_out"] == []
    text = bench.as_text(figures)
    assert "detector fp16 on tensorrt: " in text
    assert "top (TopK) on CPUExecutionProvider, 50.0% of the time" in text
    assert told[0] == "detector fp32 on tensorrt, whole"


def test_a_student_agrees_with_its_own_network_and_not_with_its_teacher() -> None:
    figures = bench.measure([store.load_card("detector", ARTEFACTS)], ["cuda"], OnCpu(), lambda _: None, lambda: 0.0)
    found = {row["variant"]: row["agreement"] for row in figures["rows"]}
    assert found["student_fp32"] == found["small_fp32"] == 1.0


def test_a_run_that_fails_is_told_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    class Fails(OnCpu):
        def load(self, path: Path, on: Sequence[str], precision: str) -> Any:
            session = super().load(path, on, precision)
            if precision == "fp16":
                monkeypatch.setattr(session, "run", self.fail, raising=True)
            return session

        def fail(self, *_: object) -> None:
            raise RunFailed("out of memory")

    figures = bench.measure([store.load_card("detector", ARTEFACTS)], ["cuda"], Fails(), lambda _: None, lambda: 0.0)
    rows = {row["variant"]: row["error"] for row in figures["rows"]}
    assert (rows["fp16"], rows["fp32"]) == ("out of memory", "")


def test_what_does_not_fit_into_the_time_is_named() -> None:
    card, ticks = store.load_card("detector", ARTEFACTS), count()
    figures = bench.measure([card], ["cuda"], OnCpu(), lambda _: None, lambda: float(next(ticks)), limit_s=25.0)
    assert [row["variant"] for row in figures["rows"]] == ["fp32"]
    assert "detector fp16 on cuda, whole" in figures["left_out"]
    assert "left out: detector fp32 on cuda, in stages" in bench.as_text(figures)


def test_where_there_is_no_gpu_one_line_says_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "gpu"]) == 1
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "swarm: bench gpu was not run: " in told
    with pytest.raises(CannotRun, match="pip install onnxruntime-gpu"):
        gpu_providers(["CPUExecutionProvider"])
    with pytest.raises(CannotRun, match="there is no NVIDIA GPU here"):
        gpu_providers(BOTH)
    assert gpu_providers(BOTH, "an Orin") == (["tensorrt", "cuda"], "an Orin")


def test_engines_are_built_in_a_cache_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    from models import cache

    monkeypatch.setenv("SWARM_CACHE", "/before")
    with empty_cache():
        inside = cache.folder()
        assert list(inside.iterdir()) == []
    assert not inside.exists()
    assert cache.folder() == Path("/before")
