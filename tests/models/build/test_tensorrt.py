"""Variants for TensorRT: the ends of a graph, fp16, signed int8, and the form that TensorRT takes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto, numpy_helper

from models import store
from models.build.importing import import_file
from models.build.measure.random_inputs import random_inputs
from models.build.measure.runner import Runner
from models.build.quantize.gates import Agreement, agreement
from models.build.quantize.int8_graphs import Scheme
from models.build.quantize.quantizer_form import prepared
from models.build.quantize.quantizer_setup import setup_for
from models.build.tensorrt import operators
from models.build.tensorrt.form import Offence, _Form, offences
from models.build.tensorrt.graphs import half, signed_int8
from models.build.tensorrt.rewriting import rewritten
from models.build.tensorrt.shipped import for_cpu, with_ends
from models.build.tensorrt.variants import key_of, make_tensorrt_variants, parents, without
from models.build.tensorrt.verifying import meant, verify_form
from models.store import ARTEFACTS
from swarm.core.settings.cards import AGREEMENT, Card, RunTime
from tests.models.build.graphs import model, node, tensor
from tests.models.build.small_networks import cnn

SIGNED = Scheme(ranges="minmax", reduce_range=False)
SHIPPED = [(name, key) for name in store.names(ARTEFACTS) for key in store.load_card(name, ARTEFACTS).variants]


def picture_network() -> ModelProto:
    """A picture of uint8, transposed before its cast, to the class of each pixel in uint8, with a residual block."""
    draws = np.random.default_rng(1)
    weights = {f"w{k}": (draws.standard_normal((4, channels, 3, 3)) / 5).astype(np.float32)
               for k, channels in enumerate((3, 4, 4))}
    weights |= {f"b{k}": draws.standard_normal(4).astype(np.float32) for k in range(3)}
    weights |= {"by": np.array(1 / 255, np.float32)}
    return model([
        node("Transpose", "image", "turned", perm=[0, 3, 1, 2]), node("Cast", "turned", "floats", to=TensorProto.FLOAT),
        node("Mul", "floats by", "x"), node("Conv", "x w0 b0", "c0", pads=[1] * 4), node("Relu", "c0", "r0"),
        node("Conv", "r0 w1 b1", "c1", pads=[1] * 4), node("Relu", "c1", "r1"),
        node("Conv", "r1 w2 b2", "c2", pads=[1] * 4), node("Add", "r0 c2", "sum"), node("Relu", "sum", "raw"),
        node("ArgMax", "raw", "index", axis=1, keepdims=0), node("Cast", "index", "y", to=TensorProto.UINT8),
    ], [tensor("image", [1, 8, 8, 3], TensorProto.UINT8)], [tensor("y", [1, 8, 8], TensorProto.UINT8)], weights)


def offending(graph: ModelProto) -> list[str]:
    return [str(one) for one in offences(graph)]


def test_the_ends_of_a_graph_are_brought_into_form_with_the_same_bits() -> None:
    original = picture_network()
    assert any("'image': is uint8" in one for one in offending(original))
    assert any("'y': is uint8" in one for one in offending(original))
    made = rewritten(original)
    assert offending(made) == []
    assert made.graph.node[0].op_type == "Cast"
    for feed in random_inputs(original, 3):
        assert Runner(made).run(feed)[0].tobytes() == Runner(original).run(feed)[0].tobytes()
    assert rewritten(made) == made
    assert rewritten(cnn()).graph.node == cnn().graph.node


def test_the_runtime_does_not_undo_what_was_rewritten() -> None:
    """Two casts in a row become one in its optimiser, which also prepares graphs for quantization."""
    assert offending(prepared(rewritten(picture_network()))) == []


def test_an_output_in_place_of_a_cast_stays() -> None:
    """Another reader of the transposed picture needs it as it was."""
    graph = picture_network()
    graph.graph.output.append(tensor("turned", [1, 3, 8, 8], TensorProto.UINT8))
    assert rewritten(graph).graph.node[0].op_type == "Transpose"


def test_signed_int8_rounds_where_tensorrt_fuses() -> None:
    ready = rewritten(prepared(picture_network()))
    feeds = list(random_inputs(ready, 8))
    made = signed_int8(ready, SIGNED, feeds, [])
    assert offending(made) == []
    by_output = {name: one for one in made.graph.node for name in one.output}
    constants = {one.name: numpy_helper.to_array(one) for one in made.graph.initializer}
    convolutions = [one for one in made.graph.node if one.op_type == "Conv"]
    assert len(convolutions) == 3
    for one in convolutions:
        assert [by_output[name].op_type for name in one.input[:2]] == ["DequantizeLinear"] * 2
        assert constants[one.input[2]].dtype == np.float32               # biases are added in float
        weights = by_output[one.input[1]]
        assert constants[weights.input[0]].dtype == np.int8
        assert constants[weights.input[1]].shape == (4,)                 # a scale per channel
        assert np.abs(constants[weights.input[0]]).max() == 127          # all eight bits
    (add,) = [one for one in made.graph.node if one.op_type == "Add"]
    assert [by_output[name].op_type for name in add.input] == ["DequantizeLinear", "Conv"]
    points = [constants[one.input[2]] for one in made.graph.node
              if one.op_type in ("QuantizeLinear", "DequantizeLinear")]
    assert all(point.dtype == np.int8 and not point.any() for point in points)
    assert agreement([Runner(ready).run(feed) for feed in feeds], [Runner(made).run(feed) for feed in feeds]) > 0.9


def test_fp16_keeps_the_ends_and_the_nodes_beyond_its_range_in_float() -> None:
    draws = np.random.default_rng(1)
    weights = {"w": draws.standard_normal((6, 6)).astype(np.float32), "large": np.array(1e4, np.float32),
               "small": np.array(1e-8, np.float32)}
    graph = prepared(model([
        node("MatMul", "x w", "a"), node("Mul", "a large", "b", name="up"), node("Mul", "b b", "c", name="square"),
        node("Mul", "c small", "y", name="down"),
    ], [tensor("x", [2, 6])], [tensor("y", [2, 6])], weights))
    feeds = list(random_inputs(graph, 4))
    made, kept = half(graph, feeds)
    assert {"square", "down"} <= set(kept)
    ends = (*made.graph.input, *made.graph.output)
    assert [value.type.tensor_type.elem_type for value in ends] == [TensorProto.FLOAT] * 2
    assert {one.data_type for one in made.graph.initializer if one.name == "w"} == {TensorProto.FLOAT16}
    assert agreement([Runner(graph).run(feed) for feed in feeds], [Runner(made).run(feed) for feed in feeds]) > 0.99
    assert offending(made) == []


@pytest.mark.parametrize(("nodes", "weights", "why"), [
    ([node("Det", "x", "y")], {}, "the operator is not supported"),
    ([node("Elu", "x", "a"), node("Mine", "a", "y", domain="mine")], {}, "operators of mine are not supported"),
    ([node("Cast", "x", "d", to=TensorProto.DOUBLE), node("Cast", "d", "y", to=TensorProto.FLOAT)], {}, "float64"),
    ([node("Cast", "x", "i", to=TensorProto.INT32), node("Cast", "i", "u", to=TensorProto.UINT8),
      node("Cast", "u", "y", to=TensorProto.FLOAT)], {}, ""),
    ([node("QuantizeLinear", "x s z", "q"), node("DequantizeLinear", "q s z", "y")],
     {"s": np.array(0.1, np.float32), "z": np.array(3, np.int8)}, "its zero point is 3"),
    ([node("QuantizeLinear", "x s z", "q"), node("DequantizeLinear", "q s z", "y")],
     {"s": np.array(0.1, np.float32), "z": np.array(0, np.uint8)}, "rounds to uint8"),
    ([node("QuantizeLinear", "x s", "q"), node("DequantizeLinear", "q s", "y")],
     {"s": np.array(0.1, np.float32)}, "rounds to uint8"),
    ([node("DequantizeLinear", "b s", "d"), node("Add", "x d", "y")],
     {"s": np.array(0.1, np.float32), "b": np.array(3, np.int32)}, "a quantized bias"),
    ([node("QuantizeLinear", "x s z", "q"), node("DequantizeLinear", "q s z", "y")],
     {"s": np.array(0.0, np.float32), "z": np.array(0, np.int8)}, "a scale that is not above 0"),
    ([node("Resize", "x _ k", "y", mode="cubic")], {"k": np.ones(4, np.float32)}, "mode cubic is not supported"),
    ([node("MaxPool", "x", "y", kernel_shape=[1, 1], dilations=[2, 2])], {}, "dilations are not supported"),
    ([node("Relu", "x", "y")], {}, ""),
])
def test_what_tensorrt_does_not_take_is_told_by_node(
    nodes: list[onnx.NodeProto], weights: dict[str, np.ndarray], why: str
) -> None:
    shape = [1, 2, 4, 4]
    graph = onnx.helper.make_graph(
        nodes, "g", [tensor("x", shape)], [tensor("y", shape)],
        [numpy_helper.from_array(value, name) for name, value in weights.items()])
    domains = {"": 17} | {one.domain: 1 for one in nodes if one.domain}
    made = onnx.helper.make_model(graph, ir_version=8, opset_imports=[
        onnx.helper.make_opsetid(*one) for one in domains.items()])
    if "mine" in domains or why == "the operator is not supported":
        found = [f"{one.where} {one.why}" for one in _of_nodes_alone(made)]
    else:
        found = offending(made)
    if not why and nodes[0].op_type == "Relu":
        assert found == []
    else:
        assert any((why or "has a tensor of uint8") in one for one in found), found


def _of_nodes_alone(made: ModelProto) -> list[Offence]:
    """As `offences`, of a graph that no runtime can run."""
    form = _Form(made, {}, {})
    return [Offence(one.name, why) for one in made.graph.node for why in form.of_node(one)]


def test_each_operator_is_listed_once() -> None:
    listed = [name for names in operators._BY_TYPES.values() for name in names.split()]
    assert len(listed) == len(set(listed)) == len(operators.TYPES)
    assert not {"Det", "DynamicQuantizeLinear", "QLinearConv", "ConvInteger"} & set(listed)


@pytest.fixture(scope="module", autouse=True)
def nothing_is_measured() -> Iterator[None]:
    """Imports take no measurements of memory and run times."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("models.build.importing.memory_bytes", lambda path: 1)
        patch.setattr("models.build.importing.run_times", lambda paths: dict.fromkeys(
            paths, RunTime(quantiles_ms=[1.0] * 21, runs=1)))
        yield


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Card, Path]:
    folder = tmp_path_factory.mktemp("store")
    onnx.save(cnn(5), folder / "small.onnx")
    return import_file(folder / "small.onnx", "small", {}, folder), folder


