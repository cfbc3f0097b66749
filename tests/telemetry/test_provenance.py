"""Facts about a run that do not cost it time."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from swarm.telemetry import provenance


def test_git_is_asked_once_for_the_revision(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def run(command: list[str], **_: object) -> SimpleNamespace:
        asked.append(command)
        return SimpleNamespace(stdout="0123456789ab\n" if "rev-parse" in command else "")

    monkeypatch.setattr(subprocess, "run", run)
    provenance.revision.cache_clear()
    assert [provenance.revision(Path("here")) for _ in range(3)] == ["0123456789ab"] * 3
    assert len(asked) == 3                                   # tracked, commit, changes
    provenance.revision.cache_clear()
