"""Runs a graph in memory as an agent would: one thread, all graph optimisations."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors  # pyright: ignore[reportAttributeAccessIssue]

from swarm.core.settings.errors import BadInput

FATAL = 4                            # ONNX Runtime's highest log severity
RUNTIME = f"ONNX Runtime {ort.__version__}"


class RunnerError(BadInput):
    """ONNX Runtime cannot load the graph, or cannot run it on its inputs."""


class Runner:
    """One loaded graph.

    Without `optimise` no nodes are fused, reordered or folded. `name` is the graph's name in errors; default: its own.
    """

    def __init__(self, model: onnx.ModelProto, *, optimise: bool = True, name: str = "") -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.use_deterministic_compute = True
        options.log_severity_level = FATAL
        level = ort.GraphOptimizationLevel
        options.graph_optimization_level = level.ORT_ENABLE_ALL if optimise else level.ORT_DISABLE_ALL
        self._name = name or model.graph.name or "graph"
        try:
            self._session = ort.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
        except _ERRORS as error:
            raise RunnerError(self._name, f"{RUNTIME} cannot load it: {_one_line(error)}") from error
        self.inputs = self._session.get_inputs()
        self.outputs = self._session.get_outputs()

    @property
    def kinds(self) -> dict[str, str]:
        """The type of each output: numpy's name of its elements, or ONNX Runtime's own word for all other types."""
        names = {"tensor(float)": "float32", "tensor(double)": "float64"}
        return {value.name: names.get(value.type) or re.sub(r"^tensor\((\w+)\)$", r"\1", value.type)
                for value in self.outputs}

    def run(self, inputs: Mapping[str, NDArray], handle: None = None) -> list[NDArray]:
        """The outputs, in the order of `outputs`. Raises: RunnerError."""
        return self._run(None, inputs)

    def run_named(self, inputs: Mapping[str, NDArray], names: Sequence[str] | None = None) -> dict[str, Any]:
        """Some outputs by name, by default all: arrays, or lists for sequences. Raises: RunnerError."""
        names = [value.name for value in self.outputs] if names is None else names
        return dict(zip(names, self._run(names, inputs), strict=True)) if names else {}

    def _run(self, names: Sequence[str] | None, inputs: Mapping[str, NDArray]) -> list[NDArray]:
        try:
            return cast("list[NDArray]", self._session.run(names, dict(inputs)))
        except _ERRORS as error:
            raise RunnerError(self._name, f"{RUNTIME} cannot run it: {_one_line(error)}") from error


def exposed(model: onnx.ModelProto, names: Iterable[str]) -> onnx.ModelProto:
    """A copy with these tensors as additional outputs."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    known = {value.name for value in copy.graph.output}
    copy.graph.output.extend(onnx.ValueInfoProto(name=name) for name in dict.fromkeys(names) if name not in known)
    return copy


def _one_line(error: Exception) -> str:
    """The error's message in one line."""
    return " ".join(str(error).split())


_ERRORS = (
    ort_errors.Fail, ort_errors.InvalidGraph, ort_errors.InvalidProtobuf, ort_errors.InvalidArgument,
    ort_errors.NotImplemented, ort_errors.RuntimeException,
)
