"""Which layers lose the most in int8."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto

from models.build.measure.runner import Runner
from models.build.quantize.int8_graphs import Inputs, weighted

QUANTIZE, DEQUANTIZE = "QuantizeLinear", "DequantizeLinear"
Pair = tuple[str, str]
"""A tensor's name in the float graph, and in the int8 graph."""


def ranked(model: ModelProto, int8: ModelProto, inputs: Sequence[Inputs]) -> list[str]:
    """Names of the weighted nodes of a float graph, the one that adds most error in its int8 graph first.

    Both graphs are run on the same inputs. What a node adds is the relative error of its output, rounded, less that of
    its input before it was rounded, as squares: errors that it only hands on are not its own. Behind each node comes
    the one that makes its input: the rounding between them goes only when both stay in float.
    """
    ends = _ends(model, int8)
    pairs = list(dict.fromkeys(pair for node in ends.values() for pair in node.pairs))
    errors = _relative_errors(model, int8, pairs, inputs)
    added = {name: errors[node.pairs[-1]] - sum(errors[pair] for pair in node.pairs[:-1])
             for name, node in ends.items()}
    order: list[str] = []
    for name in sorted(added, key=lambda name: (-added[name], name)):
        order += [name, *([ends[name].maker] if ends[name].maker in ends else [])]
    return list(dict.fromkeys(order))


@dataclass(frozen=True, slots=True)
class _Node:
    """What is compared of a node: its input unless that is the graph's, then its output; and who makes its input."""

    pairs: list[Pair]
    maker: str


def _ends(model: ModelProto, int8: ModelProto) -> dict[str, _Node]:
    """The weighted nodes by name, but for those whose output only one of the graphs has."""
    float_tensors = {name for node in model.graph.node for name in node.output}
    made_by = {name: node for node in int8.graph.node for name in node.output}
    nodes = {node.name: node for node in int8.graph.node}
    rounded = {node.input[0]: node.output[0] for node in int8.graph.node if node.op_type == QUANTIZE}
    rounded = {name: dequantized for name, q in rounded.items()
               for dequantized in (n.output[0] for n in int8.graph.node if n.op_type == DEQUANTIZE and n.input[0] == q)}
    ends: dict[str, _Node] = {}
    for node in weighted(model):
        source, made = nodes[node.name].input[0], nodes[node.name].output[0]
        while source in made_by and made_by[source].op_type in (QUANTIZE, DEQUANTIZE):
            source = made_by[source].input[0]
        after = rounded.get(made, made)
        exact = next((name for name in (made, after) if name in float_tensors), None)
        if exact is not None:
            known = source in made_by and node.input[0] in float_tensors
            ends[node.name] = _Node([*([(node.input[0], source)] if known else []), (exact, after)],
                                    made_by[source].name if known else "")
    return ends


def _relative_errors(
    model: ModelProto, int8: ModelProto, pairs: Sequence[Pair], inputs: Sequence[Inputs]
) -> dict[Pair, float]:
    """Squared error of each tensor over its squared values, over all inputs.

    The quantizer drops activations like Relu, whose limits rounding enforces: before it, a tensor is limited here.
    """
    ours, theirs = (Runner(_exposed(graph, [pair[side] for pair in pairs])) for side, graph in enumerate((model, int8)))
    error, size = np.zeros(len(pairs)), np.zeros(len(pairs))
    for given in inputs:
        exact, found = ours.named(given), theirs.named(given)
        for i, (name, name_int8) in enumerate(pairs):
            error[i] += _square(exact[name] - found[name_int8].clip(exact[name].min(), exact[name].max()))
            size[i] += _square(exact[name])
    return dict(zip(pairs, (error / np.maximum(size, 1e-12)).tolist(), strict=True))


def _square(tensor: NDArray) -> float:
    return float((tensor.astype(np.float64) ** 2).sum())


def _exposed(model: ModelProto, names: Sequence[str]) -> ModelProto:
    """A copy that gives these tensors, too."""
    copy = ModelProto()
    copy.CopyFrom(model)
    known = {value.name for value in copy.graph.output}
    copy.graph.output.extend(onnx.ValueInfoProto(name=name) for name in dict.fromkeys(names) if name not in known)
    return copy
