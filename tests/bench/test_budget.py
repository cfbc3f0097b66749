"""What `swarm bench budget` calls within the budget."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from agents.ports import MemoryEnd, Part
from swarm.bench.budget import side
from swarm.bench.budget.bench import Figures, within

GOOD = Figures(
    host="shared", seconds=20.0, budget_mb=256, models=38, models_mb=610.0, models_over_budget=2.4, loaded_at_start=4,
    rss_mb_max=218.8, urgent=100, urgent_on_time=1.0, urgent_on_time_spare=1.0, urgent_p95_ms=2.6,
    urgent_p95_ms_spare=1.8, others_on_time=0.9, others_on_time_spare=1.0, urgent_failed_by={},
    urgent_failed_by_spare={}, others_failed_by={}, loads=8, unloads=4, longest_load_s=0.1, cycles=20, leak_mb=0.0,
    cycles_failed=0, within=False)


@pytest.mark.parametrize(("change", "good"), [
    ({}, True), ({"rss_mb_max": 270.0}, False), ({"urgent_on_time": 0.98}, False), ({"leak_mb": 2.1}, False),
    ({"loads": 0}, False), ({"others_on_time": 0.4}, False), ({"cycles_failed": 1}, False),
    ({"others_on_time": 0.0, "others_on_time_spare": 0.0}, False),
])
def test_an_agent_that_loads_nothing_or_serves_nobody_else_is_not_within(change: dict[str, Any], good: bool) -> None:
    assert within(msgspec.structs.replace(GOOD, **change)) is good


def test_a_load_that_fails_is_no_cycle(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[side.Cycled] = []
    monkeypatch.setattr(side, "send_to_parent", sent.append)
    agent = side.Side.__new__(side.Side)
    agent._loads_left, agent._rss_bytes, agent._failed = 2, [], 0
    agent._rig = SimpleNamespace(runner=SimpleNamespace(load=lambda part: None))     # pyright: ignore
    agent._part = part = Part("m", "v")
    for end in (MemoryEnd(part=part, present=False, rss_bytes=9, failed=True),
                MemoryEnd(part=part, present=False, rss_bytes=5)):
        agent._cycle(end)
    assert sent == [side.Cycled([5], 1)]
