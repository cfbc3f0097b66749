"""Small explorations: no invariant is broken."""

from __future__ import annotations

import pytest

from swarm.virtual.explore.drawing import SMALL, drawn, resolved
from swarm.virtual.explore.explorer import explored


@pytest.mark.parametrize("seeds", [range(10), pytest.param(range(10, 50), marks=pytest.mark.long)], ids=str)
def test_no_invariant_is_broken(seeds: range) -> None:
    flown = [explored(resolved(drawn(seed, SMALL))) for seed in seeds]
    assert [(run.seed, run.broken) for run in flown if run.broken is not None] == []
    assert sum(run.requests for run in flown) > 6 * len(seeds)
    assert sum(run.guarded for run in flown) > 0, "no promise was looked at"
