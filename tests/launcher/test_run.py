"""A run from start to folder, with dummies for the processes. `tests/virtual/` flies the same run in virtual time."""

from __future__ import annotations

import json
import re
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from swarm.cli.main import main
from swarm.launcher import launch
from swarm.launcher.load import load_launch
from swarm.run.settings.resolve import Options
from swarm.telemetry.recorder import RunFolder
from tests.launcher.world import Flight, nobody_left, pids, write_launch
from tests.patience import HANG_S


def fly(tmp_path: Path, *arguments: str) -> tuple[int, str, Path]:
    """A flight to its end: exit code, standard error, folder. Nobody is left."""
    with Flight(write_launch(tmp_path), tmp_path / "out", *arguments) as flight:
        code, _, told = flight.end()
        assert nobody_left(pids(flight.out))
        return code, told, flight.out


def summary(out: Path) -> dict[str, Any]:
    return json.loads((out / "summary.json").read_text())


def events(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "events.jsonl").read_text().splitlines()]


def test_a_run_ends_with_its_folder_written(tmp_path: Path) -> None:
    code, told, out = fly(tmp_path, "--set", "duration_s=0.6", "--set", "policy=planner")
    assert (code, told.splitlines()[-1]) == (0, "error: ")
    figures = summary(out)
    assert figures["requests"]["completed"] == figures["requests"]["submitted"] > 0
    assert figures["requests"]["lost"] == 0
    assert figures["mission"]["found"] == 3
    assert figures["accepted"]
    for name in ("manifest.json", "requests.parquet", "processes.json"):
        assert (out / name).exists()
    rosters = {e["who"]: e["detail"]["members"] for e in events(out) if e["what"] == "roster"}
    assert all(rosters[name] >= 4 for name in ("world", "rover_0", "rover_1", "carrier_0"))      # before the start
    table = json.loads((out / "processes.json").read_text())
    assert [p["name"] for p in table] == [
        "launcher", "supervisor", "world", "rover_0", "rover_1", "carrier_0", "planner"]
    assert {p["returncode"] for p in table[2:6]} == {0}


@pytest.mark.long
def test_the_end_waits_for_every_robots_word_that_it_was_the_last(tmp_path: Path) -> None:
    code, _, out = fly(tmp_path, "--manner", "slow", "--set", "duration_s=0.3", "--set",
                       "faults=[{at_s: 0.1, kill: rover_1}]")
    assert code == 0
    assert {e["who"] for e in events(out) if e["what"] == "last_request"} == {"rover_0", "carrier_0"}
    assert summary(out)["requests"]["lost"] == 0


@pytest.mark.long
def test_a_robot_that_never_says_so_costs_no_more_than_the_limit(tmp_path: Path) -> None:
    code, _, out = fly(tmp_path, "--manner", "mute", "--set", "duration_s=0.3", "--set", "streams.1.deadline_s=0.1")
    assert code == 0
    assert summary(out)["requests"]["lost"] == 0


@pytest.mark.long
def test_a_killed_robot_is_told_to_the_world_and_its_requests_are_failed_not_lost(tmp_path: Path) -> None:
    code, _, out = fly(tmp_path, "--manner", "loses", "--set", "duration_s=1.6", "--set", "streams.1.deadline_s=0.1",
                       "--set", "faults=[{at_s: 0.8, kill: rover_1}]")
    assert code == 0
    (fault,) = summary(out)["faults"]
    assert (fault["kind"], fault["target"]) == ("kill", "rover_1")
    assert fault["done_s"] >= 0.8
    assert {e["who"] for e in events(out) if e["what"] == "heard_gone"} == {"world"}     # leases tell the rest
    assert summary(out)["agents"]["rover_1"]["status"] == "killed"
    requests = summary(out)["requests"]
    assert requests["failed_by"]["agent_lost"] > 0
    assert requests["lost"] > 0                          # of the others, who never ended theirs
    assert not summary(out)["accepted"]


