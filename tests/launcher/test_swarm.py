"""Whole swarms by the real command; on real processes and models, with Ray, they are long.

In `make test`, `tests/bench/test_chaos.py` flies real processes.
"""

from __future__ import annotations

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

from tests.docs.folder import assert_as_described
from tests.launcher.world import LAUNCH, pids, wait_until, write_launch
from tests.patience import HANG_S

MARK = "SWARM_TEST_MARK"
DYNAMIC = LAUNCH.replace("physics: kinematic", "physics: dynamic").replace("duration_s: 30", "duration_s: 8")


class Swarm:
    """`swarm launch` as a process; everything that it starts inherits a mark, whatever session it moves to."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.out = folder / "out"
        self.mark = f"{MARK}={folder}"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "swarm.cli.main", "launch", str(write_launch(folder, DYNAMIC)),
             "--out", str(self.out), *arguments],
            env={**os.environ, MARK: str(folder)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def end(self) -> tuple[int, str, str]:
        """Exit code, standard output and error; nobody is left."""
        out, err = self.process.communicate(timeout=HANG_S)
        assert self.left() == []
        return self.process.returncode, out, err

    def left(self) -> list[int]:
        """Living processes with the mark."""
        found: list[int] = []
        for entry in filter(str.isdigit, os.listdir("/proc")):
            try:
                marked = self.mark.encode() in Path(f"/proc/{entry}/environ").read_bytes().split(b"\0")
                zombie = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue                                 # it has ended, or it is not ours
            if marked and not zombie:
                found.append(int(entry))
        return found

    def events(self, what: str) -> list[dict[str, Any]]:
        """What has happened so far, of one kind."""
        path = self.out / "events.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        return [event for event in map(json.loads, lines) if event["what"] == what]

    def summary(self) -> dict[str, Any]:
        return json.loads((self.out / "summary.json").read_text())


@pytest.fixture
def flown(tmp_path: Path) -> Iterator[list[Swarm]]:
    """Swarms that are brought down whatever happens."""
    swarms: list[Swarm] = []
    yield swarms
    for swarm in swarms:
        swarm.process.kill()
        swarm.process.communicate()
        for pid in swarm.left():
            os.kill(pid, signal.SIGKILL)


def fly(flown: list[Swarm], folder: Path, *arguments: str) -> Swarm:
    flown.append(Swarm(folder, *arguments))
    return flown[-1]


@pytest.mark.parametrize("clock", ["virtual", pytest.param("real", marks=pytest.mark.long)])
def test_a_swarm_flies_by_itself(flown: list[Swarm], tmp_path: Path, clock: str) -> None:
    swarm = fly(flown, tmp_path, "--duration", "3", "--json", "--clock", clock)
    code, out, err = swarm.end()
    assert (code, err) == (0, "")
    summary = json.loads(out)
    assert summary == swarm.summary()
    assert summary["clock"] == clock
    assert summary["requests"]["submitted"] > 0
    assert summary["requests"]["lost"] == 0
    assert summary["world"]["steps"] > 0
    assert summary["first_result_s"] > 0
    assert_as_described(swarm.out)


@pytest.mark.long
def test_a_planned_swarm(flown: list[Swarm], tmp_path: Path) -> None:
    swarm = fly(flown, tmp_path, "--policy", "planner")
    code, _, err = swarm.end()
    assert code == 0, err
    summary = swarm.summary()
    assert summary["requests"]["lost"] == 0
    assert summary["planner"]["epoch"] > 0
    assert {agent["status"] for agent in summary["agents"].values()} == {"ended"}
    assert (swarm.out / "plans.jsonl").read_text()
    assert (swarm.out / "report.html").stat().st_size > 10_000
    table = json.loads((swarm.out / "processes.json").read_text())
    assert {p["returncode"] for p in table if p["role"] in ("agent", "world", "planner")} == {0}


@pytest.mark.long
def test_a_robot_dies(flown: list[Swarm], tmp_path: Path) -> None:
    swarm = fly(flown, tmp_path, "--policy", "planner", "--set", "faults=[{at_s: 3, kill: carrier_0}]")
    code, _, err = swarm.end()
    assert code == 0, err
    summary = swarm.summary()
    assert summary["requests"]["lost"] == 0
    assert summary["agents"]["carrier_0"]["status"] == "killed"
    assert summary["faults"][0]["done_s"] >= 3


@pytest.mark.long
def test_the_planner_dies_after_ray_has_come(flown: list[Swarm], tmp_path: Path) -> None:
    swarm = fly(flown, tmp_path, "--policy", "planner", "--duration", "25")
    wait_until(lambda: bool(swarm.events("ray_up")))
    (planner,) = pids(swarm.out, "planner")
    os.kill(planner, signal.SIGKILL)
    wait_until(lambda: not [pid for pid in swarm.left() if _session(pid) == planner])
    code, _, err = swarm.end()
    assert code == 0, err
    summary = swarm.summary()
    assert summary["requests"]["lost"] == 0
    assert summary["faults"][0]["target"] == "planner"
    assert summary["requests"]["completed"] > 0


@pytest.mark.long
def test_the_world_dies(flown: list[Swarm], tmp_path: Path) -> None:
    swarm = fly(flown, tmp_path, "--set", "faults=[{at_s: 2, kill: world}]")
    code, _, err = swarm.end()
    assert code == 1
    assert err.splitlines()[-1].startswith("swarm: cut short: 2")
    assert swarm.summary()["ran_s"] < swarm.summary()["duration_s"]


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_the_launcher_is_ended_with_ray_up(flown: list[Swarm], tmp_path: Path, number: int) -> None:
    swarm = fly(flown, tmp_path, "--policy", "planner", "--duration", "60")
    wait_until(lambda: bool(swarm.events("ray_up")))
    assert len(swarm.left()) > 8                         # Ray's helpers are there
    swarm.process.send_signal(number)
    wait_until(lambda: swarm.process.poll() is not None and not swarm.left())
    assert swarm.process.returncode == (-9 if number == signal.SIGKILL else 128 + number)
    assert (swarm.out / "report.html").exists() == (number != signal.SIGKILL)


@pytest.mark.long
def test_a_launcher_that_is_stopped_beyond_the_end_of_the_streams_loses_nothing(
    flown: list[Swarm], tmp_path: Path
) -> None:
    """As with Ctrl-Z, and later fg."""
    swarm = fly(flown, tmp_path, "--duration", "4")
    wait_until(lambda: bool(swarm.events("started")))
    swarm.process.send_signal(signal.SIGSTOP)
    select.select([], [], [], 8.0)
    swarm.process.send_signal(signal.SIGCONT)
    code, _, err = swarm.end()
    assert code == 0, err
    summary = swarm.summary()
    assert (summary["requests"]["lost"], summary["ran_s"]) == (0, 4.0)
    rates = sum(stream["submitted"] for stream in summary["streams"].values())
    assert rates <= 4 * (3 * 5 + 2 * 1)                      # no stream ran on
    (held_up,) = [event for event in swarm.events("held_up") if event["who"] == "launcher"]
    assert held_up["detail"]["for_s"] == pytest.approx(8.0, abs=1.0)


@pytest.mark.long
def test_ctrl_c_while_ray_is_starting(flown: list[Swarm], tmp_path: Path) -> None:
    swarm = fly(flown, tmp_path, "--policy", "planner", "--duration", "60")
    wait_until(lambda: len(swarm.left()) > 7)      # more than launcher, supervisor, world, 3 robots and planner
    swarm.process.send_signal(signal.SIGINT)
    assert swarm.end()[0] == 130


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return 0
