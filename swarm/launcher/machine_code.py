"""Has loops compiled before a run: a planner or a world that compiles them itself is not ready in time."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from swarm.compiled.cache import LOOPS, folder_of, is_complete, mark_complete


def compile_loops(names: Sequence[str] = LOOPS) -> None:
    """In a process of its own, unless the code is in the cache. A failure is for those to tell that need them."""
    missing = [name for name in names if not is_complete(folder_of(_file(name).parent))]
    if missing and not subprocess.run([sys.executable, "-c", f"import {', '.join(missing)}"], check=False).returncode:
        for name in missing:
            mark_complete(folder_of(_file(name).parent))


def _file(module: str) -> Path:
    spec = find_spec(module)
    assert spec is not None                          # it is ours
    assert spec.origin is not None
    return Path(spec.origin)
