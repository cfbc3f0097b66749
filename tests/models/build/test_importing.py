"""Any ONNX file is taken in, or refused with the reason."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto, helper

from models import store
from models.build import importing
from models.build.cut.partition import cuts
from models.build.graph import reading
from models.build.graph.reading import read
from models.build.graph.static import static
from models.build.importing import import_file
from models.build.measure.profiler import run_times
from models.session import Session
from swarm.core.settings.cards import Card, RunTime
from swarm.core.settings.errors import BadInput
from tests.models.build import odd_graphs
from tests.models.build.graphs import body, model, node, tensor

F32 = np.float32
INT64 = TensorProto.INT64
TIMES = RunTime(quantiles_ms=[1.0] * 21, runs=1)


@pytest.fixture
def taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Card]:
    """Import a model by way of a file; nothing is measured."""
    monkeypatch.setattr(importing, "memory_bytes", lambda path: 1)
    monkeypatch.setattr(importing, "run_times", lambda paths: dict.fromkeys(paths, TIMES))

    def take(
        given: ModelProto, sizes: dict[str, int] | None = None, notes: list[str] | None = None, **how: object
    ) -> Card:
        onnx.save(given, tmp_path / "given.onnx", **how)
        return import_file(tmp_path / "given.onnx", "taken", sizes or {}, tmp_path / "store",
                           note=[].append if notes is None else notes.append)

    return take


def convolution(shape: list[int | str]) -> ModelProto:
    return model([node("Conv", "image w b", "a"), node("Relu", "a", "y")], [tensor("image", shape)],
                 [tensor("y", ["n", 8, "h", "w"])], {"w": np.ones((8, 3, 3, 3), F32), "b": np.zeros(8, F32)})


def test_a_card_describes_the_graph(taken: Callable[..., Card], tmp_path: Path) -> None:
    card = taken(convolution([1, 3, 6, 6]))
    assert card == store.load_card("taken", tmp_path / "store")
    assert [(spec.name, spec.dtype, spec.shape) for spec in [*card.inputs, *card.outputs]] == [
        ("image", "float32", [1, 3, 6, 6]), ("y", "float32", [1, 8, 4, 4])]
    assert (card.task, card.primary_metric, card.opset, card.ir_version) == ("", "agreement", 17, 8)
    assert (card.parameters, card.macs, card.operators) == (8 * 27 + 8, 8 * 16 * 27, {"Conv": 1, "Relu": 1})
    assert list(card.variants) == ["fp32"]


def test_a_file_with_nothing_to_fix_is_kept_as_it_is(taken: Callable[..., Card], tmp_path: Path) -> None:
    given = model([node("Relu", "x", "y")])
    card = taken(given)
    assert store.artefact(card, "fp32", tmp_path / "store").read_bytes() == (tmp_path / "given.onnx").read_bytes()
    assert card.variants["fp32"].sha256 == card.made_with["sha256"]


def test_external_data_is_taken_in(taken: Callable[..., Card], tmp_path: Path) -> None:
    card = taken(convolution([1, 3, 6, 6]), save_as_external_data=True, size_threshold=0, location="weights.bin")
    assert (tmp_path / "weights.bin").is_file()
    session = Session(store.artefact(card, "fp32", tmp_path / "store"))
    assert session.run({"image": np.ones((1, 3, 6, 6), F32)})[0].max() == 27


def test_dynamic_axes_are_bound_and_noted(taken: Callable[..., Card]) -> None:
    card = taken(convolution(["batch", 3, "height", 6]), {"height": 10})
    assert card.dynamic_axes == {"batch": 1, "height": 10}
    assert (card.inputs[0].shape, card.outputs[0].shape) == ([1, 3, 10, 6], [1, 8, 8, 4])
    with pytest.raises(BadInput, match=r"input 'image': has dynamic axes: height; --axis height=N"):
        taken(convolution(["batch", 3, "height", 6]))
    with pytest.raises(BadInput, match=r"--axis depth: is not a dynamic axis; known: batch, height"):
        taken(convolution(["batch", 3, "height", 6]), {"height": 10, "depth": 2})


def test_an_axis_of_minus_one_is_dynamic_too(taken: Callable[..., Card]) -> None:
    card = taken(convolution([-1, 3, -1, 6]), {"image.2": 10})
    assert card.dynamic_axes == {"image.0": 1, "image.2": 10}
    assert card.outputs[0].shape == [1, 8, 8, 4]


def test_the_same_file_again_changes_nothing(taken: Callable[..., Card], tmp_path: Path) -> None:
    given = convolution(["batch", 3, "height", 6])
    card = taken(given, {"height": 10})
    grown = msgspec.structs.replace(card, variants=card.variants | {"int8": card.variants["fp32"]})
    store.save_card(grown, tmp_path / "store")
    assert taken(given, {"height": 10}) == grown == store.load_card("taken", tmp_path / "store")
    with pytest.raises(BadInput, match="'taken': exists already, with axes of other sizes or by another version"):
        taken(given, {"height": 12})
    assert store.load_card("taken", tmp_path / "store") == grown


def test_an_axis_that_is_not_only_a_batch_wants_a_size(taken: Callable[..., Card]) -> None:
    given = model([node("MatMul", "a b", "y")], [tensor("a", ["n", 4]), tensor("b", [4, "n"])],
                  [tensor("y", ["n", "n"])])
    with pytest.raises(BadInput, match="--axis n=N"):
        taken(given)
    assert taken(given, {"n": 3}).outputs[0].shape == [3, 3]


def test_several_inputs_float16_and_tokens(taken: Callable[..., Card], tmp_path: Path) -> None:
    given = model([node("Gather", "table tokens", "rows"), node("Add", "rows more", "sum"), node("Tanh", "sum", "y"),
                   node("Neg", "y", "z")],
                  [tensor("tokens", [5], INT64), tensor("more", [5, 4], TensorProto.FLOAT16)],
                  [tensor("y", [5, 4], TensorProto.FLOAT16), tensor("z", [5, 4], TensorProto.FLOAT16)],
                  {"table": np.ones((7, 4), np.float16)})
    card = taken(given)
    assert [spec.dtype for spec in [*card.inputs, *card.outputs]] == ["int64", "float16", "float16", "float16"]
    Session(store.artefact(card, "fp32", tmp_path / "store"))


def test_a_scalar_input_is_one(taken: Callable[..., Card], tmp_path: Path) -> None:
    card = taken(model([node("Mul", "x least", "a"), node("Relu", "a", "y")], ["x", tensor("least", [])]))
    assert [spec.shape for spec in card.inputs] == [[1, 4], []]
    path = store.artefact(card, "fp32", tmp_path / "store")
    assert run_times({"whole": path}, 2)["whole"].runs == 2


def test_bytes_that_index_a_table_stay_within_it(taken: Callable[..., Card]) -> None:
    given = model([node("Cast", "tokens", "indices", to=INT64), node("Gather", "table indices", "y")],
                  [tensor("tokens", [50], TensorProto.UINT8)], [tensor("y", [50, 4])], {"table": np.ones((7, 4), F32)})
    assert taken(given).outputs[0].shape == [50, 4]


def test_shapes_that_are_older_than_the_graph_s_last_change_are_found_anew(
    taken: Callable[..., Card], tmp_path: Path
) -> None:
    """Someone has made the batch larger, and left what the file says of the tensors within."""
    given = model([node("Relu", "x", "a"), node("Neg", "a", "b"), node("Abs", "b", "y")], [tensor("x", [3, 4])],
                  [tensor("y", [3, 4])])
    given.graph.value_info.extend([tensor("a"), tensor("b")])
    card = taken(given)
    path = store.artefact(card, "fp32", tmp_path / "store")
    assert Session(path).outputs[0].shape == [3, 4]
    assert [spec.shape for cut in cuts(onnx.load(path)) for spec in cut.tensors] == [[3, 4], [3, 4]]


def test_an_output_that_is_not_as_the_file_says_is_refused(taken: Callable[..., Card]) -> None:
    with pytest.raises(BadInput, match=r"output 'y': has shape \[1, 4\]; \[2, 9\], as the file says"):
        taken(model([node("Relu", "x", "y")], outputs=[tensor("y", [2, 9])]))


def branching(*operators: str, w: list[int]) -> ModelProto:
    """`x` with `w` by one operator or the other, as the sum of x is positive or not."""
    yes, no = (body([node(operator, "x w", "t")], [], [tensor("t", ["rows", 4])]) for operator in operators)
    return model([node("ReduceSum", "x", "s", keepdims=0), node("Greater", "s nil", "c"),
                  node("If", "c", "y", then_branch=yes, else_branch=no)], outputs=[tensor("y", ["rows", 4])],
                 weights={"nil": F32(0), "w": np.ones(w, F32)})


def test_control_flow_is_taken_and_its_operators_are_counted(taken: Callable[..., Card]) -> None:
    card = taken(branching("Add", "Sub", w=[1, 4]))
    assert card.operators == {"Add": 1, "Greater": 1, "If": 1, "ReduceSum": 1, "Sub": 1}
    assert card.outputs[0].shape == [1, 4]


def test_control_flow_whose_branches_differ_in_shape_is_refused(taken: Callable[..., Card]) -> None:
    with pytest.raises(BadInput, match="output 'y': its shape depends on the input"):
        taken(branching("Add", "MatMul", w=[4, 4]))


def test_int8_graphs_are_known(taken: Callable[..., Card]) -> None:
    given = model([node("QuantizeLinear", "x s z", "q"), node("DequantizeLinear", "q s z", "d"), node("Neg", "d", "y")],
                  weights={"s": F32(0.1), "z": np.uint8(128)})
    assert list(taken(given).variants) == ["int8"]


@pytest.mark.parametrize(("given", "message"), [
    (model([node("NonZero", "x", "y")], outputs=[tensor("y", ["a", "b"], INT64)]),
     r"output 'y': its shape depends on the input: \[2, 4\] and \[2, 0\]; tensors of one shape"),
    (model([node("SequenceConstruct", "x x", "y")],
           outputs=[helper.make_tensor_sequence_value_info("y", TensorProto.FLOAT, None)]),
     r"output 'y': its type, seq\(tensor\(float\)\), is not supported"),
    (model([node("Identity", "x", "y")], [tensor("x", [2], TensorProto.STRING)],
           [tensor("y", [2], TensorProto.STRING)]),
     "input 'x': is a string tensor; tensors of bool, uint8"),
])
def test_what_does_not_travel_is_refused_with_the_reason(given: ModelProto, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        static(given, {})


def test_what_the_runtime_does_not_know_is_refused(taken: Callable[..., Card]) -> None:
    strange = node("Frobnicate", "x", "y")
    strange.domain = "elsewhere"
    given = model([strange])
    given.opset_import.append(helper.make_opsetid("elsewhere", 1))
    with pytest.raises(BadInput, match=r"ONNX Runtime .* cannot load it: .*Frobnicate"):
        taken(given)


def test_files_that_are_no_models_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.onnx"
    with pytest.raises(BadInput, match=r"a\.onnx: No such file"):
        read(path)
    path.write_bytes(b"not a model")
    with pytest.raises(BadInput, match=r"a\.onnx: is not an ONNX model"):
        read(path)
    path.write_bytes(b"")
    with pytest.raises(BadInput, match=r"a\.onnx: is not valid: .*ir_version"):
        read(path)
    (tmp_path / "a.json").write_text("{}")
    with pytest.raises(BadInput, match=r"a\.json: is not an ONNX model"):
        read(tmp_path / "a.json")
    onnx.save(convolution([1, 3, 6, 6]), path, save_as_external_data=True, size_threshold=0, location="w.bin")
    nowhere = onnx.load(path, load_external_data=False)
    for constant in nowhere.graph.initializer:
        del constant.external_data[:]
    (tmp_path / "b.onnx").write_bytes(nowhere.SerializeToString())
    with pytest.raises(BadInput, match=r"b\.onnx: is not valid"):
        read(tmp_path / "b.onnx")
    monkeypatch.setattr(reading, "MAX_BYTES", 900)
    with pytest.raises(BadInput, match=r"holds 1,\d{3} bytes with its external data; at most 2 GiB"):
        read(path)
    monkeypatch.undo()
    (tmp_path / "w.bin").write_bytes((tmp_path / "w.bin").read_bytes()[:-1])
    with pytest.raises(BadInput, match=r"a\.onnx: tensor '\w' ends at byte \d+ of 'w\.bin', which has \d+ bytes; copy"):
        read(path)
    (tmp_path / "w.bin").unlink()
    with pytest.raises(BadInput, match=r"a\.onnx: tensor 'w' lies in 'w\.bin', which is not there; copy that"):
        read(path)


def test_a_graph_without_a_name_gets_one(taken: Callable[..., Card], tmp_path: Path) -> None:
    given = model([node("Relu", "x", "y")])
    given.graph.name = ""
    card = taken(given)
    assert onnx.load(store.artefact(card, "fp32", tmp_path / "store")).graph.name == "graph"


def test_lower_versions_are_stored_and_said(taken: Callable[..., Card], tmp_path: Path) -> None:
    notes: list[str] = []
    card = taken(odd_graphs.late(25, 13), notes=notes)
    assert (card.opset, card.ir_version) == (23, 11)
    (note,) = notes
    assert note.startswith("lowered from opset 25 and IR 13, which boards with Python 3.10")
    stored = onnx.load(store.artefact(card, "fp32", tmp_path / "store"))
    assert (stored.ir_version, stored.opset_import[0].version) == (11, 23)


def test_an_ordinary_graph_needs_no_note(taken: Callable[..., Card]) -> None:
    notes: list[str] = []
    taken(odd_graphs.late(17, 8), notes=notes)
    assert notes == []


def test_values_that_are_not_finite_are_said_with_node_and_weight(taken: Callable[..., Card]) -> None:
    notes: list[str] = []
    given = odd_graphs.with_weight(float("inf"))
    given.graph.node[1].op_type = "Relu"
    taken(given, notes=notes)
    (note,) = notes
    assert note == ("on random inputs its output has infinite or NaN values, first in node 'a' (MatMul), whose "
                    "constant 'w' has a value of inf")


def test_the_default_domain_has_two_names(taken: Callable[..., Card], tmp_path: Path) -> None:
    given = model([node("Relu", "x", "y")])
    given.graph.node[0].domain = given.opset_import[0].domain = "ai.onnx"
    assert taken(given).operators == {"Relu": 1}


def test_an_input_without_a_shape_asks_for_one(taken: Callable[..., Card]) -> None:
    given = model([node("Relu", "x", "y")], [helper.make_tensor_value_info("x", 1, None)],
                  [helper.make_tensor_value_info("y", 1, None)])
    with pytest.raises(BadInput, match=r"input 'x': has no shape; .* --axis x\.0=N --axis x\.1=N"):
        taken(given)
    assert taken(given, {"x.0": 2, "x.1": 3}).outputs[0].shape == [2, 3]


def test_external_data_outside_of_the_file_s_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    path = tmp_path / "inner" / "a.onnx"
    onnx.save(convolution([1, 3, 6, 6]), path, save_as_external_data=True, size_threshold=0, location="w.bin")
    (tmp_path / "inner" / "w.bin").rename(tmp_path / "w.bin")
    given = onnx.load(path, load_external_data=False)
    for constant in given.graph.initializer:
        next(part for part in constant.external_data if part.key == "location").value = "../w.bin"
    path.write_bytes(given.SerializeToString())
    with pytest.raises(BadInput, match="is not valid"):
        read(path)
