"""`swarm models list|show|profile|quantize` as a user meets them."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest

from models import profiles, store
from models.build.cut import cut_variants
from models.build.measure import profiler, timing
from models.session import VERSION
from models.store import ARTEFACTS, BLOBS
from swarm.cli.main import main
from swarm.cli.scatter import scatter
from swarm.core.settings.cards import AGREEMENT, Card, RunTime, TensorSpec, Variant, crossing
from swarm.launcher.load import load_boards
from tests.models.build.graphs import by_macs
from tests.models.build.small_networks import CHANNELS, SIDE, cnn, constant

KEYS = ["name", "variant", "bytes", "metric", "value", "p50_ms", "p95_ms", "chosen_here", "on_front", "providers"]


@pytest.fixture(autouse=True)
def own_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty store, and measurements that are short."""
    monkeypatch.setenv("SWARM_MODELS", str(tmp_path / "models"))
    monkeypatch.setattr(profiler, "ROUNDS", 4)
    monkeypatch.setattr(timing, "PAUSE_S", 0.0)
    return tmp_path / "models"


def keep(model: onnx.ModelProto, name: str = "small") -> Card:
    """A graph in the user's store, as if it had been imported."""
    sha256, size = store.put(model.SerializeToString())
    ends = [[TensorSpec(name=v.name, dtype="float32", shape=[d.dim_value for d in v.type.tensor_type.shape.dim])
             for v in values] for values in (model.graph.input, model.graph.output)]
    fp32 = Variant(precision="fp32", sha256=sha256, bytes=size, memory_bytes=1, metrics={AGREEMENT: 1.0},
                   run_time=RunTime(quantiles_ms=[0.5] * 21, runs=1))
    card = Card(name=name, task="", inputs=ends[0], outputs=ends[1], parameters=1, opset=17, ir_version=8,
                primary_metric=AGREEMENT, variants={"fp32": fp32}, made_by="test", made_with={})
    store.save_card(card)
    return card


