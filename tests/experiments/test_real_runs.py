"""Which real runs count: whole swarms by the real command.

A run that should count is tried again where it does not, as in an experiment: others may use this host. What is no
fault of the host would be told each time.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from swarm.experiments.design.validity import invalid
from swarm.experiments.experiment import Experiment
from swarm.experiments.session import Session, Wishes
from swarm.launcher.host_lock import exclusive
from tests.experiments.files import write
from tests.launcher.world import pids, wait_until, write_launch
from tests.patience import HANG_S

LAUNCH = """
version: 1
scenario: search_rescue
seed: 7
duration_s: 20
policy: local
fleet:
  - {name: rover, count: 3, board: BOARD, physics: kinematic}
streams:
  - {name: detect, on: [rover], model: detector, rate_hz: 5, deadline_s: 0.3}
"""
ROBOTS, RATE_HZ = ("rover_0", "rover_1", "rover_2"), 5
BURNERS = 12                         # per core
BURN = "while True: pass"
TRIES = 3

pytestmark = pytest.mark.long


@pytest.fixture(autouse=True)
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host of this test's own."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))


class Run:
    """`swarm launch` as a process. board: `host` draws no run times, so that none can be an overrun."""

    def __init__(self, folder: Path, name: str, *arguments: str, board: str = "host") -> None:
        self.out = folder / name
        path = write_launch(folder, LAUNCH.replace("BOARD", board))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "swarm.cli.main", "launch", str(path), "--out", str(self.out), *arguments],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.communicate()

    def at(self, at_s: float) -> None:
        """Wait until the streams have run so long."""
        path = self.out / "series.jsonl"
        wait_until(lambda: path.exists() and len(path.read_text().splitlines()) >= at_s)

    def summary(self) -> dict[str, Any]:
        """Of the run, at its end."""
        _, told = self.process.communicate(timeout=HANG_S)
        assert self.process.returncode == 0, told
        return json.loads((self.out / "summary.json").read_text())


def counting(folder: Path, *arguments: str) -> dict[str, Any]:
    """The summary of a run that counts."""
    told = list[list[str]]()
    for k in range(TRIES):
        with Run(folder, f"try-{k}", *arguments) as run:
            summary = run.summary()
        told.append(invalid(summary))
        if not told[-1]:
            return summary
    raise AssertionError(told)


def test_an_agent_that_the_launch_file_stops_is_the_experiment_and_costs_no_neighbour(tmp_path: Path) -> None:
    summary = counting(tmp_path, "--set", "faults=[{at_s: 8, stop: rover_1, for_s: 4}]")
    agents, due = summary["agents"], 20 * RATE_HZ
    assert {name: agent["due"] for name, agent in agents.items()} == dict.fromkeys(ROBOTS, due)
    missed = agents["rover_1"]["missed"]["agent"]            # the world's lane kept the others, which then expired
    assert RATE_HZ < missed == due - agents["rover_1"]["submitted"]
    assert agents["rover_1"]["on_time_ratio"] * due <= due - (4 * RATE_HZ - 2)
    assert min(agents[name]["submitted"] for name in ("rover_0", "rover_2")) > agents["rover_1"]["submitted"]
    assert summary["on_time_ratio"] == pytest.approx(summary["requests"]["completed"] / (3 * due), abs=1e-6)
    latency = summary["latency_ms"]
    assert latency["p95"] is not None
    assert latency["p95_all"] is None                        # 18 of 300 frames have no result
    assert latency["p95_all_interval"] is not None


def test_a_world_that_the_launch_file_stops_is_the_experiment(tmp_path: Path) -> None:
    summary = counting(tmp_path, "--set", "faults=[{at_s: 8, stop: world, for_s: 2}]")
    assert summary["requests"]["missed"]["world"] > RATE_HZ * len(ROBOTS)            # of 2 s


def test_a_world_that_was_stopped_from_outside_does_not_count(tmp_path: Path) -> None:
    with Run(tmp_path, "out") as run:
        run.at(5)
        (world,) = pids(run.out, "world")
        os.kill(world, signal.SIGSTOP)
        select.select([], [], [], 2.0)
        os.kill(world, signal.SIGCONT)
        summary = run.summary()
    overloaded, offered = invalid(summary)
    assert overloaded.startswith("The host was overloaded: simulated time lost ")
    assert offered.startswith("Too few of the due frames ")


@contextlib.contextmanager
def a_busy_host() -> Iterator[None]:
    with contextlib.ExitStack() as burners:
        for _ in range(BURNERS * len(os.sched_getaffinity(0))):
            burner = burners.enter_context(subprocess.Popen([sys.executable, "-S", "-c", BURN]))
            burners.callback(burner.kill)
        yield


def test_a_run_on_a_busy_host_does_not_count(tmp_path: Path) -> None:
    with Run(tmp_path, "out", "--duration", "8", board="orin_nano") as run:
        run.at(1)
        with a_busy_host():
            run.at(7)
        summary = run.summary()
    assert invalid(summary)[0].startswith("The host was overloaded: ")


def test_two_runs_that_are_forced_at_once_do_not_count(tmp_path: Path) -> None:
    with exclusive("experiment first", told=print), Run(tmp_path, "a", "--beside", "--duration", "6") as one:
        one.at(1)
        with Run(tmp_path, "b", "--beside", "--duration", "3") as other:
            of_other, of_one = other.summary(), one.summary()
    assert f"Other runs used the host meanwhile: search_rescue into {one.out} (process " in "".join(invalid(of_other))
    assert f"Other runs used the host meanwhile: search_rescue into {other.out} (process " in "".join(invalid(of_one))


def test_a_run_that_is_not_forced_waits_and_overlaps_nothing(tmp_path: Path) -> None:
    with contextlib.ExitStack() as experiment, Run(tmp_path, "first", "--beside", "--duration", "3") as first:
        experiment.enter_context(exclusive("experiment first", told=print))
        with Run(tmp_path, "second", "--duration", "3") as second:
            assert second.process.stderr is not None
            assert second.process.stderr.readline().startswith("swarm: waiting for experiment first (process ")
            of_first = first.summary()
            assert not second.out.exists()
            experiment.close()
            of_second = second.summary()
    assert (of_first["overlapped"], of_second["overlapped"]) == ([], [])
    assert of_second["first_result_s"] < 30.0                # without the wait


def test_an_agent_that_a_policy_breaks_fails_its_point_and_not_the_other_arm(tmp_path: Path, plug_in: Path) -> None:
    launch = write_launch(tmp_path, LAUNCH.replace("BOARD", "host"))
    path = write(tmp_path, launch=str(launch), set={"duration_s": 3}, seeds=1, axes={"policy": ["local", "raising"]})
    ended = Session(Experiment(path), tmp_path / "out", Wishes(), print).run()
    rows = {row.arm: row for row in ended.results.rows}
    assert ended.exit_code == 1
    assert rows["local"].values["on_time_ratio"] is not None
    assert not rows["local"].valid
    assert "ended with exit code" in rows["raising"].error
    assert f"third at {plug_in}:11" in rows["raising"].error
    assert any((tmp_path / "out" / "points" / rows["raising"].id / "logs").iterdir())
