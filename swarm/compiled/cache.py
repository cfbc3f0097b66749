"""Where machine code is kept: in $SWARM_CACHE/code, in a folder for each content of the package that it is made from.

It knows nothing of numba, which takes long to import.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path


def folder_of(package: Path) -> Path:
    """The folder for the present content of the package in this folder."""
    content = hashlib.blake2b(digest_size=8)
    for path in sorted([*package.glob("*.py"), *Path(__file__).parent.glob("*.py")]):
        content.update(path.read_bytes())
    kept = Path(os.environ.get("SWARM_CACHE") or Path.home() / ".cache" / "swarm")
    there = next((folder for folder in (kept, *kept.parents) if folder.exists()), kept)
    if not os.access(there, os.W_OK):                # a service without a home
        kept = Path(tempfile.gettempdir(), f"swarm-{os.getuid()}")
    return kept / "code" / content.hexdigest()


def has_code(folder: Path) -> bool:
    """Whether the compiler has written into this folder."""
    return any(folder.rglob("*.nbc"))


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[bool]:
    """Whether the folder can be written; until the end no other process has it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = open(folder / "lock", "w", encoding="ascii")          # noqa: SIM115 - closed below
    except OSError:
        yield False
        return
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield True
