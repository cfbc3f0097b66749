"""The planted runs are told rightly, and a wrong figure is noticed."""

from __future__ import annotations

import pytest

from swarm.bench.figures import bench
from swarm.bench.figures.scene import collect
from swarm.bench.figures.scenes import SCENES, late_and_failed, restarted
from swarm.bench.figures.trials import Cell
from swarm.bench.figures.truth import differences, quantile, truth, wilson


def test_every_key_of_every_scene_is_true() -> None:
    found = bench.compare(lambda text: None)
    assert found["wrong_in"] == {}
    assert found["keys"] >= 40
    assert found["scenes"] == len({make().name for make in SCENES}) >= 12


@pytest.mark.parametrize(("path", "value"), [
    (("latency_ms", "p95_all"), 1.0), (("on_time_ratio",), 0.99), (("faults", 0, "recover_s"), 1.0),
    (("agents", "rover_1", "submitted"), 3), (("faults",), []), (("faults", 0, "before", "interval"), None),
])
def test_a_wrong_figure_is_noticed(path: tuple[str | int, ...], value: object) -> None:
    scene = restarted()
    said = collect(scene)
    inner = said
    for part in path[:-1]:
        inner = inner[part]                              # pyright: ignore[reportArgumentType]
    inner[path[-1]] = value                              # pyright: ignore[reportArgumentType]
    assert any(key.startswith(".".join(map(str, path))) for key in differences(said, truth(scene)))


def test_a_scene_whose_fate_is_another_differs() -> None:
    scene = late_and_failed()
    said = collect(scene)
    scene.frames[1].ending = "late"
    assert {"on_time_ratio", "requests.late", "streams.detect.requests.late"} & set(differences(said, truth(scene)))


def test_the_truth_is_that_of_the_tables() -> None:
    assert quantile(range(1, 21), 0.5) == (10.5, (6.0, 15.0))
    assert quantile(range(71), 0.95) == (None, None)
    assert wilson(8, 10) == pytest.approx((0.490162, 0.943318), abs=1e-6)


@pytest.mark.parametrize(("kind", "rate_hz", "found", "right", "holds"), [
    ("none", 10, 5, 95, True), ("bursts", 10, 6, 94, False), ("for_a_while", 10, 95, 80, True),
    ("for_a_while", 55, 95, 80, False), ("for_a_while", 10, 94, 90, False), ("lasting", 55, 100, 94, False),
])
def test_a_cell_holds_by_what_is_asked(kind: str, rate_hz: int, found: int, right: int, holds: bool) -> None:
    cell = Cell(rate_hz=rate_hz, share=0.9, kind=kind, trials=100, found=found, right=right,   # pyright: ignore
                too_few=0)
    assert cell.holds is holds