def test_a_robot_that_refuses_its_file_ends_the_launch_with_its_line(tmp_path: Path) -> None:
    code, told, out = fly(tmp_path, "--manner", "refuses")
    assert code == 2
    assert told.splitlines()[-1].endswith("ended with exit code 2: swarm: agent.yaml: board: too small")
    assert not (out / "summary.json").exists()
    assert (out / "files").exists()
    assert not (out / "keys").exists()                   # no secret outlives a run that fails


def test_a_robot_that_crashes_while_starting_is_named_with_its_last_words(tmp_path: Path) -> None:
    code, told, out = fly(tmp_path, "--manner", "crashes")
    assert code == 1
    assert not (out / "keys").exists()
    assert "before the run began, ended with exit code 1: RuntimeError: out of solder" in told.splitlines()[-1]


@pytest.mark.long
def test_a_robot_that_is_never_ready_ends_the_launch(tmp_path: Path) -> None:
    code, told, _ = fly(tmp_path, "--manner", "silent", "--ready-s", "1.5")
    assert code == 1
    assert re.search(r"carrier_0, rover_0, rover_1(, world)? not ready after 1\.5 s", told.splitlines()[-1])


@pytest.mark.long
def test_a_run_whose_folder_is_removed_goes_on_to_its_end_and_says_so_once(tmp_path: Path) -> None:
    with Flight(write_launch(tmp_path), tmp_path / "out", "--set", "duration_s=1.0", "--set",
                "faults=[{at_s: 0.6, restart: rover_1, after_s: 0.1}]") as flight:
        flight.until("3/3 robots")
        started = pids(flight.out)
        shutil.rmtree(flight.out)
        code, _, told = flight.end()
        assert nobody_left(started)
        assert code == 1
        assert "Traceback" not in told
        assert told.splitlines()[-1].startswith("error: cannot write ")
        assert not (flight.out / "keys").exists()


@pytest.mark.long
def test_a_run_whose_standard_error_has_no_reader_goes_on_to_its_end(tmp_path: Path) -> None:
    with Flight(write_launch(tmp_path), tmp_path / "out", "--set", "duration_s=0.5") as flight:
        flight.until("3/3 robots")
        assert flight.process.stderr is not None
        flight.process.stderr.close()
        assert flight.process.wait(HANG_S) == 0
        assert summary(flight.out)["requests"]["lost"] == 0


@pytest.mark.long
def test_nohup_is_kept(tmp_path: Path) -> None:
    with Flight(write_launch(tmp_path), tmp_path / "out", "--set", "duration_s=1.0", under=["nohup"]) as flight:
        flight.until("3/3 robots")
        flight.process.send_signal(signal.SIGHUP)
        assert flight.end()[0] == 0
        assert not summary(flight.out)["interrupted"]


def test_without_a_supervisor_nothing_is_started_and_one_line_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def at_the_limit(*_: object, **__: object) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(launch, "Children", at_the_limit)
    resolved = load_launch(Options(launch=str(write_launch(tmp_path))))
    outcome = launch.Launch(resolved, tmp_path / "out", command=[]).run()
    assert (outcome.exit_code, outcome.summary) == (1, None)
    assert outcome.error == "the supervisor cannot be started: [Errno 11] Resource temporarily unavailable"
    assert not (tmp_path / "out" / "keys").exists()


def test_a_launch_into_the_folder_of_a_run_is_bad_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    running = RunFolder(tmp_path / "out")
    assert main(["launch", str(write_launch(tmp_path)), "--out", str(tmp_path / "out")]) == 2
    assert "another run writes into this folder" in capsys.readouterr().err
    running.close()


def test_a_launcher_that_did_not_run_records_it(tmp_path: Path) -> None:
    resolved = load_launch(Options(launch=str(write_launch(tmp_path))))
    stopped = launch.Launch(resolved, tmp_path / "out", command=[])
    stopped._loop.held_up(8.0)
    assert [(e["who"], e["detail"]) for e in events(tmp_path / "out") if e["what"] == "held_up"] == [
        ("launcher", {"for_s": 8.0})]
