"""The portfolio without Ray, and once with the real one."""

from __future__ import annotations

import os
import signal

import psutil
import pytest

from swarm import cluster
from swarm.planner.portfolio import Portfolio, attempt, attempts
from swarm.planner.solvers import place
from tests.planner.builders import scattered


def whose(_: int) -> int:
    """The process that ran this."""
    return os.getpid()


def test_without_ray_the_plan_at_hand_stands_and_that_is_counted() -> None:
    portfolio = Portfolio()
    assert portfolio.solve(scattered(1, 3, 5), []) is None
    assert portfolio.statistics().failed == 1
    assert portfolio.statistics().reason == "ray is not up"


def test_a_cluster_that_does_not_answer_is_a_reason_not_an_error() -> None:
    assert "127.0.0.1:1" in cluster.connect("127.0.0.1:1")


def test_a_portfolio_is_never_worse_than_its_first_search() -> None:
    problem = scattered(3, 8, 14)
    costs = [attempt(a).cost for a in attempts(problem, [], seed=0, count=4)]
    assert min(costs) <= place(problem).cost + 1e-9


@pytest.mark.skipif(not cluster.available(), reason="ray is not installed")
def test_ray_runs_portfolios_in_our_session_and_survives_the_loss_of_a_process() -> None:
    try:
        assert cluster.connect() == ""
        problem = scattered(3, 6, 10)
        solution = Portfolio(timeout_s=30.0).solve(problem, [])
        assert solution is not None
        assert solution.cost <= place(problem).cost + 1e-9
        pids = set(cluster.map(whose, [0, 1], 10.0).values.values())
        assert pids
        assert os.getpid() not in pids
        below = psutil.Process().children(recursive=True)
        assert pids <= {p.pid for p in below}
        assert all(os.getsid(p.pid) == os.getsid(0) for p in below if p.status() != psutil.STATUS_ZOMBIE)
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        assert Portfolio(timeout_s=30.0).solve(problem, []) is not None
    finally:
        assert cluster.disconnect()
    assert not cluster.connected()
    assert Portfolio().solve(problem, []) is None
