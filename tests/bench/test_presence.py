"""The bench of presence: its figures from a made-up band, and few real agents for little time."""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

import pytest

from swarm.bench.presence import bench as presence
from swarm.bench.presence.band import Band, BandError
from swarm.core.protocol.messages import InjectedFaults
from swarm.core.units import ns
from tests.patience import HANG_S

STOPPED_S, BACK_S = 0.6, 0.2


class MadeUp:
    """A band with time of its own: each agent sends 100 bytes per second for each of them, and one loss is false."""

    reported = Band.reported
    killed_s = 0.7

    def __init__(self, size: int) -> None:
        self.names = [f"agent_{i}" for i in range(size)]
        self.clock = SimpleNamespace(now_ns=lambda: self._now)
        self.changes: list[tuple[int, str, str, str]] = []
        self.reports: dict[str, collections.deque[tuple[int, Any]]] = {name: collections.deque() for name in self.names}
        self._now = self._sent = 0
        self._lossy = False

    def __enter__(self) -> MadeUp:
        return self

    def __exit__(self, *_: object) -> None: ...

    def wait(self, for_s: float) -> None:
        if self._lossy:
            self._tell("peer_lost", "agent_1", 0.1)
            self.changes = self.changes[:-len(self.names) + 2]               # by one of them
        for _ in range(2):
            self._now += ns(for_s / 2)
            self._sent += round(for_s / 2 * 100 * len(self.names))
            for reports in self.reports.values():
                reports.append((self._now, SimpleNamespace(control_bytes=self._sent)))

    def until(self, condition: Callable[[], bool]) -> None:
        assert condition()

    def _tell(self, what: str, of: str, after_s: float) -> int:
        self.changes += [(self._now + ns(after_s), name, what, of) for name in self.names if name != of]
        return self._now

    def stop(self, name: str) -> int:
        return self._tell("peer_lost", name, STOPPED_S)

    def resume(self, name: str) -> int:
        self._now += ns(STOPPED_S)
        return self._tell("peer_back", name, BACK_S)

    def kill(self, name: str) -> int:
        return self._tell("peer_lost", name, self.killed_s)

    def start(self, name: str) -> None:
        self._now += ns(self.killed_s)

    def is_ready(self, name: str) -> bool:
        return name in self.names

    def inject(self, names: Iterable[str], faults: InjectedFaults) -> None:
        assert list(names) == self.names
        self._lossy = faults.lose > 0.0


@pytest.mark.parametrize(("killed_s", "within"), [(0.75, True), (0.76, False)])
def test_the_figures_are_those_of_the_slowest_member_and_of_the_median_agent(
    killed_s: float, within: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "Band", MadeUp)
    monkeypatch.setattr(MadeUp, "killed_s", killed_s)
    told: list[str] = []
    figures = presence.measure(60.0, (3, 4), rounds=2, counted_s=20.0, progress=told.append)
    assert (figures.killed_lost_s, figures.stopped_lost_s, figures.back_s) == (
        [killed_s] * 2, [STOPPED_S] * 2, [BACK_S] * 2)
    assert figures.within_three_heartbeats is within
    assert figures.control_bytes_per_s == {"3": 300.0, "4": 400.0}
    assert figures.control_ratio == 1.333
    assert (figures.agents, figures.false_losses, figures.lossy_s) == (3, 1, 60.0)
    assert "round 2 of 2" in " ".join(told)


@pytest.mark.long
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
