"""Graphs as ONNX Runtime optimised them for this machine, so that the next load skips the optimiser.

An entry is `graphs/KEY-SHA256.onnx`: the key is of all that the optimiser's work depends on, the hash is of the
content. An entry that is not what its name says counts as absent, and is removed. Optimised int8 graphs depend on what
the processor can do, hence its place in the key.
"""

from __future__ import annotations

import hashlib
import logging
import os
import platform
from functools import cache
from pathlib import Path

from models.store import ModelError, write

log = logging.getLogger(__name__)

MOST_BYTES = 2**30
"""What all entries may take together; those used longest ago go first."""


def folder() -> Path:
    """$SWARM_CACHE: nothing in it is needed, all of it is made again."""
    return Path(os.environ.get("SWARM_CACHE") or Path.home() / ".cache" / "swarm")


def key(*parts: str) -> str:
    """The name of what these parts decide, together with this machine."""
    return hashlib.sha256("\0".join([*parts, device()]).encode()).hexdigest()[:32]


def get(entry: str) -> Path | None:
    """The entry's file, checked and marked as used; None where there is none."""
    for path in (folder() / "graphs").glob(f"{entry}-*.onnx"):
        try:
            found = hashlib.sha256(path.read_bytes()).hexdigest()
            if path.stem == f"{entry}-{found}":
                path.touch()
                return path
        except OSError as error:
            log.warning("%s cannot be used: %s", path, error.strerror)
            continue
        log.warning("%s is damaged and will be made again", path)
        path.unlink(missing_ok=True)
    return None


def put(entry: str, content: bytes) -> None:
    """Keep an entry; a cache that cannot be written is said and changes nothing else."""
    try:
        write(folder() / "graphs" / f"{entry}-{hashlib.sha256(content).hexdigest()}.onnx", content)
        _make_room()
    except (ModelError, OSError) as error:
        log.warning("not cached: %s", error)


def drop(path: Path) -> None:
    """Forget an entry that could not be loaded."""
    path.unlink(missing_ok=True)


def _make_room() -> None:
    entries = sorted(((path.stat(), path) for path in (folder() / "graphs").glob("*.onnx")),
                     key=lambda entry: entry[0].st_mtime_ns, reverse=True)
    kept_bytes = 0
    for stat, path in entries:
        kept_bytes += stat.st_size
        if kept_bytes > MOST_BYTES:
            path.unlink(missing_ok=True)


@cache
def device() -> str:
    """This machine as far as optimised graphs and engines depend on it: processor, its features, board, GPUs."""
    told = {platform.machine()}
    wanted = ("model name", "flags", "Features", "CPU implementer", "CPU part")
    told |= {line for line in _text(Path("/proc/cpuinfo")).splitlines() if line.startswith(wanted)}
    told |= {_text(Path("/proc/device-tree/model"))}                 # Jetsons name themselves there
    told |= {_text(path) for path in Path("/proc/driver/nvidia").glob("version")}
    told |= {line for path in Path("/proc/driver/nvidia/gpus").glob("*/information")
             for line in _text(path).splitlines() if line.startswith("Model")}
    return hashlib.sha256("\n".join(sorted(told)).encode()).hexdigest()


def _text(path: Path) -> str:
    return path.read_text(errors="replace") if path.is_file() else ""
