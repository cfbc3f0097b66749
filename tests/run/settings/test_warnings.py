"""The estimate of a run's load, by hand, and what is said of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from models import store
from swarm.launcher import load as launches
from swarm.launcher.load import load_launch
from swarm.run.settings.resolve import Options, Resolved
from swarm.run.settings.warnings import load_of, warnings_of
from tests.launcher.world import write_launch

RUN_S = {"detector": 0.002}


def resolved(folder: Path, *assignments: str, robots: int | None = None) -> Resolved:
    return load_launch(Options(launch=str(write_launch(folder)), assignments=list(assignments), robots=robots))


def test_the_load_is_the_sum_of_its_parts(tmp_path: Path) -> None:
    # 3 robots, 5 observations a second each; 2 detect at 5 Hz and patrol at 1 Hz, 1 detects at 5 Hz
    load = load_of(resolved(tmp_path), RUN_S)
    world = 3 * 5 * (0.0047 + 0.00025) + 3 * 2.5e-4
    assert load.world == pytest.approx(world)
    assert load.all == pytest.approx(world + 3 * (0.025 + 5 * 0.0008) + (2 * 6 + 5) * 0.002 + 0.05)


def test_an_emulated_board_takes_no_more_of_a_core_than_its_speed(tmp_path: Path) -> None:
    run = resolved(tmp_path)
    slow = load_of(run, {"detector": 1.0}).all - load_of(run, {"detector": 0.0}).all
    assert slow == pytest.approx(2 * 0.288 + 0.214)          # the speeds of orin_nano and agx_orin


def test_dynamic_robots_and_ray_cost_extra(tmp_path: Path) -> None:
    plain = load_of(resolved(tmp_path), RUN_S)
    dynamic = load_of(resolved(tmp_path, "fleet.0.physics=dynamic"), RUN_S)
    assert dynamic.world - plain.world == pytest.approx(2 * 0.01 - 2 * 2.5e-4)
    planned = load_of(resolved(tmp_path, "policy=planner"), RUN_S)
    assert planned.all - plain.all == pytest.approx(0.16)


def test_a_small_run_is_not_warned_of(tmp_path: Path) -> None:
    assert warnings_of(resolved(tmp_path), RUN_S, cores=2) == []


def test_virtual_time_cannot_overload_a_host(tmp_path: Path) -> None:
    assert warnings_of(resolved(tmp_path, "clock=virtual", robots=40), RUN_S, cores=64) == []


def test_a_world_or_a_host_beyond_its_cores_is_warned_of(tmp_path: Path) -> None:
    (line,) = warnings_of(resolved(tmp_path, robots=40), RUN_S, cores=64)
    assert line.startswith("the world will probably not keep up: it needs about 1.0 of its one core")
    (line,) = warnings_of(resolved(tmp_path, "streams.0.rate_hz=240", "streams.1.rate_hz=120"), RUN_S, cores=64)
    assert line.startswith("the world will probably not keep up")
    (line,) = warnings_of(resolved(tmp_path, robots=16), RUN_S, cores=1)
    assert line.startswith("this host will probably not keep up: the run needs about 1.")


@pytest.mark.parametrize(("rate", "told"), [
    ("4.9", True), ("4.7", True), ("3", False), ("0.3", False), ("2.5", False), ("1", False), ("5", False),
    ("0.001", False)])
def test_frames_at_unequal_intervals_are_told(tmp_path: Path, rate: str, told: bool) -> None:
    lines = warnings_of(resolved(tmp_path, f"streams.1.rate_hz={rate}"), RUN_S, cores=64)
    assert [line.startswith(f"streams[1].rate_hz: {rate} Hz of a camera with 5 Hz") for line in lines] == [True] * told


def test_the_load_is_that_of_the_variants_that_may_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Mapping[str, float]] = []
    monkeypatch.setattr(launches, "warnings_of", lambda resolved, run_s, cores: seen.append(run_s))
    for words in ([], ["variants={detector: [fp32]}"]):
        launches.warnings(resolved(tmp_path, *words))
    variants = store.load_card("detector").variants
    assert [run_s["detector"] * 1e3 for run_s in seen] == pytest.approx(
        [variants[key].run_time.p50_ms for key in ("int8", "fp32")], rel=0.05)       # one form or the other


@pytest.mark.parametrize(("given", "words"), [
    ("randomise.mass=0.2", []), ("randomise.light=0.2", ["no pictures"]),
    ("randomise={friction: [0.5, 1], colour: 0.2}", ["no pictures"]),
])
def test_what_is_randomised_in_vain_is_told(given: str, words: list[str], tmp_path: Path) -> None:
    lines = warnings_of(resolved(tmp_path, "clock=virtual", "fleet.*.physics=dynamic", given), RUN_S, cores=64)
    assert [word for word, line in zip(words, lines, strict=True) if word not in line] == []
    lines = warnings_of(resolved(tmp_path, "clock=virtual", "fleet.*.physics=kinematic", "randomise.mass=0.2"), RUN_S,
                        cores=64)
    assert [line for line in lines if "kinematic robots have neither mass nor friction" not in line] == []
