"""The launcher's children, one at a time: real processes that do nothing, and a loop."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from swarm.core.clock import MonotonicClock
from swarm.core.settings.errors import BadInput
from swarm.launcher import processes, supervisor
from swarm.launcher.processes import OWN_FILES, ROBOT_FILES, Child, Children, check_file_limit, last_line
from swarm.net.descriptors import RESERVED
from swarm.net.loop import Loop
from tests.descriptors import no_descriptor_left, soft_limit
from tests.launcher.world import gone, wait_until

SLEEPS = [sys.executable, "-S", "-c", "import signal; signal.pause()"]


class Family:
    """Children with a loop, who has ended, and which logs could not be opened."""

    def __init__(self, folder: Path) -> None:
        self.loop, self.ended, self.unlogged = Loop(MonotonicClock()), [], []
        self.keys = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        self.children = Children(
            self.loop, folder / "logs", self.ended.append, keys=self.keys, lock=self.keys,
            unlogged=lambda log, error: self.unlogged.append(log))

    def spawn(self, name: str = "rover_0") -> Child:
        return self.children.spawn(name, "agent", SLEEPS)


@pytest.fixture
def family(tmp_path: Path) -> Iterator[Family]:
    (tmp_path / "keys").mkdir()
    family = Family(tmp_path / "keys")
    yield family
    os.close(family.keys)
    family.loop.close()


def test_the_end_does_not_wait_for_a_process_that_the_kernel_does_not_end(
    family: Family, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck, other = family.spawn(), family.spawn("rover_1")
    end_sessions = supervisor.end_sessions

    def in_vain(sessions: list[int]) -> list[int]:
        end_sessions([other.pid])
        return [stuck.pid]

    with monkeypatch.context() as patched:
        patched.setattr(supervisor, "end_sessions", in_vain)
        assert family.children.close() == [stuck.pid]
    assert (stuck.returncode, other.returncode) == (None, -15)
    wait_until(lambda: gone(stuck.pid))                      # the supervisor has tried, too


def test_a_supervisor_that_does_not_end_in_time_is_killed_without_a_word(
    family: Family, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "SUPERVISOR_WAIT_S", 0.0)
    its_pid = next(p["pid"] for p in family.children.table() if p["role"] == "supervisor")
    assert family.children.close() == []
    wait_until(lambda: gone(its_pid))


def test_the_last_line_that_says_something() -> None:
    assert last_line(b"a\n b \n \n") == "b"
    assert last_line(b"\n") == last_line(b"") == ""
    assert last_line(b"\xff") == "\ufffd"


def test_a_log_that_was_moved_costs_neither_the_child_nor_its_last_words(family: Family, tmp_path: Path) -> None:
    logs = tmp_path / "keys" / "logs"
    family.spawn()
    (logs / "rover_0.log").unlink()
    assert family.children.last_words("rover_0") == ""
    family.spawn("rover_1")
    logs.rename(tmp_path / "moved")
    family.spawn("rover_2")
    assert (logs / "rover_2.log").exists()
    os.rename(logs, tmp_path / "moved again")
    logs.touch()                                             # no folder any more
    child = family.spawn("rover_3")
    assert family.unlogged == ["rover_3.log"]
    assert not gone(child.pid)
    assert family.children.close() == []


def test_the_clean_up_has_descriptors_even_if_all_others_are_taken(family: Family) -> None:
    family.spawn()
    with no_descriptor_left():
        assert family.children.close() == []
    assert family.ended[0].returncode == -15


def test_without_a_descriptor_a_process_counts_as_alive() -> None:
    with no_descriptor_left():
        assert supervisor._lives(os.getpid())
    ended = subprocess.Popen(["true"])
    ended.wait()
    assert not supervisor._lives(ended.pid)


def test_a_run_that_needs_more_open_files_than_there_may_be_is_refused_before_it_starts(
    monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "raise_file_limit", lambda: OWN_FILES + 10 * ROBOT_FILES)
    check_file_limit(10)
    need, most = OWN_FILES + 11 * ROBOT_FILES, OWN_FILES + 10 * ROBOT_FILES
    said = f"11 robots: the launcher would have {need} open files, and may have {most}.* 10 robots"
    with pytest.raises(BadInput, match=said):
        check_file_limit(11)
    monkeypatch.setattr(processes, "raise_file_limit", lambda: resource.RLIM_INFINITY)
    check_file_limit(10**6)


def test_the_soft_limit_of_open_files_is_raised() -> None:
    with soft_limit(256):
        check_file_limit(1)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        assert soft == hard - RESERVED               # which are kept for what must go on
