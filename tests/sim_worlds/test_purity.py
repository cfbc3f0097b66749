"""Everything in `sim_worlds` but its host and its physics client is pure: it touches neither clock nor machine."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import sim_worlds

FOLDER = Path(sim_worlds.__file__).parent
HOSTS = ("process.py", "physics/bullet.py")
MACHINE = {"time", "datetime", "threading", "multiprocessing", "asyncio", "os", "signal", "socket", "subprocess",
           "psutil", "tempfile", "pathlib", "zmq", "swarm.net", "swarm.launcher"}
PURE = [path for path in sorted(FOLDER.rglob("*.py")) if str(path.relative_to(FOLDER)) not in HOSTS]


@pytest.mark.parametrize("path", PURE, ids=lambda path: str(path.relative_to(FOLDER)))
def test_no_pure_file_imports_the_machine(path: Path) -> None:
    names = set()
    for statement in ast.walk(ast.parse(path.read_text())):
        if isinstance(statement, ast.Import):
            names |= {alias.name for alias in statement.names}
        elif isinstance(statement, ast.ImportFrom):
            names |= {f"{statement.module}.{alias.name}" for alias in statement.names}
    assert not {name for name in names for machine in MACHINE if f"{name}.".startswith(f"{machine}.")}