def listed(capsys: pytest.CaptureFixture[str]) -> list[dict]:
    assert main(["models", "list", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert list(told) == ["models"]
    return told["models"]


def test_the_list_has_a_row_per_variant_with_these_very_keys(capsys: pytest.CaptureFixture[str]) -> None:
    rows = listed(capsys)
    assert all(list(row) == KEYS for row in rows)
    assert [(row["name"], row["variant"]) for row in rows if row["chosen_here"]] == [
        ("detector", "int8"), ("segmenter", "int8")]
    card = store.load_card("detector")
    assert rows[0] == {
        "name": "detector", "variant": "fp32", "bytes": card.variants["fp32"].bytes, "metric": "ap50",
        "value": card.variants["fp32"].metrics["ap50"], "p50_ms": card.variants["fp32"].run_time.p50_ms,
        "p95_ms": card.variants["fp32"].run_time.p95_ms, "chosen_here": False, "on_front": True, "providers": [],
    }
    assert main(["models", "list"]) == 0
    table = capsys.readouterr().out.splitlines()
    assert len(table) == 1 + len(rows)
    assert ["chosen here" in line for line in table[1:]] == [row["chosen_here"] for row in rows]


def test_a_variant_is_named_slower_and_not_chosen_where_it_was_measured_so(capsys: pytest.CaptureFixture[str]) -> None:
    card = keep(cnn())
    int8 = msgspec.structs.replace(card.variants["fp32"], precision="int8", parent="fp32")
    store.save_card(msgspec.structs.replace(card, variants=card.variants | {"int8": int8}))
    assert main(["models", "profile", "small", "--json"]) == 0
    taken = msgspec.json.decode(capsys.readouterr().out, type=profiles.ModelProfile)
    slow = msgspec.structs.replace(
        taken.variants["int8"].whole, run_time=RunTime(quantiles_ms=[99.0] * 21, runs=9))
    profiles.save(msgspec.structs.replace(taken, variants=taken.variants | {
        "int8": msgspec.structs.replace(taken.variants["int8"], whole=slow)}))
    own, slower = (row for row in listed(capsys) if row["name"] == "small")
    assert (slower["variant"], slower["p50_ms"]) == ("int8", 99.0)
    assert (own["chosen_here"], slower["chosen_here"]) == (True, False)
    assert main(["models", "list"]) == 0
    assert "slower than fp32 here" in capsys.readouterr().out


def test_show_draws_accuracy_sizes_and_cuts(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "show", "detector"]) == 0
    drawn = capsys.readouterr().out
    assert "● int8" in drawn
    assert "ms p50" in drawn
    assert "█" in drawn
    assert main(["models", "show", "detector", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    card = store.load_card("detector")
    for key, variant in card.variants.items():
        cuts = range(1, len(variant.stages))
        assert told["cuts"][key] == [[msgspec.to_builtins(spec) for spec in crossing(card, key, k)] for k in cuts]
        assert f"{key}: not cut" in drawn or f"{key} in {len(variant.stages)} stages" in drawn
    assert [row["variant"] for row in told["here"]] == list(card.variants)


@pytest.mark.parametrize("stage", ["", " stage 3"])
def test_show_and_doctor_name_an_altered_file(
    stage: str, own_store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(ARTEFACTS, own_store)
    variant = store.load_card("detector").variants["int8"]
    sha256 = variant.stages[3].sha256 if stage else variant.sha256
    path = own_store / BLOBS / f"{sha256}.onnx"
    path.write_bytes(path.read_bytes()[:-1])
    assert main(["models", "show", "detector"]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert f"{sha256}.onnx (detector int8{stage}): found" in told
    assert main(["doctor", "--json"]) == 1
    assert f"{sha256}.onnx (detector int8{stage}): found" in capsys.readouterr().out


def test_a_profile_is_kept_by_board_provider_and_version(own_store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keep(cnn())
    assert main(["models", "profile", "small", "--board", "orin_nano"]) == 0
    told = capsys.readouterr()
    assert "emulated" in told.out
    path = own_store / "small" / "profiles" / f"orin_nano-cpu-{VERSION}.json"
    assert str(path) in told.out
    kept = json.loads(path.read_text())
    assert kept["emulated"]
    assert kept["variants"]["fp32"]["whole"]["run_time"]["runs"] == 4
    assert main(["models", "profile", "small", "--board", "orin_nan"]) == 2
    assert "did you mean 'orin_nano'?" in capsys.readouterr().err
    assert main(["models", "profile", "smal"]) == 2
    assert "no model is called 'smal'" in capsys.readouterr().err


def test_a_board_is_measured_into_a_file_of_its_own(
    tmp_path: Path, own_store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keep(cnn())
    out = tmp_path / "mine.yaml"
    assert main(["models", "profile", "small", "--board", "orin_nano", "--out", str(out), "--json"]) == 0
    told = msgspec.json.decode(capsys.readouterr().out, type=profiles.ModelProfile)
    assert not told.emulated                         # as it is here, and not scaled
    board = load_boards(out)["orin_nano"]
    assert board.emulated
    assert (board.memory_mb, board.figures["speed"].origin) == (8192, "measured")
    assert board.measured is not None
    seen = board.measured.models["small"]["fp32"]
    assert seen.whole.run_time == told.variants["fp32"].whole.run_time
    assert (seen.provider, seen.whole.load_ms) == ("cpu", told.variants["fp32"].whole.load_warm_ms)
    card = store.load_card("small")
    assert profiles.on_board(card, "orin_nano", board, "9.9")["fp32"].whole == seen.whole.run_time
    for arguments, wrong in ((["--board", "orin_nano", "--out", str(tmp_path / "no" / "file")], "a folder that exists"),
                             (["--board", "orin_nano_15w_gpu"], "its models run on tensorrt or cuda, not on a CPU")):
        assert main(["models", "profile", "small", *arguments]) == 2
        refused = capsys.readouterr().err
        assert wrong in refused
        assert refused.count("\n") == 1


def test_a_provider_that_this_machine_lacks_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    keep(cnn())
    (tmp_path / "launch").mkdir()
    (tmp_path / "launch" / "boards.yaml").write_text(
        "gpu: {speed: {fp32: 1.0, int8: 1.0}, power_w: 1, source: x, emulated: false,"
        " providers: [cuda, cpu]}")
    monkeypatch.chdir(tmp_path)
    assert main(["models", "profile", "small", "--board", "gpu"]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "provider CUDAExecutionProvider is not available; this host has" in told


def test_a_model_is_quantized_from_the_users_own_inputs(
    tmp_path: Path, own_store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keep(cnn())
    source = tmp_path / "x.npy"
    np.save(source, np.random.default_rng(2).standard_normal((12, CHANNELS, SIDE, SIDE)).astype(np.float32))
    assert main(["models", "quantize", "small", "--calibrate", str(source), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {row["variant"] for row in told["made"]} == {"int8", "int8_dynamic"}
    assert any("entropy" in line for line in told["trials"])
    card = store.load_card("small")
    assert set(card.variants) == {"fp32", "int8", "int8_dynamic"}
    for row in told["made"]:
        variant = card.variants[row["variant"]]
        assert variant.parent == "fp32"
        assert variant.gate is not None
        assert variant.gate.passed
        assert variant.metrics == {AGREEMENT: variant.gate.value}
        assert store.artefact(card, row["variant"]).stat().st_size == variant.bytes
        assert not (row["slower_than"] and row["chosen_here"])
    assert (own_store / "small" / "profiles" / f"host-cpu-{VERSION}.json").is_file()


def test_new_variants_of_a_model_in_stages_are_cut_too(
    own_store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    card = keep(cnn())
    monkeypatch.setattr(cut_variants, "prefix_costs", by_macs)
    cut_variants.partition(card, 2, ["fp32"])
    assert main(["models", "quantize", "small", "--calibrate", "random"]) == 0
    assert "small int8 in 2 stages: " in capsys.readouterr().out
    for key, variant in store.load_card("small").variants.items():
        assert len(variant.stages) == 2
        if key != "fp32":
            assert {stage.run_time.runs for stage in variant.stages} == {4}      # each measured by itself
    assert main(["models", "verify", "small", "--inputs", "random", "--json"]) == 0
    assert {proof["stages"] for proof in json.loads(capsys.readouterr().out)["variants"].values()} == {2}


def test_a_model_that_cannot_be_quantized_is_told_why(capsys: pytest.CaptureFixture[str]) -> None:
    keep(constant(), "flat")
    assert main(["models", "quantize", "flat", "--calibrate", "random"]) == 2
    assert "gives the same outputs" in capsys.readouterr().err
    assert main(["models", "quantize", "flat", "--calibrate", "world"]) == 2
    assert "takes no frames of a camera" in capsys.readouterr().err
    assert set(store.load_card("flat").variants) == {"fp32"}


def test_without_onnx_the_command_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "onnx" else found(name))
    assert main(["models", "quantize", "detector", "--calibrate", "random"]) == 2
    assert "onnx is not installed; pip install onnx" in capsys.readouterr().err
    assert main(["bench", "split"]) == 2
    assert "onnx is not installed; pip install onnx" in capsys.readouterr().err


def test_a_scatter_chart_by_hand() -> None:
    lines = scatter([("a", 0.0, 1.0), ("b", 10.0, 0.0)], "ms", "score", width=11, height=3)
    assert lines == ["   score", "   1.000 │● a", "         │", "   0.000 │        b ●", "         └───────────",
                     "          0     10 ms"]
    assert any("same ●" in line for line in scatter([("same", 1.0, 0.5)], "ms", "score", width=20))


def test_variants_for_tensorrt_are_made_and_checked(capsys: pytest.CaptureFixture[str]) -> None:
    keep(cnn())
    assert main(["models", "quantize", "small", "--for", "tensorrt", "--calibrate", "random", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [(row["variant"], row["providers"]) for row in told["made"]] == [
        ("fp16", ["tensorrt", "cuda"]), ("int8_trt", ["tensorrt"])]
    assert any("fp16, float16: agreement" in line for line in told["trials"])
    assert main(["models", "quantize", "small", "--calibrate", "random"]) == 0           # for cpu: the others stay
    capsys.readouterr()
    assert list(store.load_card("small").variants) == ["fp32", "fp16", "int8_trt", "int8", "int8_dynamic"]
    assert {row["variant"]: row["providers"] for row in listed(capsys)[-5:]}["int8"] == ["cpu"]
    assert main(["models", "list"]) == 0
    assert "for tensorrt; not here" in capsys.readouterr().out
    assert main(["models", "verify", "small", "--provider", "tensorrt"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == [f"small {key}" for key in (
        "fp32", "fp16", "int8_trt", "int8", "int8_dynamic")]
    assert all("TensorRT takes all" in line for line in lines[:3])
    assert "skipped, since it is for cpu; TensorRT would refuse" in lines[3]
    assert main(["models", "verify", "small", "--provider", "tensorrt", "--variant", "int8"]) == 2
    assert "--variant int8: is for cpu; TensorRT would refuse" in capsys.readouterr().err


@pytest.mark.parametrize(("words", "told"), [
    (["small", "--all-cuts"], "does not take --all-cuts"),
    (["detector", "--inputs", "random"], "detector is compared on rendered frames with their truth; no --inputs"),
])
def test_options_that_a_check_for_tensorrt_does_not_use_are_refused(
    words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    keep(cnn())
    assert main(["models", "verify", "--provider", "tensorrt", *words]) == 2
    assert told in capsys.readouterr().err


def test_several_profiles_are_one_json_object(
    own_store: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(cnn())
    other = msgspec.structs.replace(store.load_card("small"), name="other")
    store.save_card(other)
    monkeypatch.setattr("models.build.measure.profiler.ROUNDS", 2)
    assert main(["models", "profile", "small", "other", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [one["model"] for one in told["profiles"]] == ["small", "other"]


def test_what_tensorrt_does_not_take_is_told_by_node(capsys: pytest.CaptureFixture[str]) -> None:
    graph = cnn(2)
    graph.graph.node[1].CopyFrom(onnx.helper.make_node("MaxPool", ["c_0"], ["r_0"], "pooled", kernel_shape=[3, 3],
                                                       pads=[2] * 4, dilations=[2, 2]))
    keep(graph)
    assert main(["models", "verify", "small", "--provider", "tensorrt", "--json"]) == 1
    told = capsys.readouterr()
    assert "swarm: small fp32: node 'pooled' (MaxPool): dilations are not supported" in told.err
    assert json.loads(told.out)["variants"]["fp32"]["offences"] == [
        {"where": "node 'pooled' (MaxPool)", "why": "dilations are not supported"}]
    card = store.load_card("small")
    only = msgspec.structs.replace(card.variants["fp32"], providers=["cpu"])
    store.save_card(msgspec.structs.replace(card, variants={"fp32": only}))
    assert main(["models", "verify", "small", "--provider", "tensorrt"]) == 1
    assert "small has no variant for tensorrt: `swarm models quantize small --for tensorrt" in capsys.readouterr().err
