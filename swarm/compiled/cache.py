"""Where machine code is kept: in $SWARM_CACHE/code, in a folder for each package and content that it is made from.

It knows of numba only the version: it takes long to import. Who has compiled all of a package marks its folder.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

COMPLETE = "complete"
PLANNER_LOOPS = ("swarm.planner.forecast.simulation.simulate", "swarm.planner.solvers.search.search")
FLYING_LOOPS = ("sim_worlds.physics.flying.loops",)
LOOPS = (*PLANNER_LOOPS, *FLYING_LOOPS)
"""The modules whose import compiles, each with all code of its package."""


def folder_of(package: Path) -> Path:
    """The folder for the present content of the package in this folder."""
    content = hashlib.blake2b(f"{package} {sys.version} {version('numba')}".encode(), digest_size=8)
    for path in sorted([*package.glob("*.py"), *Path(__file__).parent.glob("*.py")]):
        content.update(f"{path.stat().st_mtime_ns}".encode() + path.read_bytes())        # numba looks at the time, too
    kept = Path(os.environ.get("SWARM_CACHE") or Path.home() / ".cache" / "swarm")
    there = next((folder for folder in (kept, *kept.parents) if folder.exists()), kept)
    if not os.access(there, os.W_OK):                # a service without a home
        kept = Path(tempfile.gettempdir(), f"swarm-{os.getuid()}")
    return kept / "code" / content.hexdigest()


def is_complete(folder: Path) -> bool:
    """Whether all code of the package is in this folder."""
    return (folder / COMPLETE).exists()


def mark_complete(folder: Path) -> None:
    """All code of the package is in this folder, if there is one."""
    if folder.is_dir():
        (folder / COMPLETE).touch()


def mark_loops_complete(name: str) -> None:
    """This process is about to end the import of this one of `LOOPS`: it says so in its last line."""
    mark_complete(folder_of(Path(str(sys.modules[name].__file__)).parent))


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[bool]:
    """Whether the folder can be written; until the end no other process has it."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.stat().st_uid != os.getuid():      # what is in it would be run
            raise PermissionError(f"{folder} belongs to somebody else")
        lock = open(folder / "lock", "w", encoding="ascii")          # noqa: SIM115 - closed below
    except OSError:
        yield False
        return
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield True
