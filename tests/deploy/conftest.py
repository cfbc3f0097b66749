"""Boards that are folders, and fleets of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from swarm.deploy import targets
from tests.deploy.board import HERE, PYTHON, Boards, FakeBoard, Operator


@pytest.fixture
def boards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Boards]:
    """Makes a fleet; this machine is a target, whatever its Python."""
    if not any((one.machine, one.python) == (HERE.machine, PYTHON) for one in targets.TARGETS.values()):
        monkeypatch.setitem(targets.TARGETS, HERE.name, HERE)

    def make(robots: int, **changes: Any) -> Boards:
        return Boards(tmp_path, robots, **changes)

    return make


@pytest.fixture
def board(tmp_path: Path) -> FakeBoard:
    one = FakeBoard(tmp_path / "board", "rover_0")
    one.keeper.install({"name": "rover_0", "signer": "swarm key\n", "unit": "[Unit]\n", "journal": "[Journal]\n"})
    return one


@pytest.fixture
def operator(board: FakeBoard, tmp_path: Path) -> Operator:
    return Operator(board, tmp_path / "files")
