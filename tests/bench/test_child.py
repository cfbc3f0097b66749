"""A bench's children: orders and answers, and that none outlives its parent."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from swarm.bench.support.child import Child, ChildError, cpu_s
from swarm.bench.transport.echo import Address
from tests.patience import HANG_S

PARENT = """
import signal
from swarm.bench.support.child import Child
from swarm.bench.transport.echo import Address
child = Child("swarm.bench.transport.echo", "bare", "1024")
child.receive(Address)
print(child.pid, flush=True)
signal.pause()
"""


def test_a_child_says_where_it_is_and_ends_with_its_block() -> None:
    with Child("swarm.bench.transport.echo", "bare", "1024") as child:
        assert child.receive(Address).endpoint.startswith("tcp://127.0.0.1:")
        assert cpu_s(child.pid) > 0
    assert not os.path.exists(f"/proc/{child.pid}")


def test_a_child_that_crashes_is_said_so(capfd: pytest.CaptureFixture[str]) -> None:
    echo = Child("swarm.bench.transport.echo", "bare", "not-a-number")
    with echo as child, pytest.raises(ChildError, match="ended with 1"):
        child.receive(Address)
    assert "ValueError" in capfd.readouterr().err


def test_waiting_for_a_silent_child_ends() -> None:
    with Child("swarm.bench.transport.echo", "bare", "1024") as child:
        child.receive(Address)
        with pytest.raises(ChildError, match=r"sent nothing for 0\.01 s"):
            child.receive(Address, 0.01)


def stranger(tmp_path: Path, script: str) -> Child:
    """A child that runs a shell script, as another interpreter may be named."""
    program = tmp_path / "stranger"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return Child("module", python=str(program))


@pytest.mark.parametrize("script", ["echo hello", "echo 3", "printf '\\377\\n'", "echo '\"\377\"'"])
def test_what_is_no_answer_is_said_so(tmp_path: Path, script: str) -> None:
    with stranger(tmp_path, script) as child, pytest.raises(ChildError, match=r"module .* sent b['\"]"):
        child.receive(bool)


def test_answers_may_come_in_pieces_or_together(tmp_path: Path) -> None:
    with stranger(tmp_path, r"printf '[1,'; printf '2]\n[3]\n[]\n'") as child:
        assert [child.receive(list[int]) for _ in range(3)] == [[1, 2], [3], []]
        with pytest.raises(ChildError, match="ended with 0"):
            child.receive(list[int])


def test_half_a_line_is_not_waited_for_without_end_and_all_are_killed(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("swarm.bench.support.child.END_S", 0.01)
    with stranger(tmp_path, "sleep 1000 & printf $!; printf '\\n['; wait") as child:
        grandchild = os.pidfd_open(child.receive(int))
        with pytest.raises(ChildError, match="sent nothing"):
            child.receive(list[int], 0.01)
    assert select.select([grandchild], [], [], HANG_S)[0], "it lives"
    os.close(grandchild)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_child_ends_when_its_parent_dies(number: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = os.pidfd_open(int(parent.stdout.readline()))
        parent.send_signal(number)
    assert select.select([child], [], [], HANG_S)[0], "it lives"
    os.close(child)
