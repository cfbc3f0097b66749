"""Which graphs take several inputs at once, and that each then gives what it gives alone."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest
from onnx import ModelProto

from models import store
from models.batch_sizes import SIZES
from models.build.graph.graph import Graph
from models.build.measure import timing
from models.build.measure.batch_axis import batched, most_at_once, single, timed, with_free_axis
from models.build.measure.batch_times import LONGEST_MS, scaled, sizes
from models.build.measure.profiler import profile
from models.build.measure.runner import Runner
from models.session import Session
from models.store import ModelError
from swarm.core.settings.cards import AGREEMENT, Card, RunTime, Variant
from tests.models.build.graphs import model, node, tensor
from tests.models.build.small_networks import cnn

MOST = max(SIZES)


def takes(graph: ModelProto) -> int:
    free = with_free_axis(graph)
    assert free is not None
    return most_at_once(graph, free)


def test_convolutions_take_as_many_as_are_tried() -> None:
    assert takes(cnn(2)) == MOST


@pytest.mark.parametrize("graph", [
    pytest.param(model([node("Reshape", "x shape", "y")], weights={"shape": np.array([1, 4])}), id="a leading one"),
    pytest.param(model([node("ReduceMean", "x", "m", axes=[0]), node("Sub", "x m", "y")]), id="a mean over all"),
    pytest.param(model([node("Softmax", "x", "y", axis=0)]), id="shares of all"),
    pytest.param(model([node("ReduceMean", "x", "y", axes=[0])]), id="one output for all"),
    pytest.param(model([node("DynamicQuantizeLinear", "x", "q s z"), node("DequantizeLinear", "q s z", "y")]),
                 id="one range for all"),
    pytest.param(model([node("MatMul", "w x", "m"), node("Slice", "m from to", "y")], ["x"],
                       weights={"w": np.ones((1, 1), np.float32), "from": np.array([0]), "to": np.array([1])}),
                 id="the first of all"),
])
def test_a_graph_that_mixes_inputs_takes_one(graph: ModelProto) -> None:
    assert takes(graph) == 1


def test_a_graph_whose_first_axis_is_no_batch_is_not_opened() -> None:
    assert with_free_axis(model([node("Relu", "x", "y")], [tensor("x", [2, 4])], [tensor("y", [2, 4])])) is None
    assert with_free_axis(model([node("Relu", "x", "y")], [tensor("x", [])], [tensor("y", [])])) is None


def test_an_opened_graph_is_for_one_input_again_where_it_is_cut() -> None:
    whole = cnn(2)
    free = with_free_axis(whole)
    assert free is not None
    again = single(free)
    assert [side.dim_value for side in again.graph.output[0].type.tensor_type.shape.dim] == [1, 8, 12, 12]
    assert Graph(again).specs == Graph(whole).specs
    given = {"x": np.random.default_rng(1).standard_normal((1, 8, 12, 12)).astype(np.float32)}
    np.testing.assert_array_equal(Runner(again).run_named(given)["y"], Runner(whole).run_named(given)["y"])
    assert single(whole) == whole


def kept(graph: ModelProto, folder: Path) -> Card:
    sha256, size_bytes = store.put(graph.SerializeToString(), folder)
    session = Session(store.blob(sha256, size_bytes, folder))
    fp32 = Variant(precision="fp32", sha256=sha256, bytes=size_bytes, memory_bytes=1, metrics={AGREEMENT: 1.0},
                   run_time=RunTime(quantiles_ms=[1.0] * 21, runs=1))
    return Card(name="small", task="", inputs=session.inputs, outputs=session.outputs, parameters=1, opset=17,
                ir_version=8, primary_metric=AGREEMENT, variants={"fp32": fp32}, made_by="test", made_with={})


def test_a_variants_own_file_takes_several_and_what_that_takes_is_on_the_card(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timing, "PAUSE_S", 0.0)
    card = kept(cnn(2), tmp_path)
    made = timed(batched(card, ["fp32"], tmp_path), ["fp32"], tmp_path)
    entry = made.variants["fp32"]
    assert entry.sha256 != card.variants["fp32"].sha256
    assert (entry.batch, sorted(entry.batch_times)) == (MOST, list(SIZES))
    session = Session(store.artefact(made, "fp32", tmp_path))
    assert (session.batched, session.inputs, session.outputs) == (True, made.inputs, made.outputs)
    assert session.run({"x": np.zeros((3, 8, 12, 12), np.float32)})[0].shape == (3, 8, 12, 12)
    measured = profile(made, rounds=3, folder=tmp_path).variants["fp32"]
    assert sorted(measured.batches) == list(SIZES)
    store.save_card(made, tmp_path)
    assert store.load_card("small", tmp_path) == made


def test_a_variant_that_takes_one_keeps_its_file(tmp_path: Path) -> None:
    card = kept(model([node("Softmax", "x", "y", axis=0)]), tmp_path)
    assert batched(card, ["fp32"], tmp_path) == card
    assert not Session(store.artefact(card, "fp32", tmp_path)).batched


def test_batches_that_no_deadline_would_bear_are_not_timed(tmp_path: Path) -> None:
    fp32 = kept(cnn(1), tmp_path).variants["fp32"]
    slow = msgspec.structs.replace(fp32, batch=MOST, run_time=RunTime(quantiles_ms=[LONGEST_MS / 4] * 21, runs=1))
    assert sizes(slow) == [2, 4]
    assert sizes(slow, ["tensorrt", "cpu"]) == []                    # its sessions take one
    assert sizes(fp32) == []


def test_any_other_free_axis_is_refused_by_name(tmp_path: Path) -> None:
    ends = [tensor("x", [1, "many"])], [tensor("y", [1, "many"])]
    onnx.save(model([node("Relu", "x", "y")], *ends), tmp_path / "x.onnx")
    with pytest.raises(ModelError, match=r"tensor x: shape \[1, 'many'\] is not static"):
        Session(tmp_path / "x.onnx")
    onnx.save(model([node("Relu", "x", "y")], [tensor("x", ["n", 4])], [tensor("y", ["n", 4])]), tmp_path / "y.onnx")
    with pytest.raises(ModelError, match="is not static"):
        Session(tmp_path / "y.onnx")


def test_what_several_take_is_told_by_the_ratio_to_runs_in_a_row() -> None:
    one = RunTime(quantiles_ms=[10.0] * 21, runs=1)
    row_ms, together_ms = np.array([[4.0], [4.0], [8.0]]), np.array([[3.0], [3.2], [6.0]])
    made = scaled(row_ms, together_ms, 4, one)
    assert made.p50_ms == pytest.approx(4 * 0.75 * 10.0)
    assert made.quantiles_ms[-1] == pytest.approx(30.0 * 6.0 / 3.2)      # as uneven as it was
