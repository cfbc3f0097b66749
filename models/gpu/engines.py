"""The folders of TensorRT's engines: `engines/MODEL/KEY` in the cache, one for each file of a model and each platform.

The key covers what an engine depends on: the precision, the GPU, and the releases of TensorRT, CUDA, L4T and ONNX
Runtime. An engine is built in a folder of its own, which gets its name when all is built: a build that is interrupted
or runs out of memory leaves the engines of before as they are. Those of other releases on the same GPU go when the new
one stands. Each stage of a model is a file and has an engine of its own: TensorRT cannot cut an engine.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psutil

from models import cache
from models.gpu.versions import GpuVersions
from models.store import ModelError

log = logging.getLogger(__name__)

BUILDING = ".building-"              # then the number of the process
KEY_FILE = "key.json"
DIGITS = 32                          # of hashes in names of folders


def folder_of(file_sha256: str, precision: str, versions: GpuVersions) -> Path:
    """Where the engines of a file are, once they are built."""
    key = hashlib.sha256("\0".join([precision, *msgspec.structs.astuple(versions)]).encode()).hexdigest()
    return cache.folder() / "engines" / file_sha256[:DIGITS] / key[:DIGITS]


def stands(folder: Path) -> bool:
    """Whether the engines of this folder are built."""
    return (folder / KEY_FILE).is_file()


@contextlib.contextmanager
def building(folder: Path, versions: GpuVersions) -> Iterator[Path]:
    """The folder to give to TensorRT: the one that stands, or a new one that stands at the end.

    Raises: ModelError if it cannot be written; all errors of the build, after which nothing of it is left.
    """
    if stands(folder):
        yield folder
        return
    new = folder.with_name(f"{folder.name}{BUILDING}{os.getpid()}")
    with _writable(folder):
        _remove_abandoned(folder.parent)
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(parents=True)
    try:
        yield new
        with _writable(folder):
            (new / KEY_FILE).write_bytes(msgspec.json.encode(versions))
            _put_in_place(new, folder)
    finally:
        shutil.rmtree(new, ignore_errors=True)
    _remove_outdated(folder, versions)


def _put_in_place(new: Path, folder: Path) -> None:
    try:
        new.rename(folder)
    except OSError:
        if not stands(folder):               # else another process has built them meanwhile
            shutil.rmtree(folder, ignore_errors=True)
            new.rename(folder)


def _remove_abandoned(parent: Path) -> None:
    """Remove what builds of processes that are gone have left."""
    for path in parent.glob(f"*{BUILDING}*"):
        number = path.name.rpartition("-")[2]
        if not number.isdigit() or not psutil.pid_exists(int(number)):
            shutil.rmtree(path, ignore_errors=True)


def _remove_outdated(folder: Path, versions: GpuVersions) -> None:
    """Remove the engines of the same file for other releases on this GPU."""
    for path in sorted(folder.parent.iterdir()):
        if path == folder or not stands(path):
            continue
        try:
            before = msgspec.json.decode((path / KEY_FILE).read_bytes(), type=GpuVersions)
        except (OSError, msgspec.DecodeError):
            before = None
        if before is None or ((before.gpu, before.compute) == (versions.gpu, versions.compute) and before != versions):
            log.info("removing engines of %s", before or "an unknown release")
            shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def _writable(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ModelError(str(folder), error.strerror or str(error), "a folder that can be written: $SWARM_CACHE"
                         ) from None
