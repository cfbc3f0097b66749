"""A policy of a user's, with an error."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from swarm import plugins
from swarm.core.policy import policies

POLICY = '''"""Raises at its third call."""

from swarm.core.policy.policies import Policy

calls = []


def route(situation):
    calls.append(1)
    if len(calls) >= 3:
        raise ZeroDivisionError("third")


POLICY = Policy(route)
'''


@pytest.fixture
def plug_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A policy, `raising`."""
    path = tmp_path / "plug" / "policies" / "raising.py"
    path.parent.mkdir(parents=True)
    path.write_text(POLICY)
    monkeypatch.setenv(plugins.VARIABLE, str(tmp_path / "plug"))
    monkeypatch.setattr(policies, "__path__", plugins.extended(policies.__path__, "policies"))
    yield path
    sys.modules.pop(f"{policies.__name__}.raising", None)
    vars(policies).pop("raising", None)
