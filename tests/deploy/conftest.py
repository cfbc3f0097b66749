"""Fleets of boards that are folders."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from swarm.deploy import targets
from tests.deploy.board import HERE, PYTHON, Boards


@pytest.fixture
def boards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Boards]:
    """Makes a fleet; this machine is a target, whatever its Python."""
    if not any((one.machine, one.python) == (HERE.machine, PYTHON) for one in targets.TARGETS.values()):
        monkeypatch.setitem(targets.TARGETS, HERE.name, HERE)

    def make(robots: int, **changes: Any) -> Boards:
        return Boards(tmp_path, robots, **changes)

    return make