def test_variants_are_made_cut_and_described_and_the_others_stay(imported: tuple[Card, Path]) -> None:
    card, folder = imported
    fp32 = card.variants["fp32"]
    other = msgspec.structs.replace(fp32, precision="int8", parent="fp32", providers=["cpu"])
    student = msgspec.structs.replace(fp32, teacher="fp32")
    card = msgspec.structs.replace(card, variants={"fp32": fp32, "int8": other, "small": student})
    assert parents(card) == ["fp32", "small"]
    told: list[str] = []
    made, keys = make_tensorrt_variants(
        card, lambda card, graph: setup_for(card, graph, "random", folder, told.append), folder=folder,
        on_trial=told.append)
    assert keys == ["fp16", "int8_trt", "small_fp16", "small_int8_trt"] == [
        key_of(card, parent, form) for parent in parents(card) for form in ("fp16", "int8_trt")]
    assert list(made.variants) == ["fp32", "int8", "small", *keys]
    assert [made.variants[key] for key in card.variants] == list(card.variants.values())
    fp16, int8 = made.variants["fp16"], made.variants["small_int8_trt"]
    assert (fp16.precision, fp16.providers, fp16.parent) == ("fp16", ["tensorrt", "cuda"], "fp32")
    assert (int8.precision, int8.providers, int8.parent) == ("int8", ["tensorrt"], "small")
    assert fp16.run_time == fp32.run_time
    assert all(made.variants[key].gate.passed for key in keys)           # pyright: ignore[reportOptionalMemberAccess]
    assert all(made.variants[key].metrics[AGREEMENT] > 0.9 for key in keys)
    assert meant(made) == ["fp32", "small", *keys]
    assert all(verify_form(made, key, folder).failures == [] for key in meant(made))
    assert any("fp16, float16: agreement" in line and "passes" in line for line in told)
    assert list(without(made, "small").variants) == ["fp32", "int8", "fp16", "int8_trt"]      # it is trained anew
    again, keys = make_tensorrt_variants(
        made, lambda card, graph: setup_for(card, graph, "random", folder, told.append), folder=folder, only=["fp32"])
    assert keys == ["fp16", "int8_trt"]
    assert list(again.variants) == list(made.variants)
    assert again.variants["fp16"].sha256 == fp16.sha256                  # the same bytes


