"""Has the planner's loops compiled before a run: a planner that compiles them itself is not ready in time."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from swarm.compiled.cache import LOOPS, folder_of, is_complete, mark_complete


def compile_loops() -> None:
    """In a process of its own, unless the code is in the cache. A failure is the planner's to tell."""
    missing = [name for name in LOOPS if not is_complete(folder_of(_file(name).parent))]
    if missing and not subprocess.run([sys.executable, "-c", f"import {', '.join(missing)}"], check=False).returncode:
        for name in missing:
            mark_complete(folder_of(_file(name).parent))


def _file(module: str) -> Path:
    spec = find_spec(module)
    assert spec is not None                          # it is ours
    assert spec.origin is not None
    return Path(spec.origin)
