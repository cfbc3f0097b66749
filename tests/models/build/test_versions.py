"""Opset and IR version are lowered to those of the oldest board, if the graph stays the same."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto

from models.build.graph import versions
from models.build.graph.static import static
from models.build.graph.versions import lowered, opset_of
from models.build.measure.random_inputs import random_inputs
from models.build.measure.runner import Runner
from models.oldest_runtime import MAX_IR, MAX_OPSETS, too_new
from swarm.core.settings.errors import BadInput
from tests.models.build import odd_graphs
from tests.models.build.graphs import model, node

MAX_OPSET = MAX_OPSETS[""]
NEW = tuple(map(int, onnxruntime.__version__.split(".")[:2])) > (1, 23)
on_later_runtimes = pytest.mark.skipif(not NEW, reason="what this runtime cannot run, it cannot compare")


def versions_of(given: onnx.ModelProto) -> tuple[int, int]:
    return opset_of(given), given.ir_version


@pytest.mark.parametrize("given", [(25, 13), (28, 14), (24, 10), (17, 13)])
def test_versions_that_nothing_needs_are_lowered(given: tuple[int, int]) -> None:
    graph, _ = static(odd_graphs.late(*given), {})
    assert versions_of(graph.model) == (min(given[0], MAX_OPSET), min(given[1], MAX_IR))
    assert too_new(*versions_of(graph.model)) == ""
    (feed,) = random_inputs(graph.model, 1)
    plain = odd_graphs.late(17, 8)
    assert all(map(np.array_equal, Runner(graph.model).run(feed), Runner(plain).run(feed)))


def test_versions_that_boards_have_are_kept() -> None:
    given = odd_graphs.late(MAX_OPSET, MAX_IR)
    assert lowered(given, []) is given


@on_later_runtimes
def test_operators_that_were_changed_are_compared_by_their_outputs() -> None:
    """Cast is new in opset 24 and 25: it knows more types."""
    given = model([node("Cast", "x", "a", to=TensorProto.FLOAT16), node("Cast", "a", "y", to=1)], opset=25)
    given.ir_version = 13
    assert versions_of(static(given, {})[0].model) == (MAX_OPSET, MAX_IR)


@on_later_runtimes
def test_an_operator_of_a_later_opset_keeps_it_and_the_boards_are_named() -> None:
    given = odd_graphs.late(24, 12, "Swish")
    assert lowered(given, list(random_inputs(given, 2))) is given
    assert too_new(24, 12) == (
        "boards with Python 3.10 (JetPack 6, such as orin_nano and agx_orin) cannot load it: it has opset 24 and IR "
        "12, and ONNX Runtime 1.23, their newest, takes opset 23 and IR 11 at most")


def test_an_element_type_of_a_later_ir_keeps_it() -> None:
    given = model([node("Cast", "x", "a", to=TensorProto.FLOAT8E8M0), node("Cast", "a", "y", to=1)], opset=23)
    given.ir_version = 13
    assert lowered(given, []).ir_version == 13
    given.graph.node[0].attribute[0].i = TensorProto.FLOAT16
    assert lowered(given, []).ir_version == MAX_IR


@on_later_runtimes
def test_another_opset_is_taken_only_if_every_bit_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """The operator is said to have changed, and the conversion makes another of it."""
    given = odd_graphs.late(25, 13)
    feeds = list(random_inputs(given, 2))
    monkeypatch.setattr(versions, "_since", lambda node, whole: opset_of(whole))

    def wrong(whole: onnx.ModelProto, opset: int) -> onnx.ModelProto:
        other = odd_graphs.late(opset, 13)
        other.graph.node[1].op_type = "Neg"
        return other

    monkeypatch.setattr(versions.version_converter, "convert_version", wrong)
    taken = lowered(given, feeds)
    assert versions_of(taken) == (MAX_OPSET, MAX_IR)
    assert taken.graph.node[1].op_type == "Relu"                    # with another number alone it is the same
    monkeypatch.setattr(versions, "_outputs", lambda whole, feeds: [[np.array(opset_of(whole))] for _ in feeds])
    assert lowered(given, feeds) is given


def test_what_no_runtime_here_can_run_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    given = odd_graphs.late(99, 14)
    monkeypatch.setattr(versions, "_since", lambda node, whole: opset_of(whole))
    with pytest.raises(BadInput, match="cannot load it: "):
        static(given, {})
