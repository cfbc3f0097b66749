"""Int8 variants: many schemes, one gate."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from onnx import ModelProto

from models.build.measure.random_inputs import random_inputs
from models.build.measure.runner import Runner
from models.build.quantize.gates import Agreement, agreement
from models.build.quantize.int8_graphs import Scheme, heads, quantized, weighted_nodes
from models.build.quantize.quantizer_form import MIN_OPSET, prepared
from models.build.quantize.scheme_search import quantize
from models.build.quantize.sensitivity import ranked
from swarm.core.settings.errors import BadInput
from tests.models.build.small_networks import CHANNELS, SIDE, cnn, constant, weightless


class Judge:
    """Scores graphs by a rule of the test's own."""

    metric = "mark"

    def __init__(self, rule: Callable[[ModelProto], float], floor: float = 0.5) -> None:
        self.rule, self.floor = rule, floor

    def score(self, model: ModelProto) -> float:
        return self.rule(model)


def inputs(model: ModelProto, count: int = 8) -> list[dict[str, np.ndarray]]:
    return list(random_inputs(model, count))


def in_float(model: ModelProto) -> set[str]:
    """Names of the convolutions whose weights are not dequantized from int8."""
    made = {name: node for node in model.graph.node for name in node.output}
    return {node.name for node in model.graph.node if node.op_type == "Conv" and node.input[1] not in made}


def is_dynamic(model: ModelProto) -> bool:
    return any(node.op_type == "DynamicQuantizeLinear" for node in model.graph.node)


def test_a_small_network_is_quantized_both_ways_and_agrees() -> None:
    model = cnn()
    given = inputs(model, 16)
    judge = Agreement(model, given[1::2])
    made = quantize(model, given[::2], judge)
    assert set(made) == {"int8", "int8_dynamic"}
    assert made["int8"].scheme.ranges is not None
    assert is_dynamic(made["int8_dynamic"].model)
    for trial in made.values():
        assert trial.score == judge.score(trial.model) >= judge.floor
        assert len(trial.model.SerializeToString()) < len(model.SerializeToString())
        assert {entry.version for entry in trial.model.opset_import if not entry.domain} == {17}
        assert trial.model.ir_version == 8


def test_what_the_judge_refuses_is_not_kept() -> None:
    model, told = cnn(), []
    assert quantize(model, inputs(model), Judge(lambda _: 0.4), told.append) == {}
    assert any("percentile" in line and "fails the gate at 0.5" in line for line in told)
    assert any("entropy" in line for line in told)
    assert any("per-tensor" in line for line in told)
    assert any("s8" in line for line in told)                        # the last resort was tried
    static_only = quantize(model, inputs(model), Judge(lambda graph: 0.4 if is_dynamic(graph) else 0.6))
    assert set(static_only) == {"int8"}


def test_garbage_is_refused_by_agreement() -> None:
    """Calibrated on inputs near zero, whatever is larger is clipped to nothing."""
    model = cnn(3)
    given = inputs(model)
    dark = [{"x": tensor["x"] * np.float32(1e-6)} for tensor in given]
    told: list[str] = []
    assert set(quantize(model, dark, Agreement(model, given), told.append)) == {"int8_dynamic"}
    assert any("per-channel minmax s7: agreement" in line and "fails" in line for line in told)


def test_the_worst_layers_stay_in_float_until_the_gate_opens() -> None:
    model = cnn(6, spiky=2)
    given = inputs(model)
    made = quantize(model, given[::2], Agreement(model, given[1::2]))
    assert set(made["int8"].float_layers) == {"conv_2", "conv_3"} == in_float(made["int8"].model)
    assert "2 layers in float: conv_3, conv_2" in str(made["int8"])


def test_the_layer_that_reads_a_spiky_tensor_ranks_first() -> None:
    ready = prepared(cnn(6, spiky=2))
    int8 = quantized(ready, Scheme(ranges="minmax"), inputs(ready))
    assert ranked(ready, int8, inputs(ready))[:2] == ["conv_3", "conv_2"]        # and the one that makes it


def test_heads_are_the_last_weighted_nodes_unless_they_are_much_of_the_work() -> None:
    even = prepared(cnn(4))
    assert heads(even) == ["relu_3"]                 # a quarter of the work is in conv_3: it is no mere head
    many = prepared(cnn(30))
    assert set(heads(many)) == {"conv_29", "relu_29"}
    assert len(weighted_nodes(many)) == 30


def test_old_graphs_are_brought_to_an_opset_with_scales_per_channel() -> None:
    old = cnn(2)
    old.opset_import[0].version = 11     # its operators were the same then
    assert [entry.version for entry in prepared(old).opset_import] == [MIN_OPSET]


def test_nodes_get_names_of_their_own() -> None:
    model = cnn(3)
    for node in model.graph.node:
        node.name = ""
    names = [node.name for node in prepared(model).graph.node]
    assert all(names)
    assert len(set(names)) == len(names)


def test_a_graph_without_weights_is_refused() -> None:
    with pytest.raises(ValueError, match="no convolution or matrix product"):
        quantize(weightless(), [], Judge(lambda _: 1.0))


def test_agreement_means_nothing_where_outputs_never_change() -> None:
    with pytest.raises(BadInput, match="the same outputs for all of 4 inputs"):
        Agreement(constant(), inputs(constant(), 4))


def test_agreement_by_hand() -> None:
    a, b = np.array([3.0, 4.0]), np.array([3.0, 4.5])
    assert agreement([[a]], [[b]]) == pytest.approx(1 - 0.5 / 5)
    assert agreement([[a]], [[-a]]) == 0.0
    assert agreement([[a]], [[np.array([np.nan, 4.0])]]) == 0.0
    whole, other = np.array([1, 2, 3, 4]), np.array([1, 2, 3, 5])
    assert agreement([[a, whole]], [[b, other]]) == pytest.approx(0.75)          # the worst output counts
    assert agreement([[a], [a]], [[a], [b]]) == pytest.approx(1 - 0.5 / 50**0.5)     # over all runs


def test_the_graphs_of_these_tests_are_what_they_say() -> None:
    (y,) = Runner(cnn()).run({"x": np.ones((1, CHANNELS, SIDE, SIDE), np.float32)})
    assert y.shape == (1, CHANNELS, SIDE, SIDE)
    assert y.std() > 0.01
