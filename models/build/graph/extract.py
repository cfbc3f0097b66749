"""Extracts a stage from a graph: its nodes, with copies of all constants and views that they use."""

from __future__ import annotations

from onnx import ModelProto, NodeProto

from models.build.graph.graph import Graph
from models.build.graph.order import reads
from models.build.graph.tensors import value_info


def stage(graph: Graph, start: int, end: int) -> ModelProto:
    """The nodes [start, end) as a separate model; tensors keep their names in the whole graph.

    Its inputs are the tensors that the nodes read from outside the stage. Its outputs are the tensors that later stages
    read, and outputs of the graph; the last stage also has the outputs that are constants.
    """
    copied = _StageNodes(graph)
    for node in graph.nodes[start:end]:
        copied.add(node)
    inner = {name for node in graph.nodes[start:end] for name in node.output}
    outside = {name for node in graph.nodes[start:end] for name in graph.reads(node)} - inner
    inputs = [name for name in graph.alive(start) if name in outside]
    outputs = graph.produced(start, end)
    if end == len(graph.nodes):
        outputs += [name for name in graph.outputs if graph.is_constant(name)]
        outputs.sort(key=graph.outputs.index)
        copied.fetch(outputs)
    model = ModelProto(ir_version=graph.model.ir_version, opset_import=graph.model.opset_import,
                       producer_name=graph.model.producer_name, producer_version=graph.model.producer_version,
                       domain=graph.model.domain, metadata_props=graph.model.metadata_props)
    body = model.graph
    body.name = f"{graph.model.graph.name or 'graph'}[{start}:{end}]"
    body.node.extend(copied.nodes)
    body.initializer.extend(graph.initializers[name] for name in copied.constants if name in graph.initializers)
    body.sparse_initializer.extend(graph.sparse[name] for name in copied.constants if name in graph.sparse)
    body.input.extend(value_info(graph.specs[name]) for name in inputs)
    body.output.extend(value_info(graph.specs[name]) for name in outputs)
    shown = {*inputs, *outputs, *copied.constants}
    body.value_info.extend(value_info(graph.specs[name]) for node in copied.nodes for name in node.output
                           if name in graph.specs and name not in shown)
    body.quantization_annotation.extend(note for note in graph.model.graph.quantization_annotation
                                        if note.tensor_name in inner | shown)
    return model


class _StageNodes:
    """Nodes in a topological order, each after the constants and views that it reads."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._copied: set[str] = set()
        self.nodes: list[NodeProto] = []
        self.constants: list[str] = []           # names of initializers, dense and sparse

    def add(self, node: NodeProto) -> None:
        self.fetch(reads(node))
        self.nodes.append(node)

    def fetch(self, names: list[str]) -> None:
        """Copy the constants and views that make these tensors; other tensors are skipped."""
        for name in names:
            if name in self._copied:
                continue
            if name in self._graph.initializers or name in self._graph.sparse:
                self._copied.add(name)
                self.constants.append(name)
            elif (node := self._graph.constants.get(name) or self._graph.views.get(name)) is not None:
                self._copied.update(node.output)
                self.add(node)
