"""The tensors that a node reads, and the canonical order of the nodes of a graph."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence

from onnx import AttributeProto, GraphProto, NodeProto, TensorProto

from swarm.core.settings.errors import BadInput


def reads(node: NodeProto) -> list[str]:
    """The tensors that a node needs: its inputs, without omitted ones, and the outer tensors that its bodies use."""
    names = [name for name in node.input if name]
    for body in bodies(node):
        names += captured(body)
    return list(dict.fromkeys(names))


def bodies(node: NodeProto) -> Iterator[GraphProto]:
    """The subgraphs of a node: of If, Loop, Scan and similar operators."""
    for attribute in node.attribute:
        if attribute.type == AttributeProto.GRAPH:
            yield attribute.g
        elif attribute.type == AttributeProto.GRAPHS:
            yield from attribute.graphs


def all_nodes(graph: GraphProto) -> Iterator[NodeProto]:
    """All nodes, each before those of its bodies."""
    for node in graph.node:
        yield node
        for body in bodies(node):
            yield from all_nodes(body)


def all_tensors(graph: GraphProto) -> Iterator[TensorProto]:
    """All constants: initializers, including those of bodies, and tensors of Constant nodes."""
    yield from graph.initializer
    for node in graph.node:
        yield from (attribute.t for attribute in node.attribute if attribute.HasField("t"))
        for body in bodies(node):
            yield from all_tensors(body)


def called(node: NodeProto) -> str:
    """How a message calls a node: its name, else its first output, and its operator."""
    name = node.name or next(filter(None, node.output), "")
    return f"node {name!r} ({node.op_type})"


def captured(body: GraphProto) -> list[str]:
    """The outer tensors that a subgraph uses."""
    own = {value.name for value in body.input} | {tensor.name for tensor in body.initializer}
    own |= {tensor.values.name for tensor in body.sparse_initializer}
    own |= {name for node in body.node for name in node.output}
    read = [name for node in body.node for name in reads(node)] + [value.name for value in body.output]
    return [name for name in read if name not in own]


def in_order(nodes: Sequence[NodeProto], available: Iterable[str]) -> list[NodeProto]:
    """Topological order (Kahn): a QuantizeLinear as early as possible, other nodes in the order of the file.

    Args: available: names of inputs and initializers. Raises: BadInput if no node makes a tensor that a node reads.
    """
    known, users, missing = set(available), {}, []
    for i, node in enumerate(nodes):
        wanted = [name for name in reads(node) if name not in known]
        missing.append(len(wanted))
        for name in wanted:
            users.setdefault(name, []).append(i)
    ready = [_priority(nodes, i) for i, count in enumerate(missing) if count == 0]
    heapq.heapify(ready)
    order = []
    while ready:
        node = nodes[heapq.heappop(ready)[1]]
        order.append(node)
        for user in (user for name in node.output if name not in known for user in users.get(name, ())):
            missing[user] -= 1
            if missing[user] == 0:
                heapq.heappush(ready, _priority(nodes, user))
        known.update(node.output)
    if len(order) < len(nodes):
        stuck = next(node for node, count in zip(nodes, missing, strict=True) if count > 0)
        name = next(name for name in reads(stuck) if name not in known)
        raise BadInput(called(stuck), f"reads {name!r}, which no earlier node makes",
                       "a valid graph without cycles")
    return order


def _priority(nodes: Sequence[NodeProto], i: int) -> tuple[bool, int]:
    return nodes[i].op_type != "QuantizeLinear", i


def needed(nodes: Sequence[NodeProto], outputs: Iterable[str]) -> list[NodeProto]:
    """The nodes that the outputs depend on, in the order of the file."""
    producer = {name: i for i, node in enumerate(nodes) for name in node.output if name}
    found: set[int] = set()
    pending = list(outputs)
    while pending:
        i = producer.get(pending.pop())
        if i is not None and i not in found:
            found.add(i)
            pending += reads(nodes[i])
    return [nodes[i] for i in sorted(found)]
