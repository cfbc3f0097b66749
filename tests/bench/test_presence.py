"""The bench of presence, with few agents and little time."""

from __future__ import annotations

import pytest

from swarm.bench.presence import bench as presence
from swarm.bench.presence.band import Band, BandError
from tests.patience import HANG_S


def test_losses_returns_and_traffic_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presence, "SETTLED_S", 0.5)
    told: list[str] = []
    figures = presence.measure(0.5, (3, 4), rounds=1, counted_s=2.1, progress=told.append)
    assert figures.killed_lost_s[0] > 0.1
    assert figures.stopped_lost_s[0] > 0.1
    assert figures.back_s[0] > 0.0
    assert figures.control_bytes_per_s.keys() == {"3", "4"}
    assert figures.control_bytes_per_s["3"] > 0
    assert figures.control_ratio == pytest.approx(
        figures.control_bytes_per_s["4"] / figures.control_bytes_per_s["3"], rel=0.01)
    assert any("round 1 of 1" in line for line in told)


def test_an_agent_that_ends_by_itself_ends_the_bench() -> None:
    with Band(1) as band:
        band._agents["agent_0"].kill()
        with pytest.raises(BandError, match="agent_0 ended"):
            band.wait(HANG_S)
