"""Fifty small explorations: no invariant is broken."""

from __future__ import annotations

import pytest

from swarm.virtual.explore.drawing import SMALL, drawn, resolved
from swarm.virtual.explore.explorer import explored


@pytest.mark.parametrize("first", [0, pytest.param(25, marks=pytest.mark.long)])
def test_no_invariant_is_broken(first: int) -> None:
    flown = [explored(resolved(drawn(seed, SMALL))) for seed in range(first, first + 25)]
    assert [(run.seed, run.broken) for run in flown if run.broken is not None] == []
    assert sum(run.requests for run in flown) > 150
    assert sum(run.guarded for run in flown) > 0, "no promise was looked at"
