"""The bench of the statistics: its planted truth is true, it flies as experiments do, and it notices what is wrong."""

from __future__ import annotations

import json

import numpy as np
import pytest

from swarm.bench.statistics import bench, trials
from swarm.bench.statistics.planted import Planted, distributions, requests, two_valued
from swarm.bench.statistics.references import bootstrap, student
from swarm.bench.statistics.trials import BARS, Row, flown, interval_rows, row
from swarm.cli.main import main
from swarm.experiments.statistics.comparison import compare, more_seeds
from swarm.experiments.statistics.signed_ranks import estimate
from swarm.experiments.statistics.stopping import StopWhen

NAMES = ["normal", "skewed", "heavy_tailed", "correlated"]


def test_rows_repeat_and_every_truth_has_every_number_of_seeds(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "statistics", "--trials", "100", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == json.loads(json.dumps(bench.measure(100, bench.SEED, lambda text: None)))
    for figure, of in (("coverage", "difference"), ("false_positive", "A/A"), ("false_positive", "family, all alike"),
                       ("false_positive", "family, half alike"), ("power", "planned for 80 %")):
        assert [(r["truth"], r["seeds"]) for r in told[figure] if r["of"] == of] == [
            (name, n) for name in NAMES for n in (6, 10, 20)]
        assert all(0 <= r[figure] <= 1 and r["error"] < 0.5 for r in told[figure])
    assert [r["truth"] for r in told["false_positive"] if r["of"] == "stop_when"] == [*NAMES, "two_valued"]
    assert told["met"] is all(r["met"] for figure in BARS for r in told[figure])
    text = bench.as_text(told)
    assert "requests pooled" in text
    assert text.count("stop_when  ") >= 9


@pytest.mark.parametrize(("figure", "value", "foretold", "met"), [
    ("coverage", 0.95, None, True), ("coverage", 0.929, None, False), ("coverage", 0.996, None, False),
    ("false_positive", 0.06, None, True), ("false_positive", 0.061, None, False), ("false_positive", 0.0, None, True),
    ("power", 0.80, 0.86, True), ("power", 0.80, 0.88, False), ("power", 0.90, 0.82, False),
])
def test_a_row_is_met_by_its_bar(figure: trials.Figure, value: float, foretold: float | None, met: bool) -> None:
    one = Row(figure=figure, of="", truth="", seeds=6, value=value, error=0.0, trials=1, foretold=foretold)
    assert one.met is met


@pytest.mark.parametrize("planted", distributions(), ids=NAMES)
def test_the_planted_pseudo_median_is_the_true_one(planted: Planted) -> None:
    rng = np.random.default_rng(8)
    pairs = planted.differences(rng, (20_000, 2)).mean(axis=-1)
    below = float(np.mean(pairs < 0.0))
    assert below == pytest.approx(0.5, abs=0.012)                # 3.4 standard errors
    assert np.mean(pairs + 0.1 * planted.effect < 0.0) < below - 0.012
    if planted.own is not None:
        assert np.mean(planted.a(rng, (20_000, 2)).mean(axis=-1) < planted.own) == pytest.approx(0.5, abs=0.012)
    assert np.mean(planted.alike(rng, (20_000, 1)) < 0.0) == pytest.approx(0.5, abs=0.012)


def test_the_mean_of_the_skewed_differences_is_where_the_references_look_for_it() -> None:
    skewed = distributions()[1]
    assert skewed.differences(np.random.default_rng(9), (40_000,)).mean() == pytest.approx(skewed.mean, abs=0.07)
    assert skewed.mean > 0.5


def test_requests_of_one_run_are_correlated_and_those_of_two_are_not() -> None:
    drawn = np.log(requests(np.random.default_rng(10), (4000,)))
    first, near, far, other = drawn[:, 0], drawn[:, 1], drawn[:, 60], np.roll(drawn[:, 0], 1)
    of = [float(np.corrcoef(first, second)[0, 1]) for second in (near, far, other)]
    assert of == pytest.approx([(0.36 + 0.8) / 1.36, 0.36 / 1.36, 0.0], abs=0.05)


def test_experiments_are_flown_as_the_rule_says() -> None:
    rule = StopWhen(half_width=1.2, first=8, batch=3, most=20)
    differences = np.random.default_rng(11).normal(0.3, 1.5, (40, rule.most))
    found, p, seeds = flown(differences, rule, rule.alpha)
    flights = []
    for one in differences:
        n = rule.first
        while more := more_seeds([compare(one[:n], np.zeros(n), "higher", rule)], rule):
            n += more
        flights.append(compare(one[:n], np.zeros(n), "higher", rule))
    assert len({flight.n for flight in flights}) > 2
    assert seeds == np.mean([flight.n for flight in flights])
    assert rule.adjusted(p).tolist() == [flight.p for flight in flights]
    assert list(zip(found.low, found.high, strict=True)) == [flight.interval for flight in flights]


def test_intervals_that_are_too_narrow_do_not_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trials, "estimate", lambda values: estimate(values, 0.2))
    rows = list(interval_rows(distributions()[0], 2000, np.random.default_rng(12)))
    assert [r.met for r in rows if r.figure == "coverage"] == [False] * 6
    assert all(r.met for r in rows if r.figure == "false_positive")


def test_a_share_has_its_standard_error() -> None:
    one = row("coverage", "difference", "normal", 6, np.array([True] * 90 + [False] * 10))
    assert (one.value, one.error, one.trials) == (0.9, pytest.approx(0.03), 100)


def test_the_references_are_those_of_the_books() -> None:
    """Student's own data, extra hours of sleep: mean 1.58, 95 % interval from 0.700 to 2.460."""
    sleep = np.array([[1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4]])
    assert [float(x[0]) for x in student(sleep)] == pytest.approx([1.58, 0.7001, 2.4599], abs=1e-4)
    low, high = (float(x[0]) for x in bootstrap(sleep, np.random.default_rng(13))[1:])
    assert 0.8 < low < 1.1
    assert 2.0 < high < 2.5


def test_two_values_flip_between_two_placements() -> None:
    drawn = two_valued(np.random.default_rng(14), (10_000,))
    assert np.all(np.abs(np.abs(drawn) - 1.0) < 0.2)
    assert abs(np.mean(drawn > 0) - 0.5) < 0.02


@pytest.mark.parametrize(("words", "says"), [
    (["--trials", "99"], "--trials: 99; from 100 to 1000000"), (["--seed", "-1"], "--seed: -1 is too small"),
])
def test_wrong_options_are_told_in_one_line(words: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "statistics", *words]) == 2
    assert says in capsys.readouterr().err
