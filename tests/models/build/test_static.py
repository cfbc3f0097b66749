"""Static shapes: what a graph is refused for, by the name of the tensor, and what would be right."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto, helper

from models.build.cut.partition import candidate_cuts
from models.build.cut.verify_variant import verify_model
from models.build.graph.graph import Graph
from models.build.graph.static import static
from models.build.measure.runner import Runner
from swarm.core.settings.errors import BadInput
from tests.models.build import odd_graphs
from tests.models.build.graphs import model, node, tensor

F32 = np.float32


def refused(given: ModelProto, sizes: dict[str, int] | None = None) -> str:
    with pytest.raises(BadInput) as told:
        static(given, sizes or {}, "the file")
    assert "\n" not in str(told.value)
    return str(told.value)


def test_scalars_may_be_inputs_and_cross_cuts() -> None:
    graph, _ = static(odd_graphs.scalars(), {})
    found = verify_model(graph, all_cuts=True)
    assert (found.report.verified, found.report.failed) == (found.report.cuts - 2, [])
    assert {one.reason.partition(": ")[2] for one in found.report.skipped} == {"its shape depends on the input"}
    assert {spec.name for cut in candidate_cuts(graph) for spec in cut.tensors if not spec.shape} == {"r", "m"}
    assert graph.specs["gain"].shape == []


def test_a_run_gives_arrays_also_for_scalars() -> None:
    graph, _ = static(model([node("ReduceSum", "x", "y", keepdims=0)], outputs=[tensor("y", [])]), {})
    (total,) = Runner(graph.model).run({"x": np.ones((1, 4), F32)})
    assert isinstance(total, np.ndarray)
    assert total.shape == ()


@pytest.mark.parametrize("kind", ["BFLOAT16", "FLOAT8E4M3FN", "FLOAT8E5M2", "STRING"])
def test_a_type_that_cannot_travel_costs_only_its_own_cut(kind: str) -> None:
    graph, _ = static(odd_graphs.through(TensorProto.DataType.Value(kind)), {})
    found = verify_model(graph, all_cuts=True).report
    assert (found.cuts, found.verified, found.failed) == (3, 2, [])
    (skipped,) = found.skipped
    assert skipped.cut == "a"
    assert skipped.reason == f"'a' crosses: its type, {kind.lower()}, is not supported"


@pytest.mark.parametrize(("given", "told"), [
    (odd_graphs.in_type(TensorProto.BFLOAT16, F32), "input 'x': is a bfloat16 tensor; tensors of bool, uint8"),
    (model([node("Cast", "x", "y", to=16)], outputs=[tensor("y", [1, 4], TensorProto.BFLOAT16)]),
     "output 'y': its type, bfloat16, is not supported; one of bool, uint8"),
])
def test_a_type_that_cannot_travel_is_refused_at_the_ends(given: ModelProto, told: str) -> None:
    assert refused(given).startswith(told)


def test_an_input_without_a_shape_gets_one_from_its_axes() -> None:
    given = model([node("MatMul", "x w", "y")], [helper.make_tensor_value_info("x", 1, None)],
                  [helper.make_tensor_value_info("y", 1, None)], {"w": np.eye(4, dtype=F32)})
    assert refused(given) == ("input 'x': has no shape; the size of each of its axes: --axis x.0=N --axis x.1=N ...")
    graph, sizes = static(given, {"x.0": 3, "x.1": 4})
    assert graph.specs["y"].shape == [3, 4]
    assert sizes == {"x.0": 3, "x.1": 4}


@pytest.mark.parametrize(("shape", "sizes", "told"), [
    ([0, 4], {}, "input 'past': has no elements: its shape is [0, 4]; a size of 1 or more for each axis"),
    (["past", 4], {"past": 0}, "--axis past=0: a tensor without elements cannot be run; 1 or more"),
    (["past", 4], {"past": 10**9}, "input 'past': takes 16,000,000,000 bytes with shape [1000000000, 4]; sizes of at"),
])
def test_an_input_of_no_elements_or_too_many_is_refused(shape: list, sizes: dict[str, int], told: str) -> None:
    given = model([node("Concat", "past x", "a", axis=0), node("ReduceSum", "a", "y")], ["x", tensor("past", shape)],
                  [tensor("y", [1, 1])])
    assert refused(given, sizes).startswith(told)


def test_a_batch_size_within_the_graph_is_told_with_the_node_and_the_size() -> None:
    told = refused(odd_graphs.hard_batch_of_two())
    assert told.startswith("the file: with batch = 1: ONNX Runtime")
    assert "(y)" in told                                 # the node
    assert told.endswith("; --axis batch=2")
    graph, _ = static(odd_graphs.hard_batch_of_two(), {"batch": 2})
    assert graph.specs["y"].shape == [2, 4, 4]


def test_an_input_that_decides_a_shape_is_named() -> None:
    assert refused(odd_graphs.one_hot()).startswith("input 'depth': the graph cannot be run with depth = 0: ")
    ranged = model([node("Range", "nil most one", "r"), node("Cast", "r", "f", to=1), node("ReduceSum", "x", "s"),
                    node("Mul", "f s", "y")], ["x", tensor("most", [], TensorProto.INT64)], [tensor("y", ["a", "b"])],
                   {"nil": np.int64(0), "one": np.int64(1)})
    told = refused(ranged)
    assert "output 'y': its shape depends on the input: " in told
    assert "by the values of input 'most'; tensors of one shape, with a constant in place of such an input" in told


def test_an_input_that_allows_few_values_is_named(tmp_path: Path) -> None:
    given = model([node("Reshape", "x sides", "a"), node("Neg", "a", "y")],
                  ["x", tensor("sides", [2], TensorProto.INT64)], [tensor("y", [1, 4])])
    told = refused(given)
    assert "--input sides=FILE.npy" in told or "input 'sides'" in told
    np.save(tmp_path / "sides.npy", np.array([1, 4]))
    with pytest.raises(BadInput, match="input 'sides': the graph cannot be run with sides = "):
        static(given, {}, "the file", [f"sides={tmp_path / 'sides.npy'}"])


def test_given_values_are_used_in_every_probe(tmp_path: Path) -> None:
    """With the values that random draws have, the shape in the middle would change."""
    given = model([node("Greater", "x nil", "k"), node("NonZero", "k", "i"), node("Cast", "i", "f", to=1),
                   node("ReduceSum", "f", "y", keepdims=0)], outputs=[tensor("y", [])], weights={"nil": F32(0)})
    np.save(tmp_path / "x.npy", np.array([[1, 2, -1, -1]], F32))
    graph, _ = static(given, {}, inputs=[f"x={tmp_path / 'x.npy'}"])
    assert graph.specs["f"].shape == [2, 2]
    assert static(given, {})[0].unknown["f"] == "its shape depends on the input"


@pytest.mark.parametrize(("text", "told"), [
    ("x", "--input x: is not NAME=FILE.npy; like --input"), ("z=a.npy", "no input is called 'z'; inputs: x"),
    ("x=gone.npy", "gone.npy: cannot be read"), ("x={wrong}", "x has shape [3]; the model takes [1, 4]"),
])
def test_what_is_no_value_of_an_input_is_refused(text: str, told: str, tmp_path: Path) -> None:
    np.save(tmp_path / "wrong.npy", np.zeros(3, F32))
    with pytest.raises(BadInput) as refusal:
        static(model([node("Neg", "x", "y")]), {}, inputs=[text.format(wrong=tmp_path / "wrong.npy")])
    assert told in str(refusal.value)


def test_nodes_of_one_name_get_names_of_their_own() -> None:
    graph, _ = static(odd_graphs.repeated_names(), {})
    assert [one.name for one in graph.model.graph.node] == ["p", "p_2", "p_2_2"]
    onnx.checker.check_model(graph.model)
    assert verify_model(Graph(odd_graphs.repeated_names()), all_cuts=True).failures == []
