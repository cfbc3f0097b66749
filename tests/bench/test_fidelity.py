"""Virtual and real time are compared seed by seed, and a run that the host overloaded is made again."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from swarm.bench.fidelity import bench
from swarm.bench.fidelity.agreement import BARS, Figures, Pair, agreements
from swarm.cli.main import main
from swarm.core.settings.errors import BadInput
from swarm.launcher.load import load_launch
from swarm.run.settings.resolve import Options

REAL = Figures(on_time_ratio=0.9, p50_ms=100.0, p95_ms=200.0, offload_share=0.3, headline=0.2)


def pairs(name: str, *apart: float) -> list[Pair]:
    """Pairs that differ in one figure."""
    return [Pair(seed=k, real=REAL, virtual=Figures(**{
        field: getattr(REAL, field) + (by if field == name else 0.0) for field in BARS})) for k, by in enumerate(apart)]


@pytest.mark.parametrize(("name", "within", "beyond"), [
    ("on_time_ratio", 0.029, 0.031), ("p50_ms", -9.9, 10.1), ("p95_ms", 29.9, -30.1), ("offload_share", -0.049, 0.051),
    ("headline", 0.0199, -0.0201)])
def test_each_figure_has_its_bar(name: str, within: float, beyond: float) -> None:
    assert all(one.holds for one in agreements(pairs(name, within, within)).values())
    broken = agreements(pairs(name, beyond, beyond))
    assert [field for field, one in broken.items() if not one.holds] == [name]
    assert agreements(pairs(name, -beyond, beyond))[name].holds                # means are compared
    assert agreements([]) == {}


def test_a_headline_may_differ_by_chance_and_no_other_figure_may() -> None:
    by_chance = agreements(pairs("headline", 0.2, -0.1, 0.01))["headline"]
    assert by_chance.holds
    assert by_chance.difference == pytest.approx(0.11 / 3 / 0.2, abs=1e-3)
    low, high = by_chance.interval or (0.0, 0.0)
    assert low < 0.0 < high
    assert (low + high) / 2 == pytest.approx(by_chance.difference, abs=1e-3)
    assert (high - low) / 2 == pytest.approx(4.3027 * np.std([1.0, -0.5, 0.05], ddof=1) / 3 ** 0.5, rel=1e-3)
    assert not agreements(pairs("headline", 0.1))["headline"].holds            # one pair bears no interval
    assert not agreements(pairs("p50_ms", 60.0, -30.0, 30.0))["p50_ms"].holds


def test_the_words_of_a_cell_are_a_valid_launch() -> None:
    shipped = load_launch(Options(launch="raspberry_pis")).launch
    double = bench.Cell(policy="local", load="double", links=False).words(shipped)
    changed = load_launch(Options(launch="raspberry_pis", assignments=double[double.index("--set") + 1::2])).launch
    assert [s.rate_hz for s in changed.streams] == [2.0 * s.rate_hz for s in shipped.streams]
    narrow = bench.Cell(policy="local", load="normal", links=True).words(shipped)
    assert narrow[-1] == ('links={"rover:rover": {"rate_mbps": 10, "delay_ms": 20, "loss": 0.02}, "rover:carrier": '
                          '{"rate_mbps": 10, "delay_ms": 20, "loss": 0.02}, "carrier:carrier": '
                          '{"rate_mbps": 10, "delay_ms": 20, "loss": 0.02}}')


def test_the_figures_of_a_run_are_those_of_its_folder() -> None:
    requests = {"latency_ms": np.array([10.0, 20.0, 30.0, 900.0, np.nan]),
                "ending": np.array(["completed", "completed", "completed", "late", "failed"], object)}
    summary = {"on_time_ratio": 0.6, "offload": {"share": 0.25}, "mission": {"headline": "found", "found": 3.0}}
    assert bench.figures(summary, requests) == Figures(
        on_time_ratio=0.6, p50_ms=20.0, p95_ms=29.0, offload_share=0.25, headline=3.0)


class Fleet:
    """Runs that were never made. overloaded: how many runs in real time of each cell's seed 1 the host overloads."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, overloaded: int) -> None:
        self.flown: list[tuple[str, str, str]] = []
        self._overloaded = overloaded
        monkeypatch.setattr(bench, "launch", self._launch)
        monkeypatch.setattr(bench.table, "read", lambda path: {
            "latency_ms": np.array([10.0]), "ending": np.array(["completed"], object)})
        monkeypatch.setattr(bench.psutil, "cpu_percent", lambda interval: 4.0)
        monkeypatch.setattr(bench, "end_with_sigterm", lambda: None)

    def _launch(self, words: Sequence[str], out: Path) -> dict[str, Any]:
        of = {words[k]: words[k + 1] for k in range(1, len(words), 2)}
        flight = of["--policy"], of["--clock"], of["--seed"]
        over = flight[1:] == ("real", "1") and self.flown.count(flight) < self._overloaded
        self.flown.append(flight)
        return {"host_overloaded": over, "on_time_ratio": 0.5, "offload": {"share": 0.1},
                "mission": {"headline": "found", "found": 2}}


def run(*words: str) -> tuple[dict[str, Any], list[str]]:
    parser, told = argparse.ArgumentParser(), list[str]()
    bench.arguments(parser)
    return bench.run(parser.parse_args(words), told.append), told


def test_a_run_of_an_overloaded_host_is_made_again_and_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "LOADS", {"normal": 1.0})
    fleet = Fleet(monkeypatch, overloaded=2)
    made, told = run("--seeds", "2", "--repeats", "3")
    assert fleet.flown == [(policy, clock, seed) for policy in ("local", "planner") for clock, seed in (
        ("real", "1"), ("real", "1"), ("real", "1"), ("virtual", "1"), ("real", "2"), ("virtual", "2"))]
    assert told[:2] == ["local, normal load, seed 1: real time", "local, normal load, seed 1: real time, try 2"]
    assert (made["host"], made["holds"]) == ("quiet", True)
    assert [(row["overloaded"], len(row["pairs"]), row["holds"]) for row in made["rows"]] == [(2, 2, True)] * 2
    text = bench.as_text(made)
    assert text.startswith("host: quiet\nlocal, normal load: 2 runs of an overloaded host do not count\n")
    assert "FAILS" not in text


def test_a_cell_without_a_run_that_counts_does_not_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    Fleet(monkeypatch, overloaded=9)
    monkeypatch.setattr(bench.psutil, "cpu_percent", lambda interval: 44.0)
    made, _ = run("--seeds", "1", "--repeats", "2", "--links")
    assert [(row["cell"]["policy"], row["cell"]["load"], row["cell"]["links"]) for row in made["rows"]] == [
        (policy, load, links) for links in (False, True) for load in ("normal", "double")
        for policy in ("local", "planner")]
    assert [(row["overloaded"], row["holds"]) for row in made["rows"]] == [(2, None)] * 8
    assert (made["host"], made["busy"], made["holds"]) == ("shared", 0.44, False)


@pytest.mark.parametrize("words", [["--seeds", "0"], ["--duration", "1"], ["--repeats", "0"]])
def test_odd_words(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(BadInput, match=words[0]):
        run(*words)
    assert main(["bench", "fidelity", *words]) == 2
    assert capsys.readouterr().err.startswith(f"swarm: {words[0]}: ")
