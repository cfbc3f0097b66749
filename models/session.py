"""A loaded model: ONNX Runtime, one session, runs that another thread may abort.

The only file that imports onnxruntime. Thread pools do not spin (several agents share a host), and nothing is printed.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import cast

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors  # pyright: ignore[reportAttributeAccessIssue]

from models.store import ModelError
from swarm.core.cards import TensorSpec

CPU = "CPUExecutionProvider"
FATAL = 4                            # ONNX Runtime's highest log severity

ort.set_default_logger_severity(FATAL)


class Aborted(RuntimeError):
    """The run was ended by `RunHandle.abort`; the session stays usable."""


class RunFailed(RuntimeError):
    """ONNX Runtime could not finish a run: out of memory, or a provider's own failure; the session stays usable."""


class RunHandle:
    """Lets another thread end one run; good for that run only."""

    def __init__(self) -> None:
        self._options = ort.RunOptions()
        self._options.log_severity_level = FATAL
        self._aborted = False

    def abort(self) -> None:
        """End the run at its next graph node (measured: 0.5 to 1 ms); before the run, it will not start."""
        self._aborted = True
        self._options.terminate = True


class Session:
    """One model file, loaded and warmed up.

    `run` may be called from any thread and releases the GIL; create sessions one after the other.
    """

    def __init__(self, path: Path, threads: int = 1, provider: str = CPU) -> None:
        if provider not in ort.get_available_providers():
            here = ", ".join(ort.get_available_providers())
            raise ModelError(str(path), f"provider {provider} is not available", f"this host has {here}")
        try:
            self._session = ort.InferenceSession(str(path), _options(threads), providers=[provider])
        except (ort_errors.Fail, ort_errors.InvalidGraph, ort_errors.InvalidProtobuf, ort_errors.InvalidArgument,
                ort_errors.NoSuchFile, ort_errors.NotImplemented, ort_errors.RuntimeException) as error:
            raise ModelError(str(path), f"ONNX Runtime {ort.__version__} cannot load it: {error}") from error
        taken = self._session.get_providers()[0]
        if taken != provider:
            raise ModelError(str(path), f"ONNX Runtime took {taken}", f"asked for {provider}")
        self.inputs = [_spec(value) for value in self._session.get_inputs()]
        self.outputs = [_spec(value) for value in self._session.get_outputs()]
        self.run({spec.name: np.zeros(spec.shape, spec.dtype) for spec in self.inputs})     # the first run allocates

    def run(self, inputs: Mapping[str, NDArray], handle: RunHandle | None = None) -> list[NDArray]:
        """The outputs, in the order of `outputs`. Raises Aborted when `handle` ended the run, RunFailed."""
        handle = handle or RunHandle()
        try:
            return cast("list[NDArray]", self._session.run(None, dict(inputs), handle._options))
        except (ort_errors.Fail, ort_errors.RuntimeException, ort_errors.EPFail, ort_errors.InvalidArgument) as error:
            if handle._aborted:
                raise Aborted from error
            raise RunFailed(str(error)) from error


def _options(threads: int) -> ort.SessionOptions:
    """One session's settings: `threads` of its own, none that spin, no messages."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = FATAL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    options.add_session_config_entry("session.force_spinning_stop", "1")
    return options


def _spec(value: ort.NodeArg) -> TensorSpec:
    """Name, numpy type and shape of a graph's input or output; shapes are static."""
    kind = str(value.type).removeprefix("tensor(").removesuffix(")")
    if not all(isinstance(n, int) for n in value.shape):
        raise ModelError(f"tensor {value.name}", f"shape {value.shape} is not static")
    return TensorSpec(name=value.name, dtype={"float": "float32"}.get(kind, kind), shape=list(value.shape))
