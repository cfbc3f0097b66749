"""Cache of graphs that ONNX Runtime optimised for this machine: the next load skips the optimiser.

An entry is `graphs/KEY-SHA256.onnx`: the key covers everything that the optimiser depends on, the hash is that of the
content. An entry whose hash is wrong counts as absent and is removed. The key includes the processor's features,
because optimised int8 graphs depend on them.
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

MAX_BYTES = 2**30
"""Limit for all entries together; the least recently used are removed first."""


def folder() -> Path:
    """The folder $SWARM_CACHE; it may be deleted, everything in it is made again."""
    return Path(os.environ.get("SWARM_CACHE") or Path.home() / ".cache" / "swarm")


def key(*parts: str) -> str:
    """The key of an entry that depends on these parts and on this machine."""
    return hashlib.sha256("\0".join([*parts, device()]).encode()).hexdigest()[:32]


def get(entry: str) -> Path | None:
    """The entry's file, checked and marked as used; None if there is none."""
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
    """Store an entry; if the cache cannot be written, only log a warning."""
    try:
        write(folder() / "graphs" / f"{entry}-{hashlib.sha256(content).hexdigest()}.onnx", content)
        _make_room()
    except (ModelError, OSError) as error:
        log.warning("not cached: %s", error)


def drop(path: Path) -> None:
    """Remove an entry that could not be loaded."""
    path.unlink(missing_ok=True)


def _make_room() -> None:
    entries = sorted(((path.stat(), path) for path in (folder() / "graphs").glob("*.onnx")),
                     key=lambda entry: entry[0].st_mtime_ns, reverse=True)
    kept_bytes = 0
    for stat, path in entries:
        kept_bytes += stat.st_size
        if kept_bytes > MAX_BYTES:
            path.unlink(missing_ok=True)


@cache
def device() -> str:
    """Fingerprint of this machine: the processor, its features, board and GPUs, on which graphs and engines depend."""
    facts = {platform.machine()}
    wanted = ("model name", "flags", "Features", "CPU implementer", "CPU part")
    facts |= {line for line in _text(Path("/proc/cpuinfo")).splitlines() if line.startswith(wanted)}
    facts |= {_text(Path("/proc/device-tree/model"))}                # the name of a Jetson board
    facts |= {_text(path) for path in Path("/proc/driver/nvidia").glob("version")}
    facts |= {line for path in Path("/proc/driver/nvidia/gpus").glob("*/information")
              for line in _text(path).splitlines() if line.startswith("Model")}
    return hashlib.sha256("\n".join(sorted(facts)).encode()).hexdigest()


def _text(path: Path) -> str:
    return path.read_text(errors="replace") if path.is_file() else ""
