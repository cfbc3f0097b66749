"""A graph as a sequence: its order, what crosses each point, what is constant, what stands for an int8 tensor."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from models.build.cut.partition import candidate_cuts, cuts, ranked, split
from models.build.cut.verify import Whole
from models.build.graph.extract import stage
from models.build.graph.graph import Graph
from models.build.measure.random_inputs import random_inputs
from swarm.core.settings.errors import BadInput
from tests.models.build.graphs import body, model, node, tensor

F32 = np.float32
SCALE = {"scale": F32(0.05), "zero": np.uint8(128)}


def crossing(given: onnx.ModelProto) -> dict[str, list[str]]:
    return {cut.name: [spec.name for spec in cut.tensors] for cut in candidate_cuts(Graph(given))}


def proven(given: onnx.ModelProto) -> list[onnx.ModelProto]:
    """The stages at every cut, once all of them have been checked against the whole."""
    graph = Graph(given)
    whole = Whole(graph, list(random_inputs(graph.model, 3)))
    assert whole.unusable == ""
    for cut in cuts(graph):
        assert whole.check(split(graph, [cut]))[1] == ""
    stages = split(graph, cuts(graph))
    assert whole.check(stages)[1] == ""
    for part in stages:
        onnx.checker.check_model(part, full_check=True)
    return stages


def test_a_residual_a_late_input_and_an_early_output_cross() -> None:
    given = model([node("Relu", "x", "a"), node("Neg", "a", "b"), node("Add", "b a", "c"), node("Add", "c late", "y")],
                  ["x", "late"], ["y", "a"])
    assert crossing(given) == {"a": ["late", "a"], "b": ["late", "a", "b"], "c": ["late", "a", "c"]}
    proven(given)


def test_an_initializer_that_two_stages_share_is_copied_to_both() -> None:
    given = model([node("MatMul", "x w", "a"), node("Relu", "a", "b"), node("MatMul", "b w", "y")],
                  weights={"w": np.eye(4, dtype=F32) * 2})
    first, middle, last = proven(given)
    assert [[t.name for t in part.graph.initializer] for part in (first, middle, last)] == [["w"], [], ["w"]]


def test_what_depends_on_constants_alone_never_crosses() -> None:
    given = model([node("Constant", "", "one", value_floats=[-9.0, -8.0, 1.0, 2.0]), node("Neg", "one", "minus"),
                   node("Add", "x minus", "a"), node("Relu", "a", "b"), node("Add", "b minus", "y")])
    assert crossing(given) == {"a": ["a"], "b": ["b"]}
    first, middle, last = proven(given)
    assert [[n.op_type for n in part.graph.node] for part in (first, middle, last)] == [
        ["Constant", "Neg", "Add"], ["Relu"], ["Constant", "Neg", "Add"]]


def test_a_static_shape_is_a_constant() -> None:
    given = model([node("Relu", "x", "a"), node("Shape", "x", "s", start=0), node("Neg", "a", "b"),
                   node("Reshape", "b s", "y")])
    assert crossing(given) == {"a": ["a"], "b": ["b"]}
    proven(given)


def test_omitted_inputs_and_unused_outputs_are_kept_as_they_are() -> None:
    given = model([node("Clip", "x _ most", "a"), node("Split", "a", "left right", axis=1),
                   node("Concat", "right right", "y", axis=1)], weights={"most": F32(0.5)})
    first, second, _ = proven(given)
    assert list(first.graph.node[0].input) == ["x", "", "most"]
    assert [value.name for value in second.graph.output] == ["right"]


def test_a_node_that_no_output_needs_is_left_out() -> None:
    given = model([node("Relu", "x", "a"), node("Neg", "x", "dead"), node("Abs", "a", "y")])
    assert crossing(given) == {"a": ["a"]}


def test_bodies_take_what_they_read_from_around_them() -> None:
    yes = body([node("Add", "a w", "t")], [], [tensor("t")])
    no = body([node("Sub", "late a", "e")], [], [tensor("e")])
    given = model(
        [node("Neg", "x", "a"), node("ReduceSum", "x", "sum", keepdims=0), node("Greater", "sum nil", "c"),
         node("If", "c", "b", then_branch=yes, else_branch=no), node("Abs", "b", "y")],
        ["x", "late"], weights={"w": np.ones(4, F32), "nil": F32(0)},
    )
    assert crossing(given)["c"] == ["late", "a", "c"]
    assert [t.name for t in proven(given)[3].graph.initializer] == ["w"]


def test_a_loop_over_a_captured_tensor_is_one_node() -> None:
    step = body([node("Add", "state a", "next"), node("Identity", "go", "on")],
                [tensor("i", [], TensorProto.INT64), tensor("go", [], TensorProto.BOOL), tensor("state")],
                [tensor("on", [], TensorProto.BOOL), tensor("next")])
    given = model([node("Relu", "x", "a"), node("Neg", "x", "b"), node("Loop", "three _ b", "c", body=step),
                   node("Neg", "c", "y")], weights={"three": np.int64(3)})
    assert crossing(given) == {"a": ["x", "a"], "b": ["a", "b"], "c": ["c"]}
    proven(given)


def test_an_int8_graph_is_cut_where_the_tensor_is_int8() -> None:
    given = model([node("QuantizeLinear", "x scale zero", "xq"), node("DequantizeLinear", "xq scale zero", "xd"),
                   node("MatMul", "xd w", "a"), node("Relu", "a", "r"), node("QuantizeLinear", "r scale zero", "rq"),
                   node("DequantizeLinear", "rq scale zero", "rd"), node("Neg", "rd", "n"), node("Add", "n xd", "y")],
                  weights=SCALE | {"w": np.eye(4, dtype=F32)})
    assert crossing(given) == {"xq": ["xq"], "rq": ["xq", "rq"], "n": ["xq", "n"]}
    assert {spec.name: spec.bytes for cut in cuts(given) for spec in cut.tensors} == {"xq": 4, "rq": 4, "n": 16}
    proven(given)


def test_random_operators_are_no_constants() -> None:
    given = model([node("RandomNormal", "", "noise", shape=[1, 4]), node("Neg", "noise", "a"), node("Add", "a x", "y")])
    assert list(crossing(given)) == ["noise", "a"]


def test_operators_of_another_domain_are_typed_by_a_run() -> None:
    gelu = node("Gelu", "x", "a")
    gelu.domain = "com.microsoft"
    given = model([gelu, node("Neg", "a", "y")])
    given.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    assert cuts(given)[0].tensors[0].shape == [1, 4]
    assert [entry.domain for entry in proven(given)[0].opset_import] == ["", "com.microsoft"]


def test_what_cannot_travel_is_refused_with_its_reason() -> None:
    given = model([node("NonZero", "x", "where"), node("Cast", "where", "f", to=1), node("ReduceSum", "f", "total"),
                   node("SequenceConstruct", "total total", "s"), node("SequenceAt", "s nil", "last"),
                   node("Neg", "last", "y")],
                  outputs=[tensor("y", [1, 1])], weights={"nil": np.int64(0)})
    why = {cut.name: cut.refused for cut in candidate_cuts(Graph(given))}
    assert why == {
        "where": "'where' crosses: its shape depends on the input", "f": "'f' crosses: its shape depends on the input",
        "total": "", "s": "'s' crosses: its type, seq(tensor(float)), is not supported", "last": "",
    }
    refused = next(cut for cut in candidate_cuts(Graph(given)) if cut.refused)
    with pytest.raises(BadInput, match="cut where: 'where' crosses: its shape depends on the input"):
        split(given, [refused])


def test_initializers_listed_as_inputs_are_constants() -> None:
    given = model([node("Add", "x w", "a"), node("Relu", "a", "y")], ["x", "w"], weights={"w": np.ones((1, 4), F32)})
    given.ir_version = 3
    assert Graph(given).inputs == ["x"]
    assert [value.name for value in proven(given)[0].graph.input] == ["x"]


def test_outputs_that_are_constants_come_from_the_last_stage() -> None:
    given = model([node("Relu", "x", "a"), node("Neg", "a", "y"), node("Neg", "w", "fixed")],
                  outputs=["fixed", "y"], weights={"w": np.ones((1, 4), F32)})
    assert [value.name for value in proven(given)[-1].graph.output] == ["fixed", "y"]


def test_local_functions_are_inlined() -> None:
    twice = helper.make_function("mine", "Twice", ["a"], ["b"], [node("Add", "a a", "b")],
                                 [helper.make_opsetid("", 17)])
    call = node("Twice", "x", "a")
    call.domain = "mine"
    given = model([call, node("Relu", "a", "y")], functions=[twice])
    given.opset_import.append(helper.make_opsetid("mine", 1))
    assert [part.graph.node[0].op_type for part in proven(given)] == ["Add", "Relu"]


def test_stages_keep_versions_metadata_and_types() -> None:
    given = model([node("Relu", "x", "a"), node("Neg", "a", "b"), node("Abs", "b", "y")], producer_name="someone")
    given.metadata_props.append(onnx.StringStringEntryProto(key="licence", value="free"))
    part = stage(Graph(given), 0, 2)
    assert (part.ir_version, part.opset_import[0].version, part.producer_name) == (8, 17, "someone")
    assert part.metadata_props[0].value == "free"
    assert [value.name for value in part.graph.value_info] == ["a"]


def test_the_best_cut_is_small_and_in_the_middle() -> None:
    given = model([node("MatMul", "x wide", "a"), node("MatMul", "a narrow", "b"), node("MatMul", "b wide", "c"),
                   node("MatMul", "c narrow", "y")],
                  weights={"wide": np.ones((4, 40), F32), "narrow": np.ones((40, 4), F32)})
    assert [cut.name for cut in ranked(cuts(given))] == ["b", "a", "c"]


@pytest.mark.parametrize(("spoil", "message"), [
    (lambda m: m.graph.node[1].input.__setitem__(0, "gone"),
     "node 'y' \\(Neg\\): reads 'gone', which no earlier node makes"),
    (lambda m: m.graph.input[0].type.tensor_type.shape.dim[0].Clear(), "has dynamic axes: x.0; --axis x.0=N"),
    (lambda m: m.graph.input[0].CopyFrom(helper.make_tensor_sequence_value_info("x", 1, [1, 4])), "'x': is a sequence"),
    (lambda m: m.graph.input[0].CopyFrom(tensor("x", [1, 4], TensorProto.STRING)), "'x': is a string tensor"),
])
def test_a_graph_that_cannot_be_taken_apart_is_refused(spoil, message: str) -> None:
    given = model([node("Relu", "x", "a"), node("Neg", "a", "y")])
    spoil(given)
    with pytest.raises(BadInput, match=message):
        Graph(given)
