"""Keys are made for each run, every process of it speaks in cipher, and no secret outlives it."""

from __future__ import annotations

import gc
import os
import signal
from pathlib import Path

import pytest

from swarm import settings_files
from swarm.core.settings.errors import BadInput
from swarm.launcher.run_keys import RunKeys
from swarm.net.security.key_files import read_enrolled
from swarm.net.security.keyring import Keyring
from tests.launcher.world import ALONE, Flight, nobody_left, pids, wait_until, write_launch

NAMES = ["carrier_0", "launcher", "planner", "rover_0", "rover_1", "world"]


def test_a_run_has_keys_of_its_own_while_it_lasts(tmp_path: Path) -> None:
    with Flight(write_launch(tmp_path), tmp_path / "out", "--set", "policy=planner") as flight:
        flight.until("3/3 robots")
        keys = flight.out / "keys"
        assert keys.stat().st_mode & 0o777 == 0o700
        assert {path.stem: path.stat().st_mode & 0o777 for path in keys.glob("*.key")} == dict.fromkeys(NAMES, 0o600)
        assert Keyring(keys, "rover_0").names() == NAMES
        launcher = read_enrolled(keys / "enrolled" / "launcher.pub")
        for name in NAMES:
            if name != "launcher":
                settings = settings_files.load(flight.out / "files" / f"{name}.yaml")
                assert settings["keys"] == str(keys)
                assert settings["launcher"]["public_key"] == launcher.public
        started = pids(flight.out)
        flight.process.send_signal(signal.SIGINT)
        assert flight.end()[0] == 130
        assert nobody_left(started)
        assert (flight.out / "summary.json").exists()
        assert not keys.exists()
        for log in (flight.out / "logs").iterdir():
            assert "refused" not in log.read_text(), log


@pytest.mark.parametrize("number", [signal.SIGKILL, pytest.param(signal.SIGQUIT, marks=pytest.mark.long)])
def test_no_secret_outlives_a_launcher_that_is_killed_wherever_its_folder_is(tmp_path: Path, number: int) -> None:
    out, moved = tmp_path / "out", tmp_path / "moved"
    with Flight(write_launch(tmp_path, ALONE), out) as flight:
        flight.until("1/1 robots")
        out.rename(moved)
        assert (moved / "keys" / "world.key").exists()
        flight.process.send_signal(number)
        wait_until(lambda: nobody_left(pids(moved)))
        assert not (moved / "keys").exists()


@pytest.mark.long
def test_a_launcher_that_is_told_to_write_into_a_pipe_without_a_reader_goes_on(tmp_path: Path) -> None:
    with Flight(write_launch(tmp_path, ALONE), tmp_path / "out", "--set", "duration_s=0.5") as flight:
        flight.until("1/1 robots")
        flight.process.send_signal(signal.SIGPIPE)
        assert flight.end()[0] == 0
        assert not (flight.out / "keys").exists()


@pytest.mark.long
def test_keys_that_launcher_and_supervisor_left_when_both_were_killed_are_replaced(tmp_path: Path) -> None:
    launch, out = write_launch(tmp_path, ALONE), tmp_path / "out"
    with Flight(launch, out) as flight:
        flight.until("1/1 robots")
        old = read_enrolled(out / "keys" / "enrolled" / "world.pub")
        (its_pid,) = pids(out, "supervisor")
        os.kill(its_pid, signal.SIGKILL)
    assert (out / "keys" / "world.key").exists()
    wait_until(lambda: nobody_left(pids(out)))
    with Flight(launch, out) as flight:
        flight.until("1/1 robots")
        assert read_enrolled(out / "keys" / "enrolled" / "world.pub") != old


def test_keys_of_a_launch_that_never_runs_are_removed_too(tmp_path: Path) -> None:
    keys = RunKeys(tmp_path / "keys")
    keys.enrol(["a", "b"])
    assert (tmp_path / "keys" / "b.key").exists()
    del keys
    gc.collect()
    assert not (tmp_path / "keys").exists()


def test_where_no_keys_can_be_written_it_is_said_and_nothing_of_others_is_touched(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="absent/keys: No such file or directory"):
        RunKeys(tmp_path / "absent" / "keys")
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "thesis.tex").touch()
    with pytest.raises(BadInput, match="keys: File exists"):
        RunKeys(tmp_path / "keys")
    gc.collect()
    assert (tmp_path / "keys" / "thesis.tex").exists()


def test_keys_that_cannot_be_removed_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def read_only(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    keys = RunKeys(tmp_path / "keys")
    keys.enrol(["a"])
    with monkeypatch.context() as patched:
        patched.setattr(os, "unlink", read_only)
        assert keys.remove() == "the keys of the run could not be removed: [Errno 30] Read-only file system"
    assert keys.remove() == ""                               # once


def test_keys_are_removed_where_they_were_moved_to_and_others_in_their_place_are_not(tmp_path: Path) -> None:
    keys = RunKeys(tmp_path / "keys")
    keys.enrol(["a"])
    (tmp_path / "keys").rename(tmp_path / "moved")
    others = RunKeys(tmp_path / "keys")
    others.enrol(["a"])
    assert keys.remove() == ""
    assert not (tmp_path / "moved").exists()
    assert (tmp_path / "keys" / "a.key").exists()
