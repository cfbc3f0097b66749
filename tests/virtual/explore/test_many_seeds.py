"""Many seeds: in processes of this host, and on a Ray cluster."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from swarm import cluster
from swarm.cli.main import main
from swarm.cluster import Mapped
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


@pytest.mark.usefixtures("flights")
def test_a_cluster_explores_in_batches_and_a_seed_without_a_result_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    batches: list[int] = []

    def mapped(function: Callable[[Any], Any], items: Sequence[Any], timeout_s: float) -> Mapped[Any]:
        batches.append(len(items))
        values = {number: function(item) for number, item in enumerate(items) if item.seed not in (3, 65)}
        return Mapped(values, "a process was lost" if len(values) < len(items) else "")

    left: list[bool] = []
    monkeypatch.setattr(cluster, "connect", lambda address: "")
    monkeypatch.setattr(cluster, "map", mapped)
    monkeypatch.setattr(cluster, "disconnect", lambda: left.append(True))
    told: list[str] = []
    figures = explored(told.append, ray="10.0.0.1:6379")
    assert batches == [64, 6]
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
