"""`swarm models import`, `partition` and `verify`, as a user meets them."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest

from models import store
from models.build import importing
from models.build.cut import cut_variants, verify
from models.build.cut.cut_variants import prefix_costs
from models.build.cut.partition import cuts, split
from swarm.cli import extras
from swarm.cli.main import main
from swarm.core.settings.cards import RunTime, crossing
from tests.models.build import odd_graphs
from tests.models.build.graphs import by_macs, model, node, tensor
from tests.models.build.test_versions import on_later_runtimes

F32 = np.float32
TIMES = RunTime(quantiles_ms=[1.0] * 21, runs=1)


@pytest.fixture(autouse=True)
def _own_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that is empty, and no time spent on measuring."""
    monkeypatch.setenv("SWARM_MODELS", str(tmp_path / "store"))
    for module in (importing, cut_variants):
        monkeypatch.setattr(module, "memory_bytes", lambda path: 1)
        monkeypatch.setattr(module, "run_times", lambda paths: dict.fromkeys(paths, TIMES))
    monkeypatch.setattr(cut_variants, "prefix_costs", by_macs)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Three products of about the same cost, with a residual over the second."""
    draws = np.random.default_rng(5)
    weights = {name: (draws.standard_normal((64, 64)) / 8).astype(F32) for name in ("u", "v", "w")}
    given = model(
        [node("MatMul", "x u", "a"), node("Relu", "a", "b"), node("MatMul", "b v", "c"), node("Add", "c b", "d"),
         node("MatMul", "d w", "e"), node("Tanh", "e", "y")],
        [tensor("x", ["batch", 64])], [tensor("y", ["batch", 64])], weights)
    onnx.save(given, tmp_path / "three layers.onnx")
    return tmp_path / "three layers.onnx"


def test_a_file_is_imported_cut_and_verified(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "import", str(file)]) == 0
    said = capsys.readouterr().out
    assert said.startswith("three_layers: fp32, 12,288 parameters, 0.0 M multiply-accumulates, opset 17, IR 8\n")
    assert "axes   batch = 1\n" in said
    assert "nodes  1 Add, 3 MatMul, 1 Relu, 1 Tanh\n" in said

    assert main(["models", "partition", "three_layers", "--stages", "3", "--json"]) == 0
    made = json.loads(capsys.readouterr().out)["variants"]["fp32"]
    card = store.load_card("three_layers")
    assert len(made["stages"]) == len(card.variants["fp32"].stages) == 3
    assert sum(stage.macs for stage in card.variants["fp32"].stages) == card.macs == 3 * 64 * 64
    assert [spec["name"] for spec in made["crossing"][0]] == ["x"]
    assert [spec.name for spec in crossing(card, "fp32", len(made["stages"]))] == ["y"]

    assert main(["models", "verify", "three_layers", "--all-cuts", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["cuts"], found["verified"], found["skipped"], found["failed"]) == (5, 5, [], [])
    assert 0.0 <= found["max_abs_error"] < 1e-5
    assert found["variants"]["fp32"]["stages"] == len(made["stages"])


def test_the_table_names_what_crosses(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "import", str(file), "--name", "three", "--axis", "batch=2"]) == 0
    assert main(["models", "partition", "three", "--stages", "2"]) == 0
    said = capsys.readouterr().out
    assert "three fp32: 2 stages" in said
    assert "float32 [2, 64]" in said
    assert main(["models", "verify", "three"]) == 0
    assert "three fp32: 5 of 5 cuts verified on 2 random and 0 real inputs" in capsys.readouterr().out


def test_times_of_stages_are_of_the_host_that_made_the_card(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine is half as fast as that: the whole takes 2 ms here, and 1 ms on its card."""
    main(["models", "import", str(file), "--name", "three"])
    here = RunTime(quantiles_ms=[2.0] * 21, runs=1)
    monkeypatch.setattr(cut_variants, "run_times", lambda paths: dict.fromkeys(paths, here))
    assert main(["models", "partition", "three"]) == 0
    assert {stage.run_time.p50_ms for stage in store.load_card("three").variants["fp32"].stages} == {1.0}


