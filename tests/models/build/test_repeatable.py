"""Graphs whose results change from run to run are found, with the node and the cure."""

from pathlib import Path

import onnx
import pytest
from onnx import ModelProto

from models.build.cut.verify_variant import verify_model
from models.build.graph.graph import Graph
from models.build.graph.repeatable import first_not_finite, why_not_repeatable
from models.build.importing import import_file
from models.build.measure.random_inputs import random_inputs
from models.build.quantize.gates import Agreement
from swarm.core.settings.errors import BadInput
from tests.models.build import odd_graphs
from tests.models.build.graphs import model, node

EVAL = "export the model in eval mode"


@pytest.mark.parametrize(("given", "where", "how", "cure"), [
    (odd_graphs.training(), "node 'a' (BatchNormalization)", "is in training mode, so that its results change", EVAL),
    (odd_graphs.training(0.9999), "node 'a' (BatchNormalization)", "is in training mode", EVAL),
    (odd_graphs.dropping(), "node 'a' (Dropout)", "is in training mode, so that it drops other values", EVAL),
    (model([node("RandomNormalLike", "x", "r"), node("Add", "x r", "y")]), "node 'r' (RandomNormalLike)",
     "draws new numbers in each run", "make them an input of the graph"),
    (odd_graphs.random_in_a_body(), "(Bernoulli)", "draws new numbers in each run", "make them an input"),
], ids=["batch norm", "slow batch norm", "dropout", "random", "random in a body"])
def test_the_import_names_the_node_and_the_cure(
    given: ModelProto, where: str, how: str, cure: str, tmp_path: Path
) -> None:
    onnx.save(given, tmp_path / "a.onnx")
    with pytest.raises(BadInput) as told:
        import_file(tmp_path / "a.onnx", "a", {}, tmp_path / "store")
    assert told.value.where.endswith(where)
    assert told.value.what.startswith(how)
    assert cure in told.value.want


def test_a_random_number_that_changes_nothing_is_allowed() -> None:
    given = model([node("RandomNormalLike", "x", "r"), node("Abs", "r", "a"), node("Neg", "a", "m"),
                   node("Greater", "m a", "never"), node("Where", "never r x", "y")])
    assert why_not_repeatable(given, list(random_inputs(given, 2))) == ("", "", "")


def test_state_that_other_inputs_leave_is_found_too() -> None:
    """The running mean moves with every input; the first input alone would be run on the same mean."""
    given = odd_graphs.training()
    feeds = list(random_inputs(given, 2))
    assert why_not_repeatable(given, feeds)[1]
    assert why_not_repeatable(given, feeds[:1])[1]


def test_verify_skips_the_cuts_with_the_node_and_the_cure() -> None:
    found = verify_model(Graph(odd_graphs.training()), all_cuts=True).report
    assert found.verified == 0
    (skipped,) = found.skipped
    assert skipped.reason.startswith("not deterministic: node 'a' (BatchNormalization) is in training mode")
    assert skipped.reason.endswith(EVAL)


def test_no_int8_variant_is_judged_by_an_original_that_changes() -> None:
    given = odd_graphs.training()
    with pytest.raises(BadInput, match="the original: gives other outputs when the same input runs again"):
        Agreement(given, list(random_inputs(given, 4)))


def test_the_node_that_first_makes_infinite_values_is_named() -> None:
    given = model([node("Neg", "x", "a"), node("Sub", "a a", "nil"), node("Div", "a nil", "b"), node("Abs", "b", "y")])
    assert first_not_finite(given, next(random_inputs(given, 1))) == "node 'b' (Div)"
