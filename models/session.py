"""A loaded model: one ONNX Runtime session, whose runs another thread may abort.

The only file that imports onnxruntime. It prints nothing, and no thread spins: several agents share a host, and an
agent has many sessions. Each session has its own threads, because Python cannot stop ONNX Runtime's global pool from
spinning (measured with two threads and 20 runs a second: 64 % of a core against 19 %).
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import tempfile
import threading
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, cast

import msgspec
import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors  # pyright: ignore[reportAttributeAccessIssue]

from models import cache, providers
from models.gpu import engines
from models.gpu.placements import Elsewhere, elsewhere
from models.gpu.versions import this_machine
from models.resident import resident_bytes
from models.store import ModelError
from swarm.core.settings.cards import BATCH_AXIS, ITEM_BYTES, Precision, Provider, TensorSpec

log = logging.getLogger(__name__)
FATAL = 4                            # ONNX Runtime's highest log severity
VERSION: str = ort.__version__
AVAILABLE: list[str] = ort.get_available_providers()
RUNTIME = f"ONNX Runtime {VERSION}"
ORT_ERRORS = (
    ort_errors.Fail, ort_errors.InvalidGraph, ort_errors.InvalidProtobuf, ort_errors.InvalidArgument,
    ort_errors.NoSuchFile, ort_errors.NotImplemented, ort_errors.RuntimeException, ort_errors.EPFail,
)
PROFILED_RUNS = 3                    # after the first, at a load for a GPU
OFF, ALL = ort.GraphOptimizationLevel.ORT_DISABLE_ALL, ort.GraphOptimizationLevel.ORT_ENABLE_ALL

_load_lock = threading.Lock()        # concurrent creation of sessions has races in ONNX Runtime
_loaded: weakref.WeakSet[Session] = weakref.WeakSet()

ort.set_default_logger_severity(FATAL)


class Aborted(RuntimeError):
    """`RunHandle.abort` ended the run; the session stays usable."""


class RunFailed(RuntimeError):
    """ONNX Runtime could not finish a run: out of memory, or a failure of a provider; the session stays usable."""


class LoadCancelled(RuntimeError):
    """`LoadHandle.cancel` ended the load, and all its resources are freed."""


class RunHandle:
    """Lets another thread abort a run; usable for several successive runs, until one is aborted."""

    def __init__(self) -> None:
        self._options = ort.RunOptions()
        self._options.log_severity_level = FATAL
        self.aborted = False

    def abort(self) -> None:
        """End the run at its next graph node (measured: 0.5 to 1 ms); a run that has not begun will not start."""
        self.aborted = True
        self._options.terminate = True


class LoadHandle:
    """Lets another thread cancel one load, between its steps or within the optimiser."""

    def __init__(self) -> None:
        self._cancelled = False
        self._step: ort.SessionOptions | RunHandle | None = None

    def cancel(self) -> None:
        self._cancelled = True
        step = self._step
        if isinstance(step, RunHandle):
            step.abort()
        elif step is not None:
            step.set_load_cancellation_flag(True)

    def enter(self, step: ort.SessionOptions | RunHandle | None = None) -> None:
        """Begin a step that `cancel` can end. Raises: LoadCancelled."""
        self._step = step
        if self._cancelled:
            raise LoadCancelled


class SessionStatistics(NamedTuple):
    """The loaded sessions of this process."""

    sessions: int
    memory_bytes: int


def statistics() -> SessionStatistics:
    sessions = list(_loaded)
    return SessionStatistics(len(sessions), sum(session.memory_bytes for session in sessions))


class Session:
    """One model file, loaded and warmed up. Any thread may call `run`, which releases the GIL.

    Only one load runs at a time. Raises: ModelError; LoadCancelled.
    inputs, outputs: specs of the graph's tensors for one input. batched: whether inputs may be stacked along the first
    axis. memory_bytes: growth of the process's resident memory by the load, at least the size of the file.
    cached: whether the optimised graph, or TensorRT's engines, came from the cache. elsewhere: the nodes that do not
    run on the first of the providers `on`; watched in some runs at the load, and on GPUs only.
    precision: of the variant.
    """

    def __init__(
        self, path: Path, threads: int = 1, on: Sequence[Provider] = ("cpu",), handle: LoadHandle | None = None,
        precision: Precision = "fp32",
    ) -> None:
        handle = handle or LoadHandle()
        self.path = path
        with _load_lock, _profiles(on) as folder:
            handle.enter()
            before_bytes = resident_bytes()
            load = _Load(path, threads, on, handle, precision, folder)
            session, self.cached = load.session()
            self._session: ort.InferenceSession | None = session
            self.inputs = [_spec(value, path) for value in session.get_inputs()]
            self.outputs = [_spec(value, path) for value in session.get_outputs()]
            self.batched = any(BATCH_AXIS in value.shape for value in session.get_inputs())
            self._warm_up(path, handle)
            self.elsewhere = self._placed(session, handle, load.names[0]) if folder else []
            grown_bytes = resident_bytes() - before_bytes
            self.memory_bytes = max(grown_bytes, path.stat().st_size)
        _loaded.add(self)

    def run(self, inputs: Mapping[str, NDArray], handle: RunHandle | None = None) -> list[NDArray]:
        """The outputs, in the order of `outputs`. Raises: Aborted if `handle` ended the run; RunFailed."""
        handle, session = handle or RunHandle(), self._session
        if session is None:                  # a run that was given up may still come to this
            raise Aborted if handle.aborted else RunFailed(f"{self.path.name} was unloaded")
        try:
            return cast("list[NDArray]", session.run(None, dict(inputs), handle._options))
        except (ort_errors.Fail, ort_errors.RuntimeException, ort_errors.EPFail, ort_errors.InvalidArgument) as error:
            if handle.aborted:
                raise Aborted from error
            raise RunFailed(str(error)) from error

    def close(self) -> None:
        """Give its memory back, though others may still refer to it; it cannot run any more."""
        _loaded.discard(self)
        self._session = None

    def _warm_up(self, path: Path, handle: LoadHandle) -> None:
        """Run once with zeros, because the first run allocates memory."""
        warm_up = RunHandle()
        handle.enter(warm_up)
        try:
            self.run({spec.name: np.zeros(spec.shape, spec.dtype) for spec in self.inputs}, warm_up)
        except Aborted:
            raise LoadCancelled from None
        except RunFailed as error:
            raise ModelError(str(path), f"{RUNTIME} cannot run it: {error}") from error

    def _placed(self, session: ort.InferenceSession, handle: LoadHandle, wanted: str) -> list[Elsewhere]:
        """End the profile of a session on a GPU, after some more runs. Returns the nodes on other providers."""
        for _ in range(PROFILED_RUNS):
            self._warm_up(self.path, handle)
        try:
            found = elsewhere(msgspec.json.decode(Path(session.end_profiling()).read_bytes()), wanted)
        except (OSError, msgspec.DecodeError) as error:
            log.warning("%s: which provider runs which node is not known: %s", self.path, error)
            return []
        for one in found:
            log.warning("%s: %s, not on %s", self.path.name, one, wanted)
        return found


class _Load:
    """Makes a session from a file: from the cache, or through the optimiser and into the cache."""

    def __init__(
        self, path: Path, threads: int, on: Sequence[Provider], handle: LoadHandle, precision: Precision,
        profiles: str,
    ) -> None:
        self.path, self.threads, self.on, self.handle, self.profiles = path, threads, on, handle, profiles
        self.precision: Precision = precision
        self.engines: Path | None = None
        self.names = providers.ort_names(on, AVAILABLE, str(path))
        try:
            content = path.read_bytes()
        except OSError as error:
            raise ModelError(str(path), f"{RUNTIME} cannot load it: {error.strerror}") from None
        self.sha256 = hashlib.sha256(content).hexdigest()
        self.entry = cache.key(self.sha256, VERSION, *on)

    def session(self) -> tuple[ort.InferenceSession, bool]:
        """The session, and whether it came from the cache."""
        if "tensorrt" in self.on:        # its compiled nodes cannot be saved; it caches its own engines
            versions = this_machine(VERSION)
            folder = engines.folder_of(self.sha256, self.precision, versions)
            built = engines.stands(folder)
            with engines.building(folder, versions) as self.engines:
                return self._create(self.path, ALL), built
        self.handle.enter()
        cached = cache.get(self.entry)
        if cached is not None:
            try:
                return self._create(cached, OFF), True
            except ModelError as error:
                log.warning("cached graph cannot be loaded, optimising again: %s", error)
                cache.drop(cached)
        with contextlib.ExitStack() as stack:
            try:
                target = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="swarm-"))) / "optimised.onnx"
            except OSError as error:
                log.warning("not cached: no temporary folder: %s", error)
                return self._create(self.path, ALL), False
            try:
                session = self._create(self.path, ALL, target)
            except ModelError as error:
                if not target.exists():      # the model itself was refused, before anything was written
                    raise
                log.warning("not cached: %s", error)
                return self._create(self.path, ALL), False
            cache.put(self.entry, target.read_bytes())
        return session, False

    def _create(
        self, path: Path, level: ort.GraphOptimizationLevel, written: Path | None = None
    ) -> ort.InferenceSession:
        options = _options(self.threads)
        options.graph_optimization_level = level
        if written is not None:
            options.optimized_model_filepath = str(written)
        if "tensorrt" in self.on:        # else TensorRT compiles new engines, for minutes, for each batch size
            options.add_free_dimension_override_by_name(BATCH_AXIS, 1)
        if "cpu" not in self.on:         # forbid a fallback of single operators to the CPU
            options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
        if self.profiles:
            options.enable_profiling = True
            options.profile_file_prefix = str(Path(self.profiles) / "profile")
        with_settings = [(name, providers.options(provider, self.precision, self.engines))
                         for name, provider in zip(self.names, self.on, strict=True)]
        self.handle.enter(options)
        try:
            session = ort.InferenceSession(str(path), options, providers=with_settings, enable_fallback=0)
        except ort_errors.ModelLoadCanceled:
            raise LoadCancelled from None
        except ORT_ERRORS as error:
            raise ModelError(str(path), f"{RUNTIME} cannot load it: {error}") from error
        taken = session.get_providers()
        if taken[:len(self.names)] != self.names:
            raise ModelError(str(path), f"ONNX Runtime took {', '.join(taken)}", f"asked for {', '.join(self.names)}")
        return session


def _profiles(on: Sequence[Provider]) -> contextlib.AbstractContextManager[str]:
    """A folder for the profile of a load on a GPU; it goes with the load, however that ends."""
    if on[0] == "cpu":
        return contextlib.nullcontext("")
    return tempfile.TemporaryDirectory(prefix="swarm-", ignore_cleanup_errors=True)


def loaded() -> list[Session]:
    """The sessions of this process."""
    return list(_loaded)


def _options(threads: int) -> ort.SessionOptions:
    """Options of one session: `threads` threads that do not spin, no log messages."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = FATAL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    options.add_session_config_entry("session.force_spinning_stop", "1")
    return options


def _spec(value: ort.NodeArg, path: Path) -> TensorSpec:
    """Name, numpy type and shape of a graph's input or output; a free first axis counts as 1, others must be static."""
    kind = str(value.type).removeprefix("tensor(").removesuffix(")")
    kind = {"float": "float32", "double": "float64"}.get(kind, kind)
    if kind not in ITEM_BYTES:
        raise ModelError(str(path), f"tensor {value.name} is of type {value.type}", f"one of {', '.join(ITEM_BYTES)}")
    shape = [1, *value.shape[1:]] if value.shape[:1] == [BATCH_AXIS] else list(value.shape)
    if not all(isinstance(n, int) for n in shape):
        raise ModelError(str(path), f"tensor {value.name}: shape {value.shape} is not static")
    return TensorSpec(name=value.name, dtype=kind, shape=shape)
