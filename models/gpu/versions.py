"""What a TensorRT engine depends on beside its model: the GPU, and the releases of TensorRT, CUDA and L4T.

Found without importing tensorrt: the libraries themselves are asked, by ctypes, and the files of the system are read.
"""

from __future__ import annotations

import ctypes
import functools
import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

log = logging.getLogger(__name__)

TENSORRT = ("libnvinfer.so.10", "libnvinfer.so.11", "libnvinfer.so")
CUDA = ("libcudart.so.12", "libcudart.so.13", "libcudart.so")
DRIVER = ("libcuda.so.1",)
RELEASE = re.compile(r"# R(\d+) \(release\), REVISION: ([\d.]+)")
NAME_BYTES = 128
MAJOR, MINOR = 75, 76                # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, _MINOR of cuda.h

Open = Callable[[str], Any]
"""Opens a shared library. Raises: OSError."""


class GpuVersions(msgspec.Struct, frozen=True, kw_only=True):
    """An empty text: not found, or, for L4T, no Jetson."""

    gpu: str                         # its name
    compute: str                     # its compute capability, such as 8.7
    tensorrt: str
    cuda: str
    l4t: str
    runtime: str                     # of ONNX Runtime, which splits the graph and names the engines

    def __str__(self) -> str:
        jetson = f", L4T {self.l4t}" if self.l4t else ""
        return (f"{self.gpu or 'an unknown GPU'} (compute capability {self.compute or 'unknown'}), TensorRT "
                f"{self.tensorrt or 'unknown'}, CUDA {self.cuda or 'unknown'}{jetson}, ONNX Runtime {self.runtime}")


def gpu_versions(runtime: str, library: Open = ctypes.CDLL, root: Path = Path("/")) -> GpuVersions:
    """Of the first GPU of this machine. runtime: the version of ONNX Runtime."""
    gpu, compute = _gpu(library)
    return GpuVersions(gpu=gpu or _board(root), compute=compute, tensorrt=_tensorrt(library), cuda=_cuda(library, root),
                       l4t=_l4t(root), runtime=runtime)


@functools.cache
def this_machine(runtime: str) -> GpuVersions:
    """As `gpu_versions`; what is not known is logged, since engines may then outlive an update of the system."""
    found = gpu_versions(runtime)
    if not (found.gpu and found.tensorrt):
        log.warning("engines may outlive an update of the system, because this is not known: %s", found)
    return found


def _gpu(library: Open) -> tuple[str, str]:
    """Name and compute capability, by the driver's own interface, which Jetson boards have, too."""
    driver = _first(library, DRIVER)
    device, name, major, minor = ctypes.c_int(), ctypes.create_string_buffer(NAME_BYTES), ctypes.c_int(), ctypes.c_int()
    if driver is None or driver.cuInit(0) or driver.cuDeviceGet(ctypes.byref(device), 0):
        return "", ""
    failed = driver.cuDeviceGetName(name, NAME_BYTES, device)
    failed = failed or driver.cuDeviceGetAttribute(ctypes.byref(major), MAJOR, device)
    failed = failed or driver.cuDeviceGetAttribute(ctypes.byref(minor), MINOR, device)
    return ("", "") if failed else (name.value.decode(errors="replace"), f"{major.value}.{minor.value}")


def _tensorrt(library: Open) -> str:
    """As TensorRT 10 has it: 10000 times the major, 100 times the minor release, and the patch."""
    found = _first(library, TENSORRT)
    if found is None:
        return ""
    number = int(found.getInferLibVersion())
    return f"{number // 10_000}.{number // 100 % 100}.{number % 100}"


def _cuda(library: Open, root: Path) -> str:
    """Of the runtime library; else of the toolkit's own file."""
    found, version = _first(library, CUDA), ctypes.c_int()
    if found is not None and not found.cudaRuntimeGetVersion(ctypes.byref(version)):
        return f"{version.value // 1000}.{version.value % 1000 // 10}"
    try:
        told = msgspec.json.decode((root / "usr/local/cuda/version.json").read_bytes())
        return str(told["cuda"]["version"])
    except (OSError, msgspec.DecodeError, KeyError, TypeError):
        return ""


def _l4t(root: Path) -> str:
    """The release of NVIDIA's Linux for Jetson boards: `# R36 (release), REVISION: 4.3, ...` is 36.4.3."""
    found = RELEASE.match(_text(root / "etc/nv_tegra_release"))
    return f"{found[1]}.{found[2]}" if found else ""


def _board(root: Path) -> str:
    """The name of a Jetson board."""
    return _text(root / "proc/device-tree/model").strip("\0\n ")


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _first(library: Open, names: tuple[str, ...]) -> Any:
    """The first of the libraries that this machine has; None if it has none."""
    for name in names:
        try:
            return library(name)
        except OSError:
            continue
    return None
