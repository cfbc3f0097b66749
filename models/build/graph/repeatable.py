"""Whether a graph gives the same outputs each time it gets the same input; if not, which node is the cause."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, numpy_helper

from models.build.graph.order import all_nodes, bodies, called
from models.build.graph.tensors import DTYPES, ELEMENTS
from models.build.measure.runner import Runner, RunnerError, exposed

RANDOM = {"RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Bernoulli", "Multinomial"}
"""Operators whose output differs in each run even if all their inputs are constants."""

REPEATS = 3
"""Runs of the first input after all others have run: some state changes with each run."""

FLOATS = ("float16", "float32", "float64")
LARGE = 1e30
"""Constants beyond this leave little room in float32."""

EVAL_MODE = "export the model in eval mode"
Feed = Mapping[str, NDArray]


def is_random(node: NodeProto) -> bool:
    return node.op_type in RANDOM or any(is_random(inner) for body in bodies(node) for inner in body.node)


def why_not_repeatable(model: ModelProto, feeds: Sequence[Feed]) -> tuple[str, str, str]:
    """Run the first input, all others, and the first again. Returns empty texts if its outputs have the same bits.

    Else the node that is the cause, how its results vary, and the cure. Raises: RunnerError.
    """
    runner = Runner(model)
    first, *_ = [runner.run(feed) for feed in feeds]
    if all(same(first, runner.run(feeds[0])) for _ in range(REPEATS)):
        return "", "", ""
    return cause(model, feeds)


def cause(model: ModelProto, feeds: Sequence[Feed]) -> tuple[str, str, str]:
    """The node that makes a graph not repeatable, how its results vary, and the cure.

    The first node whose output differs in two runs, or else the first that is known to vary.
    """
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    varying = _first_varying(model, feeds)
    for node in [*([varying] if varying is not None else []), *model.graph.node]:
        for inner in (node, *(inner for body in bodies(node) for inner in all_nodes(body))):
            if how := _how_it_varies(inner, constants):
                return called(inner), *how
        if node is varying:
            break
    where = called(varying) if varying is not None else f"output {model.graph.output[0].name!r}"
    return where, "gives other results when the same input runs again", "a graph without random numbers and state"


def same(one: Sequence[NDArray], two: Sequence[NDArray]) -> bool:
    """Whether two runs have the same bits."""
    return all(np.asarray(a).tobytes() == np.asarray(b).tobytes() for a, b in zip(one, two, strict=True))


def first_not_finite(model: ModelProto, feed: Feed) -> str:
    """The first node in the order of the file that makes infinite or NaN values, with the constant that makes it do so.

    As messages call it; empty if there is none, or if it cannot be found.
    """
    try:
        runner = Runner(_all_exposed(model), optimise=False)
        tensors = runner.run_named(feed, [name for name, kind in runner.kinds.items() if kind in FLOATS])
    except RunnerError:                  # a type that cannot be shown
        return ""
    bad = {name for name, value in tensors.items() if isinstance(value, np.ndarray) and not np.isfinite(value).all()}
    node = next((node for node in model.graph.node if bad.intersection(node.output)), None)
    return "" if node is None else called(node) + _extreme_constant(node, model)


def _extreme_constant(node: NodeProto, model: ModelProto) -> str:
    for tensor in model.graph.initializer:
        if tensor.name in node.input and tensor.data_type in DTYPES:
            largest = float(np.abs(numpy_helper.to_array(tensor)).max(initial=0))
            if not largest <= LARGE:
                return f", whose constant {tensor.name!r} has a value of {largest:.3g}"
    return ""


def trained_node(model: ModelProto) -> str:
    """The first node in training mode, as messages call it; empty if there is none."""
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    return next((called(node) for node in all_nodes(model.graph)
                 if (_how_it_varies(node, constants) or ("", ""))[1] == EVAL_MODE), "")


def _first_varying(model: ModelProto, feeds: Sequence[Feed]) -> NodeProto | None:
    """The first node in the order of the file whose output differs between runs of one input, without optimisation."""
    try:
        runner = Runner(_all_exposed(model), optimise=False)
        names = [name for name, kind in runner.kinds.items() if kind in ELEMENTS]
        first, *_, last = [runner.run_named(feed, names) for feed in (*feeds, *[feeds[0]] * REPEATS)]
    except RunnerError:                  # the known suspects are left
        return None
    return next((node for node in model.graph.node for name in node.output
                 if name in first and not same([first[name]], [last[name]])), None)


def _all_exposed(model: ModelProto) -> ModelProto:
    return exposed(model, (name for node in model.graph.node for name in node.output if name))


def _how_it_varies(node: NodeProto, constants: Mapping[str, TensorProto]) -> tuple[str, str] | None:
    if node.op_type in RANDOM:
        return "draws new numbers in each run", "make them an input of the graph"
    if node.op_type == "BatchNormalization" and (_number(node, "training_mode") or len(node.output) > 1):
        return "is in training mode, so that its results change from run to run", EVAL_MODE
    if node.op_type == "Dropout" and len(node.input) > 2 and node.input[2] and not _is_false(node.input[2], constants):
        return "is in training mode, so that it drops other values in each run", EVAL_MODE
    return None


def _is_false(name: str, constants: Mapping[str, TensorProto]) -> bool:
    return name in constants and not numpy_helper.to_array(constants[name]).any()


def _number(node: NodeProto, name: str) -> int:
    return next((attribute.i for attribute in node.attribute if attribute.name == name), 0)
