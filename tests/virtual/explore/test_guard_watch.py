"""The explorer looks whether guarded requests are on time, and sees where they are not."""

from __future__ import annotations

import pytest

from agents.scheduling.guards import Guards
from swarm.virtual.explore.drawing import SMALL, drawn, resolved
from swarm.virtual.explore.explorer import explored
from swarm.virtual.explore.guard_watch import INVARIANT


def test_a_guard_that_never_fires_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Guards, "fire", lambda self, request, now: [])
    found = (explored(resolved(drawn(seed, SMALL))).broken for seed in range(200))
    broken = next(broken for broken in found if broken is not None)
    assert broken.invariant == INVARIANT
    assert "was guarded and is" in broken.found
