"""What counts as the same, what is skipped and why, what is explained and what is wrong."""

from itertools import pairwise

import numpy as np
import onnx
import pytest

from models.build.cut import verify_pool
from models.build.cut.check_inputs import check_inputs
from models.build.cut.compare import difference
from models.build.cut.partition import candidate_cuts, split
from models.build.cut.verify import FUSED, WRONG, Whole, check_cut, summarize
from models.build.cut.verify_variant import verify_model
from models.build.graph.graph import Graph
from models.build.measure.random_inputs import random_inputs
from tests.models.build import odd_graphs
from tests.models.build.graphs import model, node, tensor

F32 = np.float32


def with_sequence() -> onnx.ModelProto:
    return model([node("Neg", "x", "a"), node("SequenceConstruct", "a a", "s"), node("SequenceAt", "s nil", "b"),
                  node("Abs", "b", "y")], weights={"nil": np.int64(0)})


def checked(given: onnx.ModelProto):
    graph = Graph(given)
    whole = Whole(graph, list(random_inputs(graph.model, 2)))
    return summarize([check_cut(whole, cut) for cut in candidate_cuts(graph)], whole)


@pytest.mark.parametrize(("nodes", "reason"), [
    ([node("Mul", "x nil", "a"), node("Abs", "a", "y")],
     "insensitive: the output is the same on the 2 inputs tried; others may change it: --input NAME=FILE.npy"),
    ([node("RandomNormalLike", "x", "a"), node("Add", "a x", "y")],
     "not deterministic: node 'a' (RandomNormalLike) draws new numbers in each run; make them an input of the graph"),
    ([node("Abs", "x", "a"), node("Div", "a nil", "y")],
     "not finite: the output has infinite or NaN values, first made by node 'y' (Div)"),
])
def test_where_nothing_can_be_shown_every_cut_is_skipped_with_the_reason(nodes: list, reason: str) -> None:
    found = checked(model(nodes, weights={"nil": F32(0)}))
    assert (found.cuts, found.verified, found.failed) == (1, 0, [])
    assert [(one.cut, one.reason) for one in found.skipped] == [("a", reason)]


def test_a_cut_whose_tensor_cannot_travel_is_skipped_and_the_others_are_verified() -> None:
    found = checked(with_sequence())
    assert (found.cuts, found.verified) == (3, 2)
    assert [(one.cut, one.reason) for one in found.skipped] == [
        ("s", "'s' crosses: its type, seq(tensor(float)), is not supported")]
    assert found.sensitivity == 1.0


def test_why_a_type_cannot_be_found_is_told_in_one_line() -> None:
    """The second input says how the first is shaped, and of zeros nothing can be said."""
    given = model([node("Reshape", "x sides", "a"), node("Reshape", "a flat", "y")],
                  ["x", tensor("sides", [2], onnx.TensorProto.INT64)], [tensor("y", [4])],
                  weights={"flat": np.array([4])})
    (cut,) = candidate_cuts(Graph(given))
    assert cut.refused.startswith("'a' crosses: its type cannot be found: small: ONNX Runtime")
    assert "\n" not in cut.refused


@pytest.mark.parametrize(("error", "kind", "exact", "mismatches"), [
    (0.9e-5, F32, False, 0), (1.2e-5, F32, False, 1), (1e-7, F32, True, 1), (3e-3, np.float16, False, 0),
    (2e-2, np.float16, False, 1), (1, np.int64, False, 1),
])
def test_how_far_outputs_may_differ(error: float, kind: type, exact: bool, mismatches: int) -> None:
    expected = {"y": np.array([1, 0, -1], kind)}
    found = difference({"y": expected["y"] + np.array([0, error, 0], kind)}, expected, exact=exact)
    assert (found.mismatches, found.elements) == (mismatches, 3)
    assert found.max_abs_error == pytest.approx(error, rel=1e-2)


@pytest.mark.parametrize("found", [
    {}, {"y": np.zeros(4, F32)}, {"y": np.zeros(3, np.float64)}, {"y": np.full(3, np.nan, F32)},
])
def test_what_is_missing_or_of_another_kind_differs_altogether(found: dict) -> None:
    assert difference(found, {"y": np.zeros(3, F32)}, exact=False).mismatches == 3


def test_a_stage_that_cannot_be_loaded_or_lacks_an_output_says_so() -> None:
    graph = Graph(model([node("Neg", "x", "a"), node("Abs", "a", "y")]))
    whole = Whole(graph, list(random_inputs(graph.model, 2)))
    first, second = split(graph, candidate_cuts(graph))
    assert "tensor 'a' is missing" in whole.check([second])[1]
    second.graph.node[0].op_type = "Nonsense"
    assert "cannot load it" in whole.check([first, second])[1]


