"""No process outlives its launcher, however it died. Real processes, dummies for agents."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from swarm.launcher import supervisor
from tests.launcher.world import ALONE, Flight, gone, nobody_left, pids, wait_until, write_launch
from tests.patience import HANG_S

PLANNED = ("--set", "policy=planner")
IGNORES_TERM = ("import os, signal, subprocess, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
                "os.fork() or os.setpgrp(); print(flush=True); signal.pause()")


def test_a_session_ends_with_those_who_ignore_sigterm_and_those_in_other_groups() -> None:
    leader = subprocess.Popen([sys.executable, "-c", IGNORES_TERM], start_new_session=True, stdout=subprocess.PIPE)
    assert leader.stdout is not None
    assert leader.stdout.read(2) == b"\n\n"              # both are up
    assert len(supervisor.members([leader.pid])) == 2
    assert supervisor.end_sessions([leader.pid], grace_looks=3) == []
    assert leader.wait() == -signal.SIGKILL
    assert nobody_left([leader.pid])
    leader.stdout.close()


def test_ending_nothing_is_quick_and_harms_nobody() -> None:
    assert supervisor.end_sessions([]) == []
    assert os.getpid() in supervisor.members([os.getsid(0)])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_supervisor_ignores_what_ends_others(number: int) -> None:
    with subprocess.Popen([sys.executable, "-I", "-S", supervisor.__file__], stdin=subprocess.PIPE) as process:
        wait_until(lambda: _ignores(process.pid, number))
        process.send_signal(number)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(HANG_S) == 0


def test_a_session_that_has_ended_is_taken_off_the_list() -> None:
    bystander = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"], start_new_session=True)
    with subprocess.Popen([sys.executable, "-I", "-S", supervisor.__file__], stdin=subprocess.PIPE) as process:
        process.communicate(b"%d\n-%d\n" % (bystander.pid, bystander.pid), timeout=HANG_S)
    assert bystander.poll() is None
    bystander.kill()
    bystander.wait()


def test_kill_9_of_the_launcher_ends_every_session(tmp_path: Path) -> None:
    with Flight(write_launch(tmp_path, ALONE), tmp_path / "out", *PLANNED).until("1/1 robots") as flight:
        sessions = pids(flight.out)
        (planner,) = pids(flight.out, "planner")
        wait_until(lambda: len(supervisor.members([planner])) == 2)      # with its helper, in another group
        flight.process.kill()
        wait_until(lambda: nobody_left(sessions))


def test_kill_9_of_supervisor_and_launcher_leaves_the_lifeline(tmp_path: Path) -> None:
    with Flight(write_launch(tmp_path, ALONE), tmp_path / "out").until("1/1 robots") as flight:
        agents = pids(flight.out, "agent", "world")
        (its_pid,) = pids(flight.out, "supervisor")
        os.kill(its_pid, signal.SIGKILL)
        flight.process.kill()
        wait_until(lambda: all(map(gone, agents)))


def test_kill_9_while_starting(tmp_path: Path) -> None:
    with Flight(write_launch(tmp_path, ALONE), tmp_path / "out", "--manner", "stubborn").until("starting") as flight:
        sessions = pids(flight.out)
        flight.process.kill()
        wait_until(lambda: nobody_left(sessions))


@pytest.mark.parametrize(("number", "code"), [
    pytest.param(signal.SIGINT, 130, marks=pytest.mark.long), (signal.SIGTERM, 143),
    pytest.param(signal.SIGHUP, 129, marks=pytest.mark.long)])
def test_a_signal_ends_the_run_in_order(tmp_path: Path, number: int, code: int) -> None:
    with Flight(write_launch(tmp_path, ALONE), tmp_path / "out", *PLANNED).until("1/1 robots") as flight:
        sessions = pids(flight.out)
        flight.process.send_signal(number)
        exit_code, _, _ = flight.end()
        assert exit_code == code
        assert nobody_left(sessions)
        assert (flight.out / "summary.json").exists()


def test_ctrl_c_while_starting(tmp_path: Path) -> None:
    with Flight(write_launch(tmp_path, ALONE), tmp_path / "out", "--manner", "silent").until("starting") as flight:
        sessions = pids(flight.out)
        flight.process.send_signal(signal.SIGINT)
        exit_code, _, _ = flight.end()
        assert exit_code == 130
        assert nobody_left(sessions)
        assert not (flight.out / "summary.json").exists()


def test_a_second_ctrl_c_ends_at_once_those_who_will_not(tmp_path: Path) -> None:
    with Flight(write_launch(tmp_path, ALONE), tmp_path / "out", "--manner", "stubborn").until("starting") as flight:
        sessions = pids(flight.out)
        flight.process.send_signal(signal.SIGINT)
        flight.process.send_signal(signal.SIGINT)
        assert flight.end()[0] == 130
        assert nobody_left(sessions)


def _ignores(pid: int, number: int) -> bool:
    status = Path(f"/proc/{pid}/status").read_text()
    mask = next(line for line in status.splitlines() if line.startswith("SigIgn:"))
    return bool(int(mask.split()[1], 16) >> (number - 1) & 1)
