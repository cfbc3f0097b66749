"""Networks that others wrote: every cut of them and of their int8 forms is verified, or skipped for a true reason."""

import numpy as np
import pytest

from models.build.cut.partition import cuts, ranked, split
from models.build.cut.verify import Whole
from models.build.cut.verify_variant import verify_model
from models.build.graph.graph import Graph
from models.build.measure.random_inputs import random_inputs
from models.build.zoo import zoo
from models.build.zoo.zoo import LIGHT, NAMES


@pytest.fixture(scope="module")
def squeezenet() -> Whole:
    graph = Graph(zoo.fp32("squeezenet"))
    return Whole(graph, list(random_inputs(graph.model, 2)))


def test_random_weights_are_the_same_each_time_and_let_the_input_through(squeezenet: Whole) -> None:
    again = Graph(zoo.fp32("squeezenet"))
    assert again.model == squeezenet.graph.model
    assert squeezenet.sensitivity > 0.5
    (classes,) = squeezenet.expected[0].values()
    assert classes.sum() == pytest.approx(1.0, rel=1e-4)
    assert np.exp(-(classes * np.log(classes)).sum()) > 100         # classes that the softmax is spread over


def test_the_best_cuts_of_a_foreign_network_are_verified(squeezenet: Whole) -> None:
    for cut in ranked(cuts(squeezenet.graph))[:3]:
        assert squeezenet.check(split(squeezenet.graph, [cut]))[1] == ""


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zoo.importlib.util, "find_spec", lambda name: None)
    assert {name: zoo.missing(name) for name in ("resnet50", "transformer", "unet")} == {
        "resnet50": [], "transformer": ["torch"], "unet": ["torch", "monai"]}


@pytest.mark.long
@pytest.mark.parametrize("form", ["fp32", "int8"])
@pytest.mark.parametrize("name", NAMES)
def test_every_cut_is_verified(name: str, form: str) -> None:
    if absent := zoo.missing(name):
        pytest.skip(f"{' and '.join(absent)} not installed: make verify installs them")
    model = zoo.fp32(name)
    found = verify_model(model if form == "fp32" else zoo.int8(model), all_cuts=True).report
    assert found.failed == []
    assert found.verified == found.cuts >= (40 if name in LIGHT else 50)
    assert found.sensitivity > 0.01
