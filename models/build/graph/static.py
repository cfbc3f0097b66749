"""Gives a model static types and shapes, by inference and by runs; refuses it with the tensor that has none."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from onnx import ModelProto

from models.build.graph.graph import Graph
from models.build.graph.normalize import bind, normalized, single_axes
from models.build.graph.order import all_nodes
from models.build.graph.reading import MAX_BYTES
from models.build.graph.repeatable import EVAL_MODE, Feed, trained_node
from models.build.graph.tensors import ELEMENTS, spec_of, value_info
from models.build.graph.versions import lowered
from models.build.measure.input_files import given_inputs
from models.build.measure.random_inputs import random_inputs
from models.build.measure.runner import RUNTIME, Runner, RunnerError
from models.build.measure.timing import timing_inputs
from swarm.core.settings.cards import TensorSpec
from swarm.core.settings.errors import BadInput

OTHER_SIZES = (2, 3, 4, 8, 16)
"""Batch sizes that are tried if a graph cannot be run with 1."""

Shapes = dict[str, tuple[int, ...]]


def static(
    model: ModelProto, sizes: Mapping[str, int], name: str = "", inputs: Sequence[str] = ()
) -> tuple[Graph, dict[str, int]]:
    """The model with static types and shapes, and the sizes of its dynamic axes. `name` is the graph's name in errors.

    The size of a batch axis, and of one called batch, N or ?, is 1 by default. Opset and IR version are lowered for
    boards where nothing needs them.
    Args: inputs: values of single inputs, as NAME=FILE.npy.
    Raises: BadInput for an axis without a size, for an output without a static type and shape or with another shape
    than in the file, and for a graph that cannot be run on zeros, as agents do when they load it, and random inputs.
    """
    assumed = {axis: 1 for axis in single_axes(model) if axis not in sizes}
    plain = _bound(model, assumed | dict(sizes))
    specs = [spec for value in plain.graph.input if (spec := spec_of(value))]
    _check_sizes(specs)
    given = given_inputs(inputs, specs)
    drawn = [*random_inputs(plain, 2, given=given)]
    measured = [*random_inputs(plain, 1, zeros_first=True), timing_inputs(specs, np.random.default_rng(0))]
    plain = lowered(plain, [*measured, *drawn])
    try:
        runner = Runner(plain, name=name)
        shapes = _shapes(runner, drawn[0])
    except RunnerError as error:
        other = _another_size(model, assumed, sizes)
        raise _not_run(_reason(plain, drawn[0], error), assumed, other, plain) from None
    for feed in (*drawn[1:], *measured):
        _check_shapes(runner, drawn[0], feed, shapes)
    graph = Graph(plain, given)
    for value in graph.model.graph.output:
        spec = graph.specs.get(value.name)
        if spec is None:
            raise BadInput(f"output {value.name!r}", graph.unknown.get(value.name, "its type is not known"),
                           "tensors of one shape")
        if list(shapes[value.name]) != spec.shape:
            raise BadInput(f"output {value.name!r}", f"has shape {list(shapes[value.name])}",
                           f"{spec.shape}, as the file says")
    for value in [*graph.model.graph.output, *graph.model.graph.value_info]:
        spec = graph.specs.get(value.name)
        if spec is not None and spec_of(value) != spec:
            value.CopyFrom(value_info(spec))
    return graph, assumed | dict(sizes)


def _bound(model: ModelProto, sizes: Mapping[str, int]) -> ModelProto:
    bound = ModelProto()
    bound.CopyFrom(model)
    bind(bound, sizes)
    return normalized(bound)


def _check_sizes(specs: Sequence[TensorSpec]) -> None:
    for spec in specs:
        if 0 in spec.shape:
            raise BadInput(f"input {spec.name!r}", f"has no elements: its shape is {spec.shape}",
                           "a size of 1 or more for each axis")
        if spec.bytes > MAX_BYTES:
            raise BadInput(f"input {spec.name!r}", f"takes {spec.bytes:,} bytes with shape {spec.shape}",
                           "sizes of at most 2 GiB")


def _shapes(runner: Runner, feed: Feed) -> Shapes:
    """The shape of each output. Raises: BadInput for an output that is not a tensor of a known type; RunnerError."""
    for name, kind in runner.kinds.items():
        if kind not in ELEMENTS:
            raise BadInput(f"output {name!r}", f"its type, {kind}, is not supported", f"one of {', '.join(ELEMENTS)}")
    return {name: np.shape(value) for name, value in runner.run_named(feed).items()}


def _check_shapes(runner: Runner, drawn: Feed, other: Feed, expected: Shapes) -> None:
    """Raises: BadInput if the graph cannot be run on another input, or then has outputs of other shapes."""
    try:
        found = _shapes(runner, other)
    except RunnerError as error:
        names = _deciding(drawn, other, lambda feed: _runs(runner, feed))
        values = ", ".join(f"{name} = {_in_words(other[name])}" for name in names)
        raise BadInput(_inputs(names), f"the graph cannot be run with {values or 'zeros'}: {error.what}",
                       "a constant in place of an input that allows few values, because agents load models with zeros"
                       ) from None
    for name, shape in found.items():
        if shape != expected[name]:
            names = _deciding(drawn, other, lambda feed, name=name: _shapes(runner, feed)[name] == expected[name])
            raise BadInput(f"output {name!r}", f"its shape depends on the input: {list(expected[name])} and "
                           f"{list(shape)}" + (f", by the values of {_inputs(names)}" if names else ""),
                           "tensors of one shape" + (", with a constant in place of such an input" if names else ""))


def _deciding(drawn: Feed, other: Feed, holds: Callable[[Feed], bool]) -> list[str]:
    """The integer inputs whose values in `other` alone end what holds for `drawn`."""
    return [name for name, value in other.items() if value.dtype.kind != "f" and not holds({**drawn, name: value})]


def _runs(runner: Runner, feed: Feed) -> bool:
    try:
        runner.run(feed)
    except RunnerError:
        return False
    return True


def _inputs(names: Sequence[str]) -> str:
    return f"{'inputs' if len(names) > 1 else 'input'} {', '.join(map(repr, names))}" if names else "inputs"


def _in_words(value: np.ndarray) -> str:
    return f"{value.ravel()[0]}" if (value == value.ravel()[0]).all() else f"{value.ravel()[:8].tolist()}"


def _another_size(model: ModelProto, assumed: Mapping[str, int], sizes: Mapping[str, int]) -> int | None:
    """A size of the assumed axes with which the graph runs, if there is one."""
    for size in OTHER_SIZES if assumed else ():
        try:
            bound = _bound(model, dict.fromkeys(assumed, size) | dict(sizes))
            Runner(bound).run(next(random_inputs(bound, 1)))
        except BadInput:
            continue
        return size
    return None


def _reason(model: ModelProto, feed: Feed, error: RunnerError) -> RunnerError:
    """The error of a run in which every node has a name, so that the message tells it apart."""
    named = ModelProto()
    named.CopyFrom(model)
    for node in all_nodes(named.graph):
        node.name = node.name or next(filter(None, node.output), "")
    try:
        Runner(named, optimise=False, name=error.where).run(feed)
    except RunnerError as told:
        return told
    return error


def _not_run(
    error: RunnerError, assumed: Mapping[str, int], other: int | None, model: ModelProto
) -> BadInput:
    """The reason why a graph cannot be run on random inputs, with what could be right."""
    tried = ", ".join(f"{axis} = {size}" for axis, size in assumed.items())
    if other is not None:
        want = " ".join(f"--axis {axis}={other}" for axis in assumed)
        return BadInput(error.where, f"with {tried}: {error.what}", want)
    if trained := trained_node(model):
        return BadInput(error.where, error.what, f"{trained} is in training mode: {EVAL_MODE}")
    if "cannot load it" in error.what:
        return BadInput(error.where, error.what, f"operators and types that {RUNTIME} has on a CPU, such as float32")
    cures = [" ".join(f"--axis {axis}=N" for axis in assumed)] if assumed else []
    cures += [f"a constant in place of input {value.name!r}, or values that it can have: --input {value.name}=FILE.npy"
              for value in model.graph.input if (spec := spec_of(value)) and not spec.dtype.startswith("float")]
    return BadInput(error.where, f"with {tried}: {error.what}" if tried else error.what, "; or ".join(cures))
