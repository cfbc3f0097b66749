"""What the bench measures: sessions of this machine. A test puts others in their place."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from models import providers
from models.gpu.placements import Elsewhere
from models.gpu.versions import this_machine
from models.session import AVAILABLE, RUNTIME, VERSION, RunHandle, Session
from swarm.bench import CannotRun
from swarm.core.settings.cards import Precision, Provider, TensorSpec


class Loaded(Protocol):
    """A session, or an object with the same methods."""

    inputs: list[TensorSpec]
    outputs: list[TensorSpec]
    cached: bool
    elsewhere: list[Elsewhere]

    def run(self, inputs: Mapping[str, NDArray], handle: Any = None) -> list[NDArray]:
        """Raises: Aborted; RunFailed."""
        ...

    def close(self) -> None: ...


class Runtime(Protocol):
    """Loads files on providers."""

    def load(self, path: Path, on: Sequence[Provider], precision: Precision) -> Loaded:
        """Raises: ModelError."""
        ...

    def handle(self) -> Any:
        """A handle of one run, with `abort`."""
        ...


class ThisMachine:
    """The sessions of ONNX Runtime."""

    def load(self, path: Path, on: Sequence[Provider], precision: Precision) -> Loaded:
        return Session(path, on=on, precision=precision)

    def handle(self) -> RunHandle:
        return RunHandle()


def gpu_providers(available: Sequence[str] = AVAILABLE, versions: str | None = None) -> tuple[list[Provider], str]:
    """The GPU's providers of this machine, best first, and what the machine has. Raises: CannotRun.

    versions: the GPU and the releases; default: those of this machine.
    """
    found: list[Provider] = [name for name in ("tensorrt", "cuda") if providers.ORT_NAMES[name] in available]
    if not found:
        raise CannotRun(f"{RUNTIME} was built without TensorRT and CUDA: pip install onnxruntime-gpu (on a Jetson: its "
                        "wheel for JetPack) in place of onnxruntime")
    if versions is None:
        here = this_machine(VERSION)
        if not here.compute:
            raise CannotRun("there is no NVIDIA GPU here, or no driver (libcuda.so.1): run it on a machine with one")
        if not here.tensorrt:
            found = [name for name in found if name != "tensorrt"]
        if not found:
            raise CannotRun("there is no TensorRT here (libnvinfer.so.10): pip install tensorrt")
        versions = str(here)
    return found, versions


@contextlib.contextmanager
def empty_cache() -> Iterator[None]:
    """Within the block all caches are empty at first: each engine is built once, and then found."""
    before = os.environ.get("SWARM_CACHE")
    with tempfile.TemporaryDirectory(prefix="swarm-gpu-") as folder:
        os.environ["SWARM_CACHE"] = folder
        try:
            yield
        finally:
            del os.environ["SWARM_CACHE"]
            if before is not None:
                os.environ["SWARM_CACHE"] = before
