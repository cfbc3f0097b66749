"""Ranks layers by the error that int8 adds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto

from models.build.measure.runner import Runner, exposed
from models.build.quantize.int8_graphs import Inputs, weighted_nodes

QUANTIZE, DEQUANTIZE = "QuantizeLinear", "DequantizeLinear"
Pair = tuple[str, str]
"""A tensor's name in the float graph, and in the int8 graph."""


def ranked(model: ModelProto, int8: ModelProto, inputs: Sequence[Inputs]) -> list[str]:
    """Names of the weighted nodes of a float graph, by the error that they add in the int8 graph, largest first.

    Both graphs run on the same inputs. The error that a node adds is the squared relative error of its rounded output
    minus that of its input before rounding: errors that the node only passes on are not counted. Each node is followed
    by the producer of its input, because the rounding between them disappears only if both stay in float.
    """
    compared = _compared(model, int8)
    pairs = list(dict.fromkeys(pair for node in compared.values() for pair in node.pairs))
    errors = _relative_errors(model, int8, pairs, inputs)
    added = {name: errors[node.pairs[-1]] - sum(errors[pair] for pair in node.pairs[:-1])
             for name, node in compared.items()}
    order: list[str] = []
    for name in sorted(added, key=lambda name: (-added[name], name)):
        order += [name, *([compared[name].producer] if compared[name].producer in compared else [])]
    return list(dict.fromkeys(order))


@dataclass(frozen=True, slots=True)
class _Compared:
    """The compared tensors of a node: its input, unless it is an input of the graph, then its output."""

    pairs: list[Pair]
    producer: str                    # name of the node that makes the input; empty if there is none


def _compared(model: ModelProto, int8: ModelProto) -> dict[str, _Compared]:
    """The weighted nodes by name, without those whose output only one of the graphs has."""
    float_tensors = {name for node in model.graph.node for name in node.output}
    made_by = {name: node for node in int8.graph.node for name in node.output}
    nodes = {node.name: node for node in int8.graph.node}
    rounded = {node.input[0]: node.output[0] for node in int8.graph.node if node.op_type == QUANTIZE}
    rounded = {name: dequantized for name, q in rounded.items()
               for dequantized in (n.output[0] for n in int8.graph.node if n.op_type == DEQUANTIZE and n.input[0] == q)}
    compared: dict[str, _Compared] = {}
    for node in weighted_nodes(model):
        if node.name not in nodes:
            continue
        source, made = nodes[node.name].input[0], nodes[node.name].output[0]
        while source in made_by and made_by[source].op_type in (QUANTIZE, DEQUANTIZE):
            source = made_by[source].input[0]
        after = rounded.get(made, made)
        exact = next((name for name in (made, after) if name in float_tensors), None)
        if exact is not None:
            known = source in made_by and node.input[0] in float_tensors
            compared[node.name] = _Compared([*([(node.input[0], source)] if known else []), (exact, after)],
                                    made_by[source].name if known else "")
    return compared


def _relative_errors(
    model: ModelProto, int8: ModelProto, pairs: Sequence[Pair], inputs: Sequence[Inputs]
) -> dict[Pair, float]:
    """Squared error of each tensor relative to its squared values, over all inputs.

    The quantizer removes activations such as Relu, because rounding enforces their limits; so values before
    the rounding are clipped to the limits here.
    """
    float_runner, int8_runner = (Runner(exposed(graph, [pair[side] for pair in pairs]))
                                 for side, graph in enumerate((model, int8)))
    error, size = np.zeros(len(pairs)), np.zeros(len(pairs))
    for feed in inputs:
        exact, found = float_runner.run_named(feed), int8_runner.run_named(feed)
        with np.errstate(all="ignore"):          # of large values only the order counts
            for i, (name, name_int8) in enumerate(pairs):
                error[i] += _square(exact[name] - found[name_int8].clip(exact[name].min(), exact[name].max()))
                size[i] += _square(exact[name])
    return dict(zip(pairs, (error / np.maximum(size, 1e-12)).tolist(), strict=True))


def _square(tensor: NDArray) -> float:
    return float((tensor.astype(np.float64) ** 2).sum())