def test_what_is_too_short_to_be_cut_stays_whole(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    main(["models", "import", str(file), "--name", "three"])
    monkeypatch.setattr(cut_variants, "prefix_costs", lambda graph: [0.01] * len(cuts(graph)) + [1.0])
    assert main(["models", "partition", "three"]) == 0
    assert "three fp32: stays whole" in capsys.readouterr().out
    assert store.load_card("three").variants["fp32"].stages == []


def test_a_graph_of_no_nodes_stays_whole(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cut_variants, "prefix_costs", prefix_costs)
    onnx.save(model([], outputs=["x"]), tmp_path / "wire.onnx")
    assert main(["models", "import", str(tmp_path / "wire.onnx")]) == 0
    assert main(["models", "partition", "wire"]) == 0
    assert "wire fp32: stays whole" in capsys.readouterr().out


def test_a_file_is_verified_without_import(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "verify", str(file), "--all-cuts"]) == 0
    assert "5 of 5 cuts verified" in capsys.readouterr().out
    assert store.names(store.home()) == []


def test_recorded_inputs_are_real_ones(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["models", "import", str(file)])
    np.savez(tmp_path / "recorded.npz", x=np.random.default_rng(1).standard_normal((6, 64)).astype(F32))
    assert main(["models", "verify", "three_layers", "--inputs", str(tmp_path / "recorded.npz")]) == 0
    assert "2 random and 4 real inputs" in capsys.readouterr().out


def test_a_cut_that_fails_is_named_and_ends_with_exit_code_1(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def spoilt(graph: object, points: list) -> list:
        stages = split(graph, points)            # pyright: ignore[reportArgumentType]
        for one in stages[1].graph.node:
            one.op_type = "Sigmoid" if one.op_type == "Tanh" and points[0].name == "d" else one.op_type
        return stages

    monkeypatch.setattr(verify, "split", spoilt)
    assert main(["models", "verify", str(file), "--all-cuts"]) == 1
    out, err = capsys.readouterr()
    assert "4 of 5 cuts verified" in out
    assert "cut d: the stages do not compute the same as the whole: 100.00% of the output differs" in err


def test_a_model_with_several_variants_is_imported_again(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "import", str(file), "--name", "mine"]) == 0
    card = store.load_card("mine")
    store.save_card(msgspec.structs.replace(card, variants={**card.variants, "int8": card.variants["fp32"]}))
    capsys.readouterr()
    assert main(["models", "import", str(file), "--name", "mine"]) == 0
    assert "mine: fp32, int8, " in capsys.readouterr().out


def test_an_import_does_not_replace_another_model(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "import", str(file), "--name", "mine"]) == 0
    assert main(["models", "import", str(file), "--name", "mine"]) == 0
    onnx.save(model([node("Neg", "x", "y")]), file)
    assert main(["models", "import", str(file), "--name", "mine"]) == 2
    assert "model 'mine': exists already, from another file; another --name" in capsys.readouterr().err
    assert store.load_card("mine").operators != {"Neg": 1}


