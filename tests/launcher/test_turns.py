"""Commands that take their turn on this host, and runs that did not."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from swarm.bench.support import launched
from swarm.cli.main import main
from swarm.core.settings.errors import BadInput
from swarm.launcher import launch
from swarm.launcher.host_folder import ListedRun
from swarm.launcher.host_lock import exclusive
from tests.launcher.world import ALONE, Flight, write_launch
from tests.patience import HANG_S


@pytest.fixture(autouse=True)
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host of this test's own, and a folder."""
    (tmp_path / "runtime").mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.chdir(tmp_path)


@contextlib.contextmanager
def an_experiment() -> Iterator[None]:
    with exclusive("experiment grid", wait=False, told=print):
        yield


class Flown(Exception):
    """A launch got as far as to fly."""


@pytest.fixture
def flown(monkeypatch: pytest.MonkeyPatch) -> None:
    def fly(of: launch.Launch) -> None:
        of._loop.close()
        raise Flown

    monkeypatch.setattr(launch.Launch, "run", fly)


@pytest.mark.usefixtures("flown")
def test_a_launch_that_must_not_wait_is_refused_and_claims_no_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["launch", str(write_launch(tmp_path)), "--no-wait"]
    with an_experiment():
        assert main(words) == 2
        told = capsys.readouterr().err
        assert told.startswith("swarm: this host: it is not free: experiment grid (process ")
        assert told.count("\n") == 1
        assert not (tmp_path / "runs").exists()
    with pytest.raises(Flown):
        main(words)


@pytest.mark.usefixtures("flown")
def test_a_launch_beside_an_experiment_does_not_ask(tmp_path: Path) -> None:
    with an_experiment(), pytest.raises(Flown):
        main(["launch", str(write_launch(tmp_path)), "--beside"])


@pytest.mark.usefixtures("flown")
def test_a_bench_takes_the_turn_of_its_launch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def start(command: list[str], **_: object) -> None:
        assert "--beside" in command
        with pytest.raises(BadInput, match="not free"), an_experiment():
            pass
        raise Flown

    monkeypatch.setattr(launched.subprocess, "Popen", start)
    with pytest.raises(Flown):
        launched.launch(["patrol"], tmp_path / "out")
    with an_experiment():
        pass


def test_no_launch_both_waits_and_does_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["launch", str(write_launch(tmp_path)), "--no-wait", "--beside"]) == 2
    assert "--beside: not allowed with argument --no-wait" in capsys.readouterr().err


def test_ctrl_c_ends_the_wait(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "swarm.cli.main", "launch", str(write_launch(tmp_path)), "--out", "out"]
    with an_experiment(), subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as waiting:
        assert waiting.stderr is not None
        assert waiting.stderr.readline().startswith("swarm: waiting for experiment grid (process ")
        waiting.send_signal(signal.SIGINT)
        assert waiting.wait(HANG_S) == 130
        assert waiting.stderr.read() == ""
    assert not (tmp_path / "out").exists()


def test_a_run_knows_those_that_were_on_at_the_same_time(tmp_path: Path) -> None:
    with an_experiment(), ListedRun("another") as another:           # no run of an experiment waits for it
        with Flight(write_launch(tmp_path, ALONE), tmp_path / "out", "--set", "duration_s=0.3") as flight:
            assert flight.end()[0] == 0
        assert another.overlapped() == [
            f"search_rescue into {flight.out} (process {flight.process.pid}) began while this run was on"]
    summary = json.loads((flight.out / "summary.json").read_text())
    assert summary["overlapped"] == [f"another (process {os.getpid()}) was on when this run began"]
