"""Shards on a real Ray of two nodes on this machine, one of which is killed in mid-solve."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from swarm import cluster, ray_processes
from swarm.bench.planner.problems import drawn
from swarm.planner.refiner.process import RefinerProcess
from swarm.planner.shards.shard import Shard, solve
from swarm.planner.shards.sharded import MOST_WHOLE, Sharded, in_parallel, place_by_shards
from swarm.planner.solvers.place import Solution, choices
from tests.patience import HANG_S

pytestmark = [pytest.mark.long, pytest.mark.skipif(not cluster.available(), reason="ray is not installed")]

FOLDER = "SWARM_TEST_FOLDER"
PROBLEM = drawn(1, MOST_WHOLE + 1, 300)
NODE = {"num_cpus": 1, "object_store_memory": cluster.OBJECT_STORE_BYTES}


def solve_but_wait_on_one_node(shard: Shard) -> Solution:
    """On the node that will be killed it says that it has begun, and does not return."""
    import ray

    folder = Path(os.environ[FOLDER])
    if ray.get_runtime_context().get_node_id() == (folder / "killed").read_text():
        (folder / "begun").write_text("begun")
        threading.Event().wait()
    return solve(shard)


def solve_but_die_in_one(shard: Shard) -> Solution:
    if "r0" in shard.agents:
        os.kill(os.getpid(), signal.SIGKILL)
    return solve(shard)


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[tuple[Any, Any]]:
    """A cluster, and the one of its two nodes that is not its head."""
    from ray.cluster_utils import Cluster

    monkeypatch.setenv(FOLDER, str(tmp_path))
    monkeypatch.setenv("RAY_worker_niceness", "0")
    monkeypatch.setenv("PYTHONPATH", os.environ.get("PYTHONPATH", ""))
    ray_processes.prepare()
    both = Cluster(initialize_head=True, head_node_args={**NODE, "include_dashboard": False})
    other = both.add_node(**NODE)
    (tmp_path / "killed").write_text(other.node_id)
    os.mkfifo(tmp_path / "begun")
    yield both, other
    cluster.disconnect()
    both.shutdown()


def on_ray(function: Callable[[Shard], Solution]) -> Sharded:
    return place_by_shards(PROBLEM, [], lambda shards: cluster.map(function, shards, HANG_S), rounds=2)


def test_a_node_that_is_killed_in_mid_solve_costs_time_but_no_shard(nodes: tuple[Any, Any], tmp_path: Path) -> None:
    both, other = nodes
    assert cluster.connect(both.address) == ""
    expected = place_by_shards(PROBLEM, [], in_parallel(cluster.map, HANG_S), rounds=2)
    assert (expected.lost, expected.reason) == (0, "")
    found: list[Sharded] = []
    solving = threading.Thread(target=lambda: found.append(on_ray(solve_but_wait_on_one_node)), daemon=True)
    solving.start()
    assert (tmp_path / "begun").read_text() == "begun"      # waits until a shard is being solved there
    both.remove_node(other, allow_graceful=False)
    solving.join(HANG_S)
    (sharded,) = found
    assert (sharded.lost, sharded.reason) == (0, "")
    assert sharded.solution is not None
    assert expected.solution is not None
    assert choices(sharded.solution.placements) == choices(expected.solution.placements)


def test_a_shard_whose_processes_die_keeps_its_placements_and_that_is_told(nodes: tuple[Any, Any]) -> None:
    assert cluster.connect(nodes[0].address) == ""
    sharded = on_ray(solve_but_die_in_one)
    assert sharded.solution is not None
    assert (sharded.lost, sharded.solution.solver) == (2, f"{sharded.shards - 2} of {sharded.shards} shards")
    assert sharded.reason
    assert 0 < len(sharded.solution.placements) < len(PROBLEM.streams)


def test_the_refiner_joins_by_an_address_and_goes_on_without_one_of_the_nodes(nodes: tuple[Any, Any]) -> None:
    both, other = nodes
    refiner = RefinerProcess(both.address, seed=0, timeout_s=HANG_S / 2, niceness=0)
    try:
        assert refiner.connect() == ""
        first = refiner.refine(PROBLEM, [])
        assert first.solution is not None, first.reason
        assert (first.shards > 2, first.lost) == (True, 0)
        both.remove_node(other, allow_graceful=False)
        again = refiner.refine(PROBLEM, first.solution.placements)
        assert again.solution is not None, again.reason
        assert not again.ended
        assert len(again.solution.placements) == len(PROBLEM.streams)
    finally:
        refiner.close()
