"""What is measured of a model, and when a kept measurement holds."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from models import cache, profiles, store
from models.build.cut.partition import balanced, split
from models.build.measure.load_cost import LoadCost, measure_load
from models.build.measure.profiler import profile
from models.build.measure.timing import WARM_UP, interleaved, run_time, spread, timing_inputs
from models.profiles import FileProfile, ModelProfile, VariantProfile
from models.session import Session
from models.store import ModelError
from swarm.core.settings.boards import Board
from swarm.core.settings.cards import AGREEMENT, Card, Gate, RunTime, Stage, TensorSpec, Variant
from tests.models.build.small_networks import cnn

QUIET = lambda: 0.0                  # noqa: E731 - no other process ever runs


def time(p50_ms: float) -> RunTime:
    return RunTime(quantiles_ms=np.linspace(0.9 * p50_ms, 1.1 * p50_ms, 21).tolist(), runs=10)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Card, Path]:
    """A small network in a store, whole and in two stages."""
    folder, model = tmp_path_factory.mktemp("store"), cnn(4)
    sha256, size = store.put(model.SerializeToString(), folder)
    stages = []
    for piece in split(model, balanced(model, 2)):
        own, own_size = store.put(piece.SerializeToString(), folder)
        session = Session(store.blob(own, own_size, folder))
        stages.append(Stage(sha256=own, bytes=own_size, inputs=session.inputs, outputs=session.outputs, macs=1,
                            memory_bytes=1, run_time=time(2.0)))
    whole = Session(store.blob(sha256, size, folder))
    fp32 = Variant(precision="fp32", sha256=sha256, bytes=size, memory_bytes=1, metrics={AGREEMENT: 1.0},
                   run_time=time(4.0), stages=stages)
    card = Card(name="small", task="", inputs=whole.inputs, outputs=whole.outputs, parameters=1, opset=17, ir_version=8,
                primary_metric=AGREEMENT, variants={"fp32": fp32}, made_by="test", made_with={})
    store.save_card(card, folder)
    return card, folder


@pytest.fixture(scope="module")
def measured(kept: tuple[Card, Path]) -> ModelProfile:
    return profile(kept[0], rounds=8, folder=kept[1])


def test_every_piece_is_measured_whole_and_by_stage(kept: tuple[Card, Path], measured: ModelProfile) -> None:
    card, _ = kept
    variant = measured.variants["fp32"]
    assert variant.sha256 == card.variants["fp32"].sha256
    assert len(variant.stages) == 2
    for piece in (variant.whole, *variant.stages):
        quantiles = piece.run_time.quantiles_ms
        assert quantiles == sorted(quantiles)
        assert 0 < quantiles[0] <= quantiles[19] <= piece.p99_ms <= quantiles[20]
        assert piece.run_time.runs == piece.run_time_threads.runs == 8
        assert piece.load_cold_ms > 0 < piece.load_warm_ms
        assert piece.peak_bytes >= piece.memory_bytes > 0
        assert piece.spread >= 0
    crossing = variant.boundary_bytes
    assert crossing == [card.inputs[0].bytes, card.variants["fp32"].stages[0].outputs[0].bytes, card.outputs[0].bytes]
    assert not measured.emulated


def test_an_emulated_board_is_this_host_slowed_and_says_so(kept: tuple[Card, Path], measured: ModelProfile) -> None:
    slow = profile(kept[0], board="tiny", speed={"fp32": 0.001, "int8": 0.5}, rounds=8, folder=kept[1])
    assert slow.emulated
    assert slow.board == "tiny"
    ratio = slow.variants["fp32"].whole.run_time.p50_ms / measured.variants["fp32"].whole.run_time.p50_ms
    assert ratio > 100                               # a thousand, but for the host's moods
    assert slow.variants["fp32"].whole.memory_bytes < 100 * measured.variants["fp32"].whole.memory_bytes


def test_a_kept_profile_is_found_where_it_holds(
    kept: tuple[Card, Path], measured: ModelProfile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card, _ = kept
    path = profiles.save(measured, tmp_path)
    assert path == tmp_path / "small" / "profiles" / f"host-cpu-{measured.runtime}.json"
    assert profiles.find(card, "host", "cpu", measured.runtime, folder=tmp_path) == measured.variants
    assert profiles.find(card, "orin_nano", "cpu", measured.runtime, folder=tmp_path) == {}
    assert profiles.find(card, "host", "cuda", measured.runtime, folder=tmp_path) == {}
    assert profiles.find(card, "host", "cpu", "0.1", folder=tmp_path) == {}
    assert profiles.find(card, "host", "cpu", measured.runtime, folder=tmp_path, speed={"fp32": 0.5}) == {}
    other = msgspec.structs.replace(card, variants={
        "fp32": msgspec.structs.replace(card.variants["fp32"], sha256="0" * 64)})
    assert profiles.find(other, "host", "cpu", measured.runtime, folder=tmp_path) == {}
    monkeypatch.setattr(cache, "device", lambda: "another machine")
    assert profiles.find(card, "host", "cpu", measured.runtime, folder=tmp_path) == {}
    monkeypatch.undo()
    path.write_text("{")
    with pytest.raises(ModelError, match=r"host-cpu-.*\.json: .*profile the model again"):
        profiles.find(card, "host", "cpu", measured.runtime, folder=tmp_path)


def test_a_board_has_what_was_measured_on_it_else_the_cards_times_by_its_speed(
    kept: tuple[Card, Path], measured: ModelProfile, tmp_path: Path
) -> None:
    card, _ = kept
    board = Board(speed={"fp32": 0.5, "int8": 0.5}, power_w=1, source="test")
    told = profiles.on_board(card, "tiny", board, measured.runtime, tmp_path)["fp32"]
    assert [t.p50_ms for t in (told.whole, *told.stages)] == pytest.approx([8.0, 4.0, 4.0])
    profiles.save(msgspec.structs.replace(measured, board="tiny", emulated=True, speed=dict(board.speed)), tmp_path)
    seen = profiles.on_board(card, "tiny", board, measured.runtime, tmp_path)["fp32"]
    own = measured.variants["fp32"]
    assert (seen.whole, seen.stages) == (own.whole.run_time, [stage.run_time for stage in own.stages])


def test_runs_by_several_threads_take_what_was_measured_of_as_many(
    kept: tuple[Card, Path], measured: ModelProfile, tmp_path: Path
) -> None:
    card, _ = kept
    board = Board(speed={"fp32": 0.5, "int8": 0.5}, power_w=1, source="test", threads=3)
    missing = (r"^board tiny: threads: 3: small fp32 was not profiled with as many on this machine; "
               r"`swarm models profile small --board tiny` first, or threads: 1$")
    with pytest.raises(ModelError, match=missing):
        profiles.on_board(card, "tiny", board, measured.runtime, tmp_path)
    kept_as = msgspec.structs.replace(measured, board="tiny", emulated=True, speed=dict(board.speed), threads=2)
    profiles.save(kept_as, tmp_path)
    with pytest.raises(ModelError, match=missing):
        profiles.on_board(card, "tiny", board, measured.runtime, tmp_path)
    profiles.save(msgspec.structs.replace(kept_as, threads=3), tmp_path)
    seen = profiles.on_board(card, "tiny", board, measured.runtime, tmp_path)["fp32"]
    own = measured.variants["fp32"]
    assert seen == (own.whole.run_time_threads, [stage.run_time_threads for stage in own.stages], {},
                    own.whole.load_warm_ms / 1e3, own.whole.memory_bytes, own.whole.peak_bytes)


def test_more_threads_than_cores_are_not_measured(kept: tuple[Card, Path]) -> None:
    with pytest.raises(ModelError, match=r"board host: threads: 4096: this machine has only \d+ cores"):
        profile(kept[0], threads=4096, rounds=1, folder=kept[1])


def test_what_several_inputs_take_is_told_of_processors_only_and_measured_of_others(
    kept: tuple[Card, Path], measured: ModelProfile, tmp_path: Path
) -> None:
    fp32 = msgspec.structs.replace(kept[0].variants["fp32"], batch=4, batch_times={2: time(6.0), 4: time(9.0)})
    card = msgspec.structs.replace(kept[0], variants={"fp32": fp32})
    board = Board(speed={"fp32": 0.5, "int8": 0.5}, power_w=1, source="test", emulated=False)
    told = profiles.on_board(card, "tiny", board, measured.runtime, tmp_path)["fp32"].batches
    assert {n: t.p50_ms for n, t in told.items()} == {2: pytest.approx(12.0), 4: pytest.approx(18.0)}
    cuda = msgspec.structs.replace(board, providers=["cuda", "cpu"])
    assert profiles.on_board(card, "tiny", cuda, measured.runtime, tmp_path)["fp32"].batches == {}
    whole = msgspec.structs.replace(measured.variants["fp32"], batches={2: time(1.0)})
    profiles.save(msgspec.structs.replace(measured, board="tiny", provider="cuda", variants={"fp32": whole}), tmp_path)
    assert profiles.on_board(card, "tiny", cuda, measured.runtime, tmp_path)["fp32"].batches == {2: time(1.0)}


def variants(**p50_ms: float) -> tuple[Card, dict[str, RunTime]]:
    """fp32 and what was made from it; `bad` failed its gate."""
    gates = {"bad": Gate(metric=AGREEMENT, value=0.5, floor=0.9), "fp32": None}
    made = {
        key: Variant(precision="int8", sha256="0" * 64, bytes=1, memory_bytes=1, metrics={}, run_time=time(ms),
                     parent="" if key == "fp32" else "fp32",
                     gate=gates.get(key, Gate(metric=AGREEMENT, value=0.95, floor=0.9)))
        for key, ms in p50_ms.items()
    }
    spec = [TensorSpec(name="x", dtype="float32", shape=[1])]
    card = Card(name="m", task="", inputs=spec, outputs=spec, parameters=1, opset=17, ir_version=8,
                primary_metric=AGREEMENT, variants=made, made_by="test", made_with={})
    return card, profiles.run_times(card, {})


def test_the_fastest_here_is_chosen_of_those_that_passed() -> None:
    assert profiles.chosen(*variants(fp32=5.0, int8=3.0, bad=1.0)) == "int8"
    assert profiles.chosen(*variants(fp32=5.0, int8=7.0, bad=1.0)) == "fp32"
    assert profiles.chosen(*variants(int8=5.0, fp32=5.0)) == "fp32"      # a gain of nothing is no reason
    assert profiles.slower_than_parent(*variants(fp32=5.0, int8=7.0, other=4.0)) == {"int8": "fp32"}
    assert profiles.fit(*variants(fp32=5.0, int8=7.0, other=4.0, bad=1.0)) == ["fp32", "other"]
    assert profiles.fit(*variants(fp32=5.0, int8=5.0)) == ["fp32"]


@pytest.mark.parametrize(("accuracy", "chosen"), [(0.93, "int8"), (0.95, "student_int8")])
def test_of_a_family_the_most_accurate_network_is_chosen_and_students_run_in_their_fast_form(
    accuracy: float, chosen: str
) -> None:
    card, _ = variants(fp32=5.0, int8=3.0, student_fp32=2.5, student_int8=1.0)
    metrics = {"fp32": 0.94, "int8": 0.935, "student_fp32": accuracy, "student_int8": accuracy - 0.001}
    parents = {"int8": "fp32", "student_int8": "student_fp32"}
    card = msgspec.structs.replace(card, variants={
        key: msgspec.structs.replace(
            variant, metrics={AGREEMENT: metrics[key]}, parent=parents.get(key, ""),
            teacher="fp32" if key == "student_fp32" else "", gate=variant.gate if key in parents else None)
        for key, variant in card.variants.items()})
    times = profiles.run_times(card, {})
    assert profiles.chosen(card, times) == chosen
    assert profiles.fit(card, times) == ["fp32", "int8", "student_int8"]
    assert profiles.fit(card, times | {"student_int8": time(2.6)}) == ["fp32", "int8", "student_fp32"]


def test_what_was_measured_here_goes_before_the_card() -> None:
    card, _ = variants(fp32=5.0, int8=3.0)
    piece = FileProfile(run_time=time(9.0), run_time_threads=time(9.0), p99_ms=9.0, spread=0.0, load_cold_ms=1.0,
                  load_warm_ms=1.0, memory_bytes=1, peak_bytes=1)
    times = profiles.run_times(card, {"int8": VariantProfile(sha256="0" * 64, whole=piece)})
    assert profiles.chosen(card, times) == "fp32"


def test_steps_take_turns_and_warm_up_rounds_do_not_count() -> None:
    order: list[str] = []

    def step(name: str) -> list[float]:
        order.append(name)
        return [float(len(order)), 0.0]

    took = interleaved({name: lambda name=name: step(name) for name in "ab"}, 4, pause_s=0.0, other_cpu_s=QUIET)
    assert took["a"].shape == (4, 2)
    assert sorted(order[-2:]) == ["a", "b"]
    assert {"".join(order[i:i + 2]) for i in range(0, len(order), 2)} == {"ab", "ba"}
    assert took["a"][:, 0].min() > 2 * WARM_UP


def test_rounds_in_which_others_were_busy_are_made_up_for() -> None:
    """Every other round somebody else has the processor for an hour."""
    spent_s, every, rounds = 0.0, 2, 0

    def step() -> list[float]:
        nonlocal spent_s, rounds
        rounds += 1
        spent_s += 3600.0 * (rounds % every == 0)
        return [float(rounds)]

    took = interleaved({"x": step}, 5, pause_s=0.0, other_cpu_s=lambda: spent_s)["x"][:, 0]
    assert len(took) == 5
    assert {value % 2 for value in took} == {1.0}    # only the quiet ones
    every, rounds = 1, 0
    assert len(interleaved({"x": step}, 5, pause_s=0.0, other_cpu_s=lambda: spent_s)["x"]) == 5
    assert rounds == WARM_UP + 10                    # where it is never quiet, it ends all the same


def test_figures_by_hand() -> None:
    assert run_time(np.arange(21.0)).quantiles_ms == list(range(21))
    assert spread(np.ones(80)) == 0.0
    assert spread(np.repeat([1.0, 2.0], 40)) == pytest.approx(2 / 3, abs=1e-3)


def test_drawn_inputs_are_of_the_kind_that_is_taken() -> None:
    specs = [TensorSpec(name=kind, dtype=kind, shape=[2, 3]) for kind in ("uint8", "float16", "int64", "bool")]
    tensors = timing_inputs(specs, np.random.default_rng(1))
    assert {name: (str(t.dtype), t.shape) for name, t in tensors.items()} == {s.dtype: (s.dtype, (2, 3)) for s in specs}
    assert tensors["int64"].max() <= 1
    assert tensors["uint8"].max() <= 1               # two axes: it may be an index
    image = timing_inputs([TensorSpec(name="x", dtype="uint8", shape=[8, 8, 3])], np.random.default_rng(1))
    assert image["x"].max() > 200


def test_variants_run_on_what_the_board_prefers_and_their_cards_allow(kept: tuple[Card, Path]) -> None:
    card, folder = kept
    with pytest.raises(ModelError, match=r"provider CUDAExecutionProvider is not available; this host has .*CPU"):
        profile(card, on=("cuda", "cpu"), rounds=1, folder=folder)
    fp32 = msgspec.structs.replace(card.variants["fp32"], providers=["cpu"], stages=[])
    told = profile(msgspec.structs.replace(card, variants={"fp32": fp32}), on=("cuda", "cpu"), rounds=1, folder=folder)
    assert (told.provider, list(told.variants)) == ("cuda", ["fp32"])            # kept where the board will look


def test_what_cannot_be_loaded_is_said_by_the_process_that_tried(tmp_path: Path) -> None:
    (tmp_path / "x.onnx").write_bytes(b"no model")
    with pytest.raises(ModelError, match=r"x\.onnx: ONNX Runtime .* cannot load it"):
        measure_load(tmp_path / "x.onnx")


def test_a_load_is_measured_in_a_process_of_its_own(kept: tuple[Card, Path]) -> None:
    card, folder = kept
    found = measure_load(store.artefact(card, "fp32", folder))
    assert isinstance(found, LoadCost)
    assert found.cold_ms > 0 < found.warm_ms
    assert found.peak_bytes >= found.memory_bytes > 0
