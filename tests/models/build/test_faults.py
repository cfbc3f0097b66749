"""What a wrong cut would do is seen: each kind of fault, in any stage of any cut, in every try."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import ModelProto

from models.build.cut.partition import cuts, split
from models.build.cut.verify import WRONG, Whole
from models.build.graph.graph import Graph
from models.build.measure.batch_axis import single
from models.build.measure.random_inputs import random_inputs
from models.store import artefact, load_card
from tests.models.build.faults import altered_initializer, lost_residual, relu_to_neg

TRIES = 50
FRAMES = 1
Fault = Callable[[ModelProto, np.random.Generator], bool]


def whole(variant: str) -> Whole:
    graph = Graph(single(onnx.load(artefact(load_card("detector"), variant))))
    with np.load(Path(__file__).parent.parent / "data" / "golden.npz") as file:
        frames = [{"image": image[None]} for image in file["images"][:FRAMES]]
    return Whole(graph, [*random_inputs(graph.model, 1), *frames])


@pytest.fixture(scope="module")
def detector() -> Whole:
    return whole("fp32")


@pytest.fixture(scope="module")
def quantized() -> Whole:
    return whole("int8")


def caught(whole: Whole, fault: Fault) -> int:
    """In how many of the tries, each with a random cut, stage and place, the fault was found."""
    count = 0
    for seed in range(TRIES):
        draws = np.random.default_rng(seed)
        planted, stages = False, []
        while not planted:
            found = cuts(whole.graph)
            stages = split(whole.graph, [found[draws.integers(len(found))]])
            planted = fault(stages[draws.integers(2)], draws)
        count += whole.check(stages)[1] == WRONG
    return count


@pytest.mark.parametrize("fault", [relu_to_neg, lost_residual, altered_initializer])
def test_a_fault_in_one_stage_is_caught_in_each_of_fifty_tries(detector: Whole, fault: Fault) -> None:
    assert caught(detector, fault) == TRIES


@pytest.mark.long
@pytest.mark.parametrize("fault", [lost_residual, altered_initializer])
def test_so_it_is_in_an_int8_graph(quantized: Whole, fault: Fault) -> None:
    assert caught(quantized, fault) == TRIES


def test_without_a_fault_nothing_is_caught(detector: Whole) -> None:
    assert caught(detector, lambda stage, draws: True) == 0
