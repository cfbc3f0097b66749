"""Figures of large teams: the growth by hand, and a whole bench over the fewest robots that are placed by shards."""

from __future__ import annotations

import json
from math import log

import pytest

from swarm.bench.planner.scale import growth_of
from swarm.cli.main import main
from swarm.planner.shards.sharded import MOST_WHOLE


def test_the_growth_is_told_as_an_exponent_and_beside_n_log_n() -> None:
    assert growth_of([(10, 1.0), (50, 3.0), (100, 10.0)]) == {"growth_exponent": 1.0, "growth_by_n_log_n": 0.5}
    assert growth_of([(10, 1.0), (100, 100.0)])["growth_exponent"] == 2.0
    assert growth_of([(100, 3.0 * 100 * log(100)), (400, 3.0 * 400 * log(400))])["growth_by_n_log_n"] == 1.0


@pytest.mark.long
def test_the_bench_of_a_large_team(capsys: pytest.CaptureFixture[str]) -> None:
    robots = str(MOST_WHOLE + 1)
    assert main(["bench", "planner", "--robots", robots, "--stages", robots, "--problems", "1", "--long-s", "0.5",
                 "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert (figures["feasible_ratio"], figures["shards"]) == (1.0, 4)
    assert 0.0 < figures["two_rounds_on_time"] <= 1.0
    assert figures["behind_unsharded_percent"] <= 5.0
    assert [one["robots"] for one in figures["growth"]] == [75, 150, 301]
