"""A board with a GPU: engines are built before streams start, and nodes on other providers are told."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from agents.own_events import OwnEvents
from agents.runtime import gpu_sessions
from agents.runtime.gpu_sessions import File, build_engines, elsewhere
from agents.runtime.offer import Offer
from agents.runtime.sessions import profiles
from models import store
from models.gpu import engines
from models.gpu.engines import building
from models.gpu.placements import Elsewhere
from models.gpu.versions import GpuVersions
from models.store import ARTEFACTS, ModelError
from swarm.core.protocol.messages.telemetry import Happened
from swarm.core.settings.boards import Board

HERE = GpuVersions(gpu="Orin", compute="8.7", tensorrt="10.3.0", cuda="12.6", l4t="36.4.3", runtime="1")
GPU = Board(speed={"fp32": 0.5, "fp16": 1.0, "int8": 1.0}, power_w=1, source="test", emulated=False,
            providers=("tensorrt", "cuda"))
CPU = msgspec.structs.replace(GPU, providers=("cpu",))


@pytest.fixture(autouse=True)
def platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWARM_CACHE", str(tmp_path))
    monkeypatch.setattr(gpu_sessions, "this_machine", lambda runtime: HERE)


def offer(board: Board = GPU, memory_mb: int = 0) -> Offer:
    card = store.load_card("detector", ARTEFACTS)
    return Offer({"detector": card}, {"detector": profiles.on_board(card, "b", board, "0")}, memory_mb=memory_mb)


def load(file: File) -> None:
    with building(engines.folder_of(file.sha256, file.precision, HERE), HERE):
        assert file.path.is_file()


def test_engines_are_built_of_what_may_be_loaded_later_too() -> None:
    some = offer(memory_mb=150)
    later = {one.variant for one in some.all()} - {one.variant for one in some.announce()}
    assert later
    assert later <= {file.variant for file in gpu_sessions.files(some, GPU, ARTEFACTS)}


def test_missing_engines_are_built_one_after_the_other_and_told() -> None:
    told: list[str] = []
    seen: list[File] = []

    def slow(file: File) -> None:
        seen.append(file)
        load(file)

    count = build_engines(offer(), GPU, ARTEFACTS, load=slow, say=told.append, wait=lambda _: True)
    assert count == len(seen) == len({file.sha256 for file in seen})
    assert told[0] == f"building engine 1 of {count}: detector fp16, whole"
    assert told[1] == f"building engine 1 of {count}: detector fp16, whole: built after 0 s"
    assert any(": detector int8_trt, stage 1 of " in line for line in told)
    by_variant = {file.variant: (file.on, file.precision) for file in seen}
    both = ("tensorrt", "cuda")
    assert {"fp32": (both, "fp32"), "fp16": (both, "fp16"), "int8_trt": (("tensorrt",), "int8"),
            "small_int8_trt": (("tensorrt",), "int8")}.items() <= by_variant.items()
    assert not any(name.endswith("int8") for name in by_variant)         # those are for CPUs
    assert build_engines(offer(), GPU, ARTEFACTS, load=slow, say=told.append) == 0        # all of them stand


def test_a_long_build_tells_the_seconds_so_far() -> None:
    told: list[str] = []
    waits = iter([False, False, True] + [True] * 100)
    build_engines(offer(), GPU, ARTEFACTS, load=load, say=told.append, wait=lambda _: next(waits))
    assert sum("s so far" in line for line in told) == 2


def test_an_engine_that_cannot_be_built_is_told_and_those_before_it_stand() -> None:
    told: list[str] = []

    def fails_later(file: File) -> None:
        if file.variant == "fp32":
            raise ModelError(str(file), "out of memory")
        load(file)

    with pytest.raises(ModelError, match="detector fp32, whole: out of memory"):
        build_engines(offer(), GPU, ARTEFACTS, load=fails_later, say=told.append, wait=lambda _: True)
    assert told[-1].endswith("detector fp32, whole: not built after 0 s")
    card = store.load_card("detector", ARTEFACTS)
    assert engines.stands(engines.folder_of(card.variants["fp16"].sha256, "fp16", HERE))


def test_other_boards_build_nothing() -> None:
    for board in (CPU, msgspec.structs.replace(GPU, emulated=True), msgspec.structs.replace(GPU, providers=("cuda",))):
        assert build_engines(offer(board), board, ARTEFACTS, load=pytest.fail) == 0


def test_nodes_elsewhere_are_told_by_model_variant_and_stage() -> None:
    made = offer()
    card = made.cards["detector"]
    top = Elsewhere("top", "TopK", "CUDAExecutionProvider", 0.25678)
    loaded = [(store.artefact(card, "fp16", ARTEFACTS), [top]),
              (store.stage(card, "int8_trt", 1, ARTEFACTS), [top] * 20)]
    told = elsewhere(made, GPU, ARTEFACTS, loaded)
    assert told[0] == {"model": "detector", "variant": "fp16", "stage": "whole", "node": "top", "operator": "TopK",
                       "provider": "CUDAExecutionProvider", "share": 0.2568}
    assert [one["stage"][:7] for one in told[1:]] == ["stage 1"] * 8
    put: list[Happened] = []
    OwnEvents(put.append).other_provider(told)
    assert put[0] == Happened(what="other_provider", detail=told[0])
    assert elsewhere(offer(CPU), CPU, ARTEFACTS, loaded) == []
