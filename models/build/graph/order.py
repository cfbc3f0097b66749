"""Which tensors a node reads, and the one order in which the nodes of a graph are taken."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence

from onnx import AttributeProto, GraphProto, NodeProto

from swarm.core.settings.errors import BadInput


def reads(node: NodeProto) -> list[str]:
    """The tensors that a node needs: its inputs but for omitted ones, and what its bodies take from around them."""
    names = [name for name in node.input if name]
    for body in bodies(node):
        names += _captured(body)
    return list(dict.fromkeys(names))


def bodies(node: NodeProto) -> Iterator[GraphProto]:
    """The graphs within If, Loop, Scan and the like."""
    for attribute in node.attribute:
        if attribute.type == AttributeProto.GRAPH:
            yield attribute.g
        elif attribute.type == AttributeProto.GRAPHS:
            yield from attribute.graphs


def _captured(body: GraphProto) -> list[str]:
    own = {value.name for value in body.input} | {tensor.name for tensor in body.initializer}
    own |= {tensor.values.name for tensor in body.sparse_initializer}
    own |= {name for node in body.node for name in node.output}
    read = [name for node in body.node for name in reads(node)] + [value.name for value in body.output]
    return [name for name in read if name not in own]


def in_order(nodes: Sequence[NodeProto], given: Iterable[str]) -> list[NodeProto]:
    """Topological order (Kahn): a QuantizeLinear as soon as it can be, the others as they stand in the file.

    Args: given: what exists before: inputs and initializers. Raises: BadInput where nothing makes what a node reads.
    """
    there, users, missing = set(given), {}, []
    for i, node in enumerate(nodes):
        wanted = [name for name in reads(node) if name not in there]
        missing.append(len(wanted))
        for name in wanted:
            users.setdefault(name, []).append(i)
    ready = [_turn(nodes, i) for i, count in enumerate(missing) if count == 0]
    heapq.heapify(ready)
    order = []
    while ready:
        node = nodes[heapq.heappop(ready)[1]]
        order.append(node)
        for user in (user for name in node.output if name not in there for user in users.get(name, ())):
            missing[user] -= 1
            if missing[user] == 0:
                heapq.heappush(ready, _turn(nodes, user))
        there.update(node.output)
    if len(order) < len(nodes):
        stuck = next(node for node, count in zip(nodes, missing, strict=True) if count > 0)
        name = next(name for name in reads(stuck) if name not in there)
        raise BadInput(f"node {stuck.name or stuck.output[0]}", f"reads {name!r}, which nothing makes before it",
                       "a graph that is valid and has no cycles")
    return order


def _turn(nodes: Sequence[NodeProto], i: int) -> tuple[bool, int]:
    return nodes[i].op_type != "QuantizeLinear", i


def needed(nodes: Sequence[NodeProto], outputs: Iterable[str]) -> list[NodeProto]:
    """The nodes that the outputs depend on, as they stand in the file."""
    maker = {name: i for i, node in enumerate(nodes) for name in node.output if name}
    found: set[int] = set()
    left = list(outputs)
    while left:
        i = maker.get(left.pop())
        if i is not None and i not in found:
            found.add(i)
            left += reads(nodes[i])
    return [nodes[i] for i in sorted(found)]