def test_stages_of_what_is_made_share_the_times_of_the_whole(imported: tuple[Card, Path]) -> None:
    card, folder = imported
    stage = {"stages": [None, None]}     # the parent is in two stages; which ones does not matter here
    cut = msgspec.structs.replace(card.variants["fp32"], **stage)
    card = msgspec.structs.replace(card, variants={"fp32": cut})
    made, _ = make_tensorrt_variants(
        card, lambda card, graph: setup_for(card, graph, "random", folder, lambda _: None), folder=folder)
    for key in ("fp16", "int8_trt"):
        variant = made.variants[key]
        assert len(variant.stages) == 2
        each_ms = [stage.run_time.p50_ms for stage in variant.stages]
        assert sum(each_ms) == pytest.approx(variant.run_time.p50_ms, rel=0.05)
    assert [spec.dtype for spec in made.variants["int8_trt"].stages[0].outputs] == ["int8"]
    assert verify_form(made, "int8_trt", folder).failures == []


def test_shipped_files_get_ends_that_tensorrt_takes_and_int8_of_cpus_stays_there(tmp_path: Path) -> None:
    onnx.save(picture_network(), tmp_path / "pictures.onnx")
    card = import_file(tmp_path / "pictures.onnx", "pictures", {}, tmp_path)
    assert verify_form(card, "fp32", tmp_path).failures != []
    unfit = msgspec.structs.replace(card.variants["fp32"], precision="int8", parent="fp32")
    card = msgspec.structs.replace(card, variants=card.variants | {"int8": unfit})
    made = for_cpu(with_ends(card, tmp_path), tmp_path)
    assert verify_form(made, "fp32", tmp_path).failures == []
    assert made.variants["int8"] == msgspec.structs.replace(unfit, providers=["cpu"])
    assert for_cpu(with_ends(made, tmp_path), tmp_path) == made


def test_a_result_below_the_gate_fails(imported: tuple[Card, Path]) -> None:
    card, folder = imported
    feeds = list(random_inputs(cnn(5), 4))
    wrong = Agreement(cnn(5, seed=4), feeds)
    told = verify_form(card, "fp32", folder, wrong).failures
    assert len(told) == 1
    assert "its agreement of" in told[0]
    assert "is below the gate at 0.9000" in told[0]
    assert verify_form(card, "fp32", folder, Agreement(cnn(5), feeds)).failures == []


@pytest.mark.parametrize(("name", "key"), SHIPPED)
def test_tensorrt_takes_what_we_ship_for_it_whole_and_in_stages(name: str, key: str) -> None:
    card = store.load_card(name, ARTEFACTS)
    variant, found = card.variants[key], verify_form(card, key, ARTEFACTS)
    if key in meant(card):
        assert found.failures == []
        assert key.endswith("fp32") or (variant.gate is not None and variant.gate.passed)
    else:
        assert variant.providers == ["cpu"]
        assert any("its zero point is" in line for line in found.failures)
