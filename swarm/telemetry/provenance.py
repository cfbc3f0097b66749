"""The contents of `manifest.json`: what was run, with which versions, and on which machine."""

from __future__ import annotations

import functools
import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import msgspec

from swarm.core.settings.launch_file import LaunchFile

GIT_S = 1.0                          # for each of three commands
PACKAGES = ("swarm-edge-runtime", "numpy", "onnxruntime", "pyzmq", "msgpack", "msgspec", "pybullet", "pybullet-arm64",
            "numba", "ray", "pyarrow", "scipy")


def manifest(
    launch: LaunchFile, command: list[str], started_unix_s: float, commit: str, renderer: str
) -> dict[str, Any]:
    """The resolved launch file, and all facts needed to judge or repeat the run. commit: from `revision`."""
    return {
        "launch": msgspec.to_builtins(launch),
        "boards": {name: msgspec.to_builtins(board) for name, board in launch.boards.items()},
        "seed": launch.seed, "renderer": renderer, "command": command, "started_unix_s": round(started_unix_s, 3),
        "versions": versions(), "host": host(), "revision": commit,
    }


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that can change a result; packages not installed are left out."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def host() -> dict[str, Any]:
    """This machine: cores that this process may use, processor, memory, system."""
    model = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as cpuinfo:
            model = next((line.partition(":")[2].strip() for line in cpuinfo if line.startswith("model name")), model)
    except OSError:
        pass                                         # not Linux: keep what `platform` reports
    return {
        "cores": len(os.sched_getaffinity(0)), "processor": model, "machine": platform.machine(),
        "memory_mb": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20, "system": platform.platform(),
    }


@functools.cache
def revision(folder: Path = Path(__file__).parent) -> str:
    """The commit of the checkout that contains this folder, with `+changes` if edited; `unknown` outside a checkout.

    It asks git, which may take seconds on a busy disk: call it before a run, not within.
    """
    def git(*args: str) -> str:
        return subprocess.run(["git", "-C", str(folder), *args], capture_output=True, text=True, timeout=GIT_S,
                              check=True).stdout.strip()
    try:
        git("ls-files", "--error-unmatch", Path(__file__).name)      # fails in a foreign repository around a venv
        return git("rev-parse", "--short=12", "HEAD") + ("+changes" if git("status", "--porcelain") else "")
    except (OSError, subprocess.SubprocessError):
        return "unknown"
