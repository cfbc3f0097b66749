"""Graphs at which ONNX Runtime's quantizer fails become int8 graphs; what has no int8 form is told with its tensor."""

from __future__ import annotations

import warnings

import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto

from models.build.graph.graph import Graph
from models.build.measure.random_inputs import random_inputs
from models.build.measure.runner import Runner
from models.build.quantize import int8_graphs
from models.build.quantize.gates import Agreement, agreement
from models.build.quantize.int8_graphs import Scheme, quantized
from models.build.quantize.quantizer_form import QuantizerError, prepared, quiet_quantizer
from models.build.quantize.scheme_search import Trial, quantize
from swarm.core.settings.errors import BadInput
from tests.models.build import odd_graphs
from tests.models.build.graphs import body, model, node, tensor
from tests.models.build.small_networks import cnn


def made(given: ModelProto, told: list[str] | None = None) -> dict[str, Trial]:
    """The variants of a graph, judged on the inputs of the calibration; no warning is left for the screen."""
    inputs = list(random_inputs(given, 12))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return quantize(given, inputs, Agreement(given, inputs), [].append if told is None else told.append)


@pytest.mark.parametrize("given", [
    pytest.param(odd_graphs.capturing("If"), id="If"), pytest.param(odd_graphs.capturing("Loop"), id="Loop"),
    pytest.param(odd_graphs.capturing("Scan"), id="Scan"),
    pytest.param(odd_graphs.ends_without_nodes(), id="outputs that no node makes"),
    pytest.param(odd_graphs.output_before_its_activation(), id="an output before its activation"),
    pytest.param(odd_graphs.omitted_at_the_end(), id="omitted inputs at the end"),
    pytest.param(odd_graphs.sparse(np.array([1, 9])), id="sparse, flat"),
    pytest.param(odd_graphs.sparse(np.array([[0, 1], [1, 1]])), id="sparse, by axis"),
    pytest.param(odd_graphs.sparse_node(), id="sparse, by a node"),
    pytest.param(Graph(odd_graphs.repeated_names()).model, id="nodes of one name"),
    pytest.param(odd_graphs.through(TensorProto.BFLOAT16), id="bfloat16"),
])
def test_both_variants_are_made(given: ModelProto) -> None:
    variants = made(given)
    assert set(variants) == {"int8", "int8_dynamic"}
    (feed,) = random_inputs(given, 1)
    for trial in variants.values():
        assert trial.score > 0.95
        assert [value.name for value in trial.model.graph.output] == [value.name for value in given.graph.output]
        onnx.checker.check_model(trial.model, full_check=True)
        found = Runner(trial.model).run_named(feed)
        if "x" in found:
            assert np.array_equal(found["x"], feed["x"])


def test_a_tensor_that_a_body_reads_is_limited_as_by_its_activation() -> None:
    """The quantizer removes a Relu, because the rounding enforces its limits; a body must not see negative values."""
    given = odd_graphs.capturing("If")
    ready = prepared(given)
    for scheme in (Scheme(ranges="minmax"), Scheme(ranges=None)):
        int8 = quantized(ready, scheme, list(random_inputs(given, 12)))
        pairs = [(Runner(given).run(feed), Runner(int8).run(feed)) for feed in random_inputs(given, 12)]
        assert agreement(*zip(*pairs, strict=True)) > 0.95


def test_a_way_that_fails_costs_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*arguments: object, **more: object) -> None:
        raise KeyError("some tensor")

    monkeypatch.setattr(int8_graphs, "quantize_dynamic", fails)
    told: list[str] = []
    assert set(made(cnn(2), told)) == {"int8"}
    assert [line for line in told if "quantizer fails" in line] == [
        f"per-{part} dynamic s7: ONNX Runtime's quantizer fails: 'some tensor'" for part in ("channel", "tensor")]
    monkeypatch.setattr(int8_graphs, "quantize_static", fails)
    with pytest.raises(ValueError, match="no scheme can be tried: per-tensor dynamic s7: ONNX Runtime's quantizer"):
        made(cnn(2))


def test_what_the_quantizer_cannot_prepare_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*arguments: object, **more: object) -> None:
        raise AssertionError

    monkeypatch.setattr("models.build.quantize.quantizer_form.quant_pre_process", fails)
    with pytest.raises(QuantizerError, match="ONNX Runtime's quantizer fails: AssertionError"):
        prepared(cnn(1))


@pytest.mark.parametrize(("given", "told"), [
    (odd_graphs.in_type(TensorProto.DOUBLE, np.float64),
     "the graph: has its weights in float64, such as 'w' of node 'a' (MatMul), which are not quantized; export it in"),
    (odd_graphs.in_type(TensorProto.FLOAT16, np.float16),
     "the graph: has its weights in float16, such as 'w' of node 'a' (MatMul), which are not quantized; export it in"),
    (odd_graphs.without_default_domain(), "the graph: has no convolution or matrix product with constant weights"),
    (model([node("ReduceSum", "x", "s", keepdims=0), node("Cast", "s", "c", to=9), node("If", "c", "y",
            then_branch=body([node("MatMul", "x w", "t")], [], [tensor("t", [1, 8])]),
            else_branch=body([node("Neg", "x", "e")], [], [tensor("e", [1, 8])]))], [odd_graphs.X], [odd_graphs.Y],
           {"w": odd_graphs.W}), "or only within If, Loop or Scan: int8 would gain nothing"),
    (odd_graphs.with_weight(3e38),
     "weight 'w' of node 'a' (MatMul): has a value of 3e+38, and int8 has no scale for its range; weights of at most"),
    (odd_graphs.with_weight(float("inf")),
     "weight 'w' of node 'a' (MatMul): has infinite or NaN values; finite weights"),
    (odd_graphs.int4_weights_alone(), "the graph: has quantized weights already"),
], ids=["float64", "float16", "no default domain", "weights in a body", "3e38", "inf", "int4"])
def test_what_has_no_int8_form_is_told_with_tensor_and_node(given: ModelProto, told: str) -> None:
    judge = Agreement(cnn(1), list(random_inputs(cnn(1), 2)))
    with pytest.raises(BadInput) as refusal:
        quantize(given, [], judge)
    assert told in str(refusal.value)


def test_outputs_that_are_not_finite_cannot_be_compared() -> None:
    given = model([node("MatMul", "x w", "a"), node("Div", "a nil", "y")], [odd_graphs.X], [odd_graphs.Y],
                  {"w": odd_graphs.W, "nil": np.float32(0)})
    with pytest.raises(BadInput, match=r"the original: gives infinite or NaN outputs, first in node 'y' \(Div\)"):
        Agreement(given, list(random_inputs(given, 4)))


def test_large_outputs_are_compared_without_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        large = np.array([3e38, 1e38], np.float32)
        assert agreement([[large]], [[large]]) == 1.0
        assert agreement([[np.array([1e300, 0.0])]], [[np.array([0.9e300, 0.0])]]) == pytest.approx(0.9)


def test_the_quantizer_s_warnings_stay_off_the_screen(capsys: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with quiet_quantizer():
            print("advice")
            warnings.warn("more advice", stacklevel=1)
            assert np.isinf(np.array([3e38], np.float32) * np.float32(10)).all()
    assert capsys.readouterr() == ("", "")
