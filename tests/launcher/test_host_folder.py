"""Runs of one host know of each other, however they end, and never of the dead."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from swarm.launcher import host_folder
from swarm.launcher.host_folder import ListedRun, runs_now

LISTED = """
import sys
from swarm.launcher.host_folder import ListedRun
with ListedRun(sys.argv[1]):
    print("listed", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of this test's host."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr(host_folder, "TEMPORARY", tmp_path / "temporary")
    (tmp_path / "temporary").mkdir()
    return tmp_path


@contextlib.contextmanager
def process(name: str) -> Iterator[subprocess.Popen[str]]:
    """A process whose run is listed until its standard input ends."""
    with subprocess.Popen([sys.executable, "-c", LISTED, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "listed\n"
        yield child


def place() -> Path:
    folder = host_folder.host_folder()
    found = Path(os.readlink(f"/proc/self/fd/{folder}"))
    os.close(folder)
    return found


def now() -> list[str]:
    folder = host_folder.host_folder()
    found = runs_now(folder)
    os.close(folder)
    return found


def test_the_folder_is_the_users_and_nobody_elses(runtime: Path) -> None:
    assert place() == runtime / "swarm"
    assert stat.S_IMODE((runtime / "swarm").stat().st_mode) == 0o700


@pytest.mark.parametrize("value", ["nowhere", "/nowhere", "\udcff", "/dev/null", "x" * 5000])
def test_without_a_runtime_folder_it_is_in_the_temporary_one(
    runtime: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", value)
    assert place() == runtime / "temporary" / f"swarm-{os.geteuid()}"


def test_a_folder_that_others_can_write_into_is_not_used(runtime: Path) -> None:
    (runtime / "swarm").mkdir()
    (runtime / "swarm").chmod(0o777)
    assert place().parent == runtime / "temporary"
    place().chmod(0o777)
    with pytest.raises(PermissionError, match="other users can write into it"):
        place()


def test_nor_is_a_link_or_another_users(runtime: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (runtime / "swarm").symlink_to(runtime / "temporary")
    assert place().parent == runtime / "temporary"
    place().rmdir()
    (runtime / "temporary" / "swarm-54321").mkdir()
    monkeypatch.setattr(os, "geteuid", lambda: 54321)
    with pytest.raises(PermissionError):
        place()


def test_the_later_run_finds_the_earlier_one_and_the_earlier_one_the_later(runtime: Path) -> None:
    pid = os.getpid()
    with ListedRun("first") as first:
        with ListedRun("second") as second:
            assert now() == [f"first (process {pid})", f"second (process {pid})"]
            assert second.overlapped() == [f"first (process {pid}) was on when this run began"]
        assert first.overlapped() == [f"second (process {pid}) began while this run was on"]
        with ListedRun("third") as third:
            assert third.overlapped() == [f"first (process {pid}) was on when this run began"]
    with ListedRun("last") as last:
        assert last.overlapped() == []
    assert list((runtime / "swarm").iterdir()) == []


def test_a_killed_run_is_gone_and_one_that_it_met_has_met_it(runtime: Path) -> None:
    with process("doomed") as doomed, ListedRun("survivor") as survivor:
        doomed.kill()
        doomed.wait()
        assert len(list((runtime / "swarm").iterdir())) == 2
        with ListedRun("next") as following:
            assert following.overlapped() == [f"survivor (process {os.getpid()}) was on when this run began"]
        assert len(list((runtime / "swarm").iterdir())) == 1
        assert survivor.overlapped() == [
            f"doomed (process {doomed.pid}) was on when this run began",
            f"next (process {os.getpid()}) began while this run was on"]


def test_of_many_runs_a_few_are_named() -> None:
    with ListedRun("long") as long:
        for k in range(8):
            with ListedRun(f"short {k}"):
                pass
        told = long.overlapped()
        assert told is not None
        assert [words.split(" (")[0] for words in told] == [*(f"short {k}" for k in range(5)), "3 more"]


def test_the_file_of_a_run_does_not_grow_without_end(runtime: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_folder, "MOST_BYTES", 200)
    with ListedRun("x" * 5000):
        for _ in range(5):
            with ListedRun("y" * 5000):
                pass
        (file,) = (runtime / "swarm").iterdir()
        assert file.stat().st_size < 200 + 2 * 330


def test_an_odd_name_is_one_line() -> None:
    with ListedRun("a\nb\udcff\u2028c"):
        assert now() == [rf"a b\udcff c (process {os.getpid()})"]


def test_a_file_that_is_removed_before_it_is_locked_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """As by another run that takes it for a dead one's."""
    flock, removed = fcntl.flock, list[Path]()

    def late(file: int, kind: int) -> Any:
        if kind == fcntl.LOCK_EX and not removed:
            removed.append(Path(os.readlink(f"/proc/self/fd/{file}")))
            removed[0].unlink()
        return flock(file, kind)

    monkeypatch.setattr(fcntl, "flock", late)
    with ListedRun("slow"):
        assert now() == [f"slow (process {os.getpid()})"]
    assert removed


def test_without_a_folder_it_is_not_known_whether_a_run_was_alone(runtime: Path) -> None:
    (runtime / "swarm").write_text("")
    (runtime / "temporary").rmdir()
    with ListedRun("alone") as alone:
        assert alone.overlapped() is None


def test_a_folder_that_is_removed_meanwhile_disturbs_no_run(runtime: Path) -> None:
    with ListedRun("first") as first:
        for file in (runtime / "swarm").iterdir():
            file.unlink()
        (runtime / "swarm").rmdir()
        assert first.overlapped() == []