@pytest.mark.parametrize(("arguments", "told"), [
    (["import", "nowhere.onnx"], "nowhere.onnx: No such file"),
    (["import", "{file}", "--axis", "batch"], "--axis batch: is not AXIS=SIZE; like --axis batch=1"),
    (["import", "{file}", "--axis", "depth=2"], "--axis depth: is not a dynamic axis; known: batch"),
    (["import", "{file}", "--name", "../up"], "is no name of a model"),
    (["import", "{file}", "--name", "detector"], "model 'detector': exists already"),
    (["partition", "oracle"], "no model is called 'oracle'"),
    (["partition", "detector", "--stages", "1"], "--stages 1: is too few; 2 to 16"),
    (["partition", "detector", "--stages", "17"], "--stages 17: is more than agents accept; 2 to 16"),
    (["partition", "detector", "--variant", "fp64"], "no variant is called 'fp64'"),
    (["verify", "oracle"], "no model is called 'oracle'"),
    (["verify", "nowhere.onnx"], "nowhere.onnx: No such file"),
    (["verify", "detector", "--variant", "fp64"], "no variant is called 'fp64'"),
    (["verify", "detector", "--inputs", "nowhere.npz"], "nowhere.npz"),
    (["verify", "detector", "--axis", "n=1"], "--axis: is for files"),
    (["verify", "{file}", "--inputs", "random"], "gets random inputs; import it first"),
    (["verify", "{file}", "--input", "x"], "--input x: is not NAME=FILE.npy; like --input lengths=lengths.npy"),
    (["import", "{file}", "--input", "z=a.npy"], "--input z=a.npy: no input is called 'z'; inputs: x"),
    (["partition", "detector", "--input", "image=gone.npy"], "gone.npy: cannot be read"),
])
def test_mistakes_are_told_in_one_line(
    arguments: list[str], told: str, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", *(part.format(file=file) for part in arguments)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("swarm: ")
    assert err.count("\n") == 1
    assert told in err


def save(given: onnx.ModelProto, path: Path) -> str:
    onnx.save(given, path)
    return str(path)


def test_later_versions_are_lowered_and_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = save(odd_graphs.late(25, 13), tmp_path / "late.onnx")
    assert main(["models", "import", path]) == 0
    said = capsys.readouterr().out
    assert "opset 23, IR 11" in said
    assert "  note   lowered from opset 25 and IR 13, which boards with Python 3.10 (JetPack 6, such as " in said


@on_later_runtimes
def test_boards_that_cannot_load_a_model_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = save(odd_graphs.late(24, 12, "Swish"), tmp_path / "late.onnx")
    assert main(["models", "import", path, "--json"]) == 0
    (note,) = json.loads(capsys.readouterr().out)["notes"]
    assert note.startswith("boards with Python 3.10 (JetPack 6, such as orin_nano and agx_orin) cannot load it: ")
    assert main(["models", "show", "late"]) == 0
    assert f"  note    {note}\n" in capsys.readouterr().out


def test_a_difference_by_fusion_reaches_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = save(odd_graphs.amplifying(), tmp_path / "loud.onnx")
    monkeypatch.setattr(cut_variants, "prefix_costs", lambda graph: [1.0, *[1.01] * (len(cuts(graph)) - 1), 2.0])
    assert main(["models", "import", path]) == 0
    capsys.readouterr()
    assert main(["models", "partition", "loud", "--stages", "2"]) == 0
    said = capsys.readouterr().out
    assert "  note: loud fp32: its 2 stages: the runtime fuses other operators in the stages than in " in said
    assert "% of the output differs, by up to " in said
    assert "; between the whole with and without optimisation, " in said
    assert main(["models", "verify", "loud", "--all-cuts"]) == 0
    said = capsys.readouterr().out
    assert "  explained: its 2 stages: the runtime fuses" in said
    assert "  explained: cut a: the runtime fuses" in said
    assert "  for comparison: between the whole with and without optimisation, " in said


def test_values_of_an_input_are_given_to_each_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = save(odd_graphs.far_threshold(1e9), tmp_path / "far.onnx")
    np.save(tmp_path / "x.npy", np.array([[[2e9] * 8], [[3e9] * 8]], F32))
    given = ["--input", f"x={tmp_path / 'x.npy'}"]
    assert main(["models", "import", path, *given]) == 0
    capsys.readouterr()
    assert main(["models", "partition", "far"]) == 2
    assert "far fp32: its stages cannot be verified: insensitive: the output is the same" in capsys.readouterr().err
    assert main(["models", "partition", "far", "--stages", "2", *given, "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["variants"]["fp32"]["stages"]) == 2
    for what in ("far", path):
        assert main(["models", "verify", what, *given, "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert (found["verified"], found["skipped"]) == (found["cuts"], [])


@pytest.mark.parametrize("action", ["import", "partition", "verify"])
def test_without_onnx_it_is_said_how_to_get_it(
    action: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(extras.importlib.util, "find_spec", lambda name: None)
    assert main(["models", action, "detector"]) == 2
    err = capsys.readouterr().err
    assert f"swarm models {action}: onnx is not installed; pip install onnx" in err