def test_int8_that_differs_is_explained_by_fusion_only_if_the_arithmetic_is_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The optimised runs are made to differ, as if the runtime had fused; the plain ones tell whether it is that."""
    weights = {"scale": F32(0.05), "zero": np.uint8(128)}
    graph = Graph(model([node("QuantizeLinear", "x scale zero", "q"), node("DequantizeLinear", "q scale zero", "d"),
                         node("Neg", "d", "n"), node("Abs", "n", "y")], weights=weights))
    whole = Whole(graph, list(random_inputs(graph.model, 2)))
    whole.unfused                                # noqa: B018  computed before the outputs are shifted
    for outputs in whole.expected:
        outputs["y"] = outputs["y"] + F32(0.05)
    stages = split(graph, candidate_cuts(graph)[:1])
    assert whole.check(stages)[1] == FUSED
    stages[1].graph.node[-1].op_type = "Relu"
    assert whole.check(stages)[1] == WRONG
    found = summarize([check_cut(whole, cut) for cut in candidate_cuts(graph)], whole)
    assert found.verified == found.cuts == len(found.explained) == 2
    assert found.explained[0].share == 1.0


def test_a_pool_finds_what_one_process_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    given = with_sequence()
    told: list[tuple[int, int]] = []
    monkeypatch.setattr(verify_pool, "MIN_CUTS_FOR_POOL", 1)
    feeds = list(random_inputs(given, 2))
    found = verify_pool.verify(Graph(given), feeds, progress=lambda done, of: told.append((done, of)))
    assert found == checked(given)
    assert told == [(0, 3), (1, 3), (2, 3)]


def test_only_the_best_cuts_unless_all_are_asked_for() -> None:
    names = ["x", *(f"t{i}" for i in range(12)), "y"]
    given = model([node("Neg", one, two) for one, two in pairwise(names)])
    assert verify_model(given, all_cuts=True).report.cuts == 12
    few = verify_model(given, all_cuts=False, real=[{"x": np.ones((1, 4), F32)}])
    assert (few.report.cuts, few.drawn, few.real, few.failures) == (8, 2, 1, [])


def test_stored_stages_that_are_not_the_whole_are_a_failure() -> None:
    given = model([node("Neg", "x", "a"), node("Abs", "a", "y")])
    stages = split(given, candidate_cuts(Graph(given)))
    assert verify_model(given, all_cuts=True, stages=stages).failures == []
    stages[0].graph.node[0].op_type = "Relu"
    assert verify_model(given, all_cuts=True, stages=stages).failures == [
        f"its 2 stages: {WRONG}: 62.50% of the output differs, by up to 1.55 of 1.55"]


def test_float16_is_compared_as_it_computes() -> None:
    half = [tensor("x", [1, 64], onnx.TensorProto.FLOAT16)], [tensor("y", [1, 64], onnx.TensorProto.FLOAT16)]
    weights = np.random.default_rng(0).standard_normal((64, 64)).astype(np.float16) / np.float16(8)
    found = checked(model([node("MatMul", "x w", "a"), node("Tanh", "a", "b"), node("MatMul", "b w", "c"),
                           node("Sigmoid", "c", "y")], *half, weights={"w": weights}))
    assert (found.cuts, found.verified) == (3, 3)


@pytest.mark.parametrize("given", [odd_graphs.int4_weights(8, 1), odd_graphs.int4_weights(512, 8),
                                   odd_graphs.amplifying()], ids=["int4", "large int4", "amplifying"])
def test_floats_that_differ_by_fusion_alone_are_explained_with_share_and_size(given: onnx.ModelProto) -> None:
    found = verify_model(given, all_cuts=True)
    assert found.failures == []
    assert found.report.verified == found.report.cuts
    for one in found.report.explained:
        assert 0 < one.share <= 1
        assert one.max_abs_error > 0
        assert FUSED in str(one)
        assert f"{one.share:.2%} of the output differs, by up to {one.max_abs_error:.3g} of " in str(one)


def test_what_amplifies_rounding_differs_by_as_much_when_the_whole_is_optimised() -> None:
    found = verify_model(odd_graphs.amplifying(), all_cuts=True).report
    assert [one.cut for one in found.explained] == ["a"]
    assert found.optimised.share > 0.1
    assert found.optimised.max_abs_error == pytest.approx(found.explained[0].max_abs_error, rel=0.9)


def test_a_wrong_stage_of_a_graph_that_amplifies_is_found() -> None:
    graph = Graph(odd_graphs.amplifying())
    whole = Whole(graph, check_inputs(graph, 2))
    stages = split(graph, candidate_cuts(graph)[:1])
    assert whole.check(stages)[1] == FUSED
    stages[1].graph.node[-1].op_type = "Cos"
    assert whole.check(stages)[1] == WRONG


def test_stages_that_differ_by_fusion_are_told_with_share_and_size() -> None:
    graph = Graph(odd_graphs.amplifying())
    found = verify_model(graph, all_cuts=False, stages=split(graph, candidate_cuts(graph)[:1]))
    assert found.failures == []
    assert found.stages_differ is not None
    assert found.stages_differ.share > 0.1


@pytest.mark.parametrize("given", [odd_graphs.lengths(), odd_graphs.far_threshold(50.0)], ids=["lengths", "threshold"])
def test_larger_values_are_drawn_until_the_output_changes(given: onnx.ModelProto) -> None:
    found = verify_model(given, all_cuts=True)
    assert found.report.verified == found.report.cuts
    assert found.report.sensitivity > 0
    assert found.drawn == 3


def test_insensitive_is_said_of_the_inputs_that_were_tried() -> None:
    found = verify_model(odd_graphs.far_threshold(1e9), all_cuts=True)
    assert found.drawn == 32
    assert {one.reason for one in found.report.skipped} == {
        "insensitive: the output is the same on the 32 inputs tried; others may change it: --input NAME=FILE.npy"}


def test_values_of_the_user_take_the_place_of_random_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also in the processes of a pool, where shapes are found by runs again."""
    monkeypatch.setattr(verify_pool, "MIN_CUTS_FOR_POOL", 1)
    far = [np.full((1, 8), value, F32) for value in (2e9, 3e9)]
    found = verify_model(Graph(odd_graphs.far_threshold(1e9), {"x": far}), all_cuts=True)
    assert found.report.verified == found.report.cuts
    assert found.drawn == 2
