"""What the terminal says of a run is so, or is left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from swarm.cli.commands.launch import _result
from swarm.cli.main import main
from swarm.core.settings.errors import BadInput
from swarm.launcher import host_checks
from swarm.run.snapshot import Snapshot
from swarm.telemetry.report.side_by_side import table
from tests.launcher.world import write_launch

SUMMARY: dict[str, Any] = {
    "policy": "local", "on_time_ratio": 0.5, "requests": {"submitted": 4, "completed": 2, "lost": 0}, "faults": [],
    "offload": {"share": 0.0}, "unwritten": {}, "host_overloaded": False, "accept": [],
}


def test_a_report_is_named_only_if_it_was_written(tmp_path: Path) -> None:
    assert _result(SUMMARY, None).splitlines()[-1] == "no report was written"
    assert _result(SUMMARY, tmp_path / "report.html").splitlines()[-1] == f"report: {tmp_path / 'report.html'}"


@pytest.mark.parametrize(("value", "told"), [
    (None, "there is no such figure in this run"), (True, "it is true"), (0.123456, "it is 0.1235"), (7, "it is 7")])
def test_a_rule_is_told_with_the_figure_that_there_is(value: object, told: str, tmp_path: Path) -> None:
    rule = {"key": "world.steps", "rule": ">= 1", "value": value, "holds": False}
    assert f"FAILS: world.steps >= 1 ({told})" in _result({**SUMMARY, "accept": [rule]}, tmp_path)


def test_nothing_is_offloaded_of_nothing() -> None:
    def offloaded(completed: int) -> str:
        text = table([{**SUMMARY, "requests": {"submitted": 4, "completed": completed, "lost": 0}}])
        return next(line for line in text.splitlines() if line.startswith("offloaded")).split(maxsplit=1)[1]

    assert offloaded(0) == "-"
    assert offloaded(2) == "0.0 %"


def test_the_progress_shows_no_shares_of_nothing_and_none_rounded_up() -> None:
    early = Snapshot(phase="running", at_s=1.0, duration_s=10.0, robots_alive=2, robots=2)
    assert early.line() == "1/10 s  2/2 robots  plan -"
    later = Snapshot(phase="running", at_s=9.0, duration_s=10.0, on_time=0.9999, offloaded=0.0001)
    assert "on time 99.9 %  offloaded < 0.1 %" in later.line()


def test_a_run_beyond_this_host_is_warned_of_before_it_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["launch", str(write_launch(tmp_path)), "--dry-run", "--robots", "60"]) == 0
    out, err = capsys.readouterr()
    assert err.startswith("swarm: warning: the world will probably not keep up")
    assert "warning" not in out


@pytest.mark.parametrize("command", ["launch", "demo"])
def test_nothing_is_started_on_a_host_without_loopback(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def down() -> None:
        raise BadInput("loopback", "down")

    monkeypatch.setattr(host_checks, "check_loopback", down)
    launch = [str(write_launch(tmp_path))] if command == "launch" else []
    assert main([command, *launch, "--out", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err == "swarm: loopback: down\n"
    assert not (tmp_path / "out").exists()
