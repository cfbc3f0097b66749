"""Workers as real processes: one that is killed is told and replaced, and none outlives its coordinator."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from swarm.experiments.workers.flight import Flown, Task
from swarm.experiments.workers.local import LocalWorkers, Lost
from swarm.launcher.supervisor import members
from tests.launcher.world import wait_until
from tests.patience import HANG_S

ANY: Any = None                      # a launch that nobody flies


def flight(task: Task) -> Flown:
    """In a worker: tell the process, or end it, or never come back."""
    if task.command == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if task.command == "hang":
        signal.pause()
    return Flown(id=task.id, took_s=0.0, files={"pid": str(os.getpid()).encode()})


def task(id: str, command: str = "") -> Task:
    return Task(id=id, resolved=ANY, command=command)


@contextmanager
def working(jobs: int) -> Iterator[LocalWorkers]:
    workers = LocalWorkers(jobs, flight)
    try:
        yield workers
    finally:
        workers.close()


def ended(workers: LocalWorkers, count: int) -> list[Flown | Lost]:
    found: list[Flown | Lost] = []
    wait_until(lambda: found.extend(workers.ended(1.0)) or len(found) >= count)
    return found


def test_points_are_flown_side_by_side_and_workers_are_used_again() -> None:
    with working(2) as workers:
        pids = set()
        for k in range(2):
            assert workers.free == 2
            workers.start(task(f"a{k}"))
            workers.start(task(f"b{k}"))
            assert workers.free == 0
            found = ended(workers, 2)
            assert {one.id for one in found} == {f"a{k}", f"b{k}"}
            pids |= {one.files["pid"] for one in found if isinstance(one, Flown)}
        assert len(pids) == 2
        assert str(os.getpid()).encode() not in pids


def test_a_worker_that_is_killed_is_told_and_replaced() -> None:
    with working(1) as workers:
        workers.start(task("a", "die"))
        lost, = ended(workers, 1)
        assert lost == Lost("a", "its process ended with -9")
        assert workers.free == 1
        workers.start(task("b"))
        assert [one.id for one in ended(workers, 1)] == ["b"]


def test_an_idle_worker_that_is_killed_is_found_by_the_next_point() -> None:
    with working(1) as workers:
        process = workers._workers[0].process
        process.kill()
        process.join(HANG_S)
        workers.start(task("a"))
        assert isinstance(ended(workers, 1)[0], Lost)
        workers.start(task("a"))
        assert isinstance(ended(workers, 1)[0], Flown)


def test_an_error_of_the_worker_itself_is_a_loss() -> None:
    with working(1) as workers:
        workers._workers[0].connection.send("no task")
        workers._workers[0].flies = "a"
        assert isinstance(ended(workers, 1)[0], Lost)


COORDINATOR = """
import sys
from tests.experiments.workers.test_local import LocalWorkers, flight, task
if __name__ == "__main__":
    workers = LocalWorkers(2, flight)
    workers.start(task("a"))
    while not workers.ended(1.0):
        pass
    workers.start(task("b", "hang"))
    print("flying", flush=True)
    sys.stdin.read()
"""


def test_a_coordinator_that_is_killed_leaves_no_worker_behind(tmp_path: Path) -> None:
    (tmp_path / "coordinator.py").write_text(COORDINATOR)
    root = str(Path(__file__).parents[3])
    with subprocess.Popen([sys.executable, str(tmp_path / "coordinator.py")], stdin=subprocess.PIPE, text=True,
                          stdout=subprocess.PIPE, start_new_session=True,
                          env={**os.environ, "PYTHONPATH": root}) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "flying\n"
        assert len(members([process.pid])) >= 3
        process.kill()
        process.wait(HANG_S)
        wait_until(lambda: not members([process.pid]))
