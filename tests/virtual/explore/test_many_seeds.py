"""Many seeds: in processes of this host, and on a Ray cluster."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic

import pytest

from swarm import cluster
from swarm.cli.main import main
from swarm.cluster import Failed, K, R, T
from swarm.core.settings.errors import BadInput
from swarm.virtual.explore import seeds
from swarm.virtual.explore.explorer import Flown

SEEDS = range(70)


@pytest.fixture
def flights(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs that are not flown: of every seed that is a multiple of 20 an invariant is broken."""
    monkeypatch.setattr(seeds, "one", lambda seed: (
        Flown(seed.seed, 10, 2, 1.5, 1), None if seed.seed % 20 else {"seed": seed.seed}))


def explored(progress: Callable[[str], None] = lambda text: None, **how: Any) -> dict[str, Any]:
    return seeds.explore(SEEDS, None, small=True, jobs=1, progress=progress, **how)


class Calls(Generic[K, T, R]):
    """A cluster that calls at once, and loses two seeds."""

    most = 0

    def __init__(self, function: Callable[[Any], Any], repeats: int) -> None:
        self._function = function
        self._ended: list[tuple[int, Any]] = []

    def __len__(self) -> int:
        return len(self._ended)

    def start(self, key: int, item: Any) -> None:
        lost = key in (3, 65)
        self._ended.append((key, Failed("a process was lost", lost=True) if lost else self._function(item)))
        Calls.most = max(Calls.most, len(self))

    def ended(self, timeout_s: float | None) -> list[tuple[int, Any]]:
        return [self._ended.pop()]


@pytest.mark.usefixtures("flights")
def test_a_cluster_explores_a_few_seeds_ahead_and_a_seed_without_a_result_is_told(
    monkeypatch: pytest.MonkeyPatch
) -> None:
    left: list[bool] = []
    monkeypatch.setattr(cluster, "connect", lambda *_: "")
    monkeypatch.setattr(cluster, "cpus", lambda: 3)
    monkeypatch.setattr(cluster, "Calls", Calls)
    monkeypatch.setattr(cluster, "disconnect", lambda: left.append(True))
    told: list[str] = []
    figures = explored(told.append, ray="10.0.0.1:6379")
    assert Calls.most == 3 * seeds.AHEAD
    assert (figures["seeds"], figures["events"], figures["requests"]) == (68, 680, 136)
    assert figures["unexplored"] == {"a process was lost": 2}
    assert [finding["seed"] for finding in figures["findings"]] == [0, 20, 40, 60]
    assert told[-1] == "68 seeds, 680 events, 4 broken"
    assert left == [True]


def test_a_cluster_that_does_not_answer_is_bad_input(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(BadInput, match=r"--ray 127\.0\.0\.1:1"):
        explored(ray="127.0.0.1:1")
    assert main(["explore", "--seeds", "1", "--ray", "127.0.0.1:1"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("swarm: --ray 127.0.0.1:1")
    assert said.count("\n") == 1


def _without_time(figures: dict[str, Any]) -> dict[str, Any]:
    return {key: figures[key] for key in ("seeds", "events", "requests", "findings", "unexplored")}


@pytest.mark.long
@pytest.mark.skipif(not cluster.available(), reason="ray is not installed")
def test_the_same_seeds_give_the_same_on_ray_and_in_processes() -> None:
    figures = [seeds.explore(range(4), None, small=True, jobs=2, ray=ray, progress=lambda text: None)
               for ray in ("none", "local")]
    assert _without_time(figures[0]) == _without_time(figures[1])
    assert figures[0]["seeds"] == 4
