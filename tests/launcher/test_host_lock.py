"""Whose turn it is on this host. Locks are held by this test, by threads of it, and by other processes."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from swarm.core.settings.errors import BadInput
from swarm.launcher import host_folder, host_lock
from swarm.launcher.host_folder import ListedRun
from swarm.launcher.host_lock import exclusive, shared
from tests.patience import HANG_S

HOLDER = """
import sys
from swarm.launcher.host_lock import exclusive
with exclusive("experiment doomed", told=print):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of this test's host."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr(host_folder, "TEMPORARY", tmp_path / "temporary")
    monkeypatch.setattr(host_lock, "_said", set())
    return tmp_path


def never(line: str) -> None:
    raise AssertionError(line)


class Waiting:
    """A thread that takes a lock, says in `log` when it has it, and gives it up when it is told to."""

    def __init__(self, name: str, lock: Callable[..., contextlib.AbstractContextManager[Any]], log: list[str]) -> None:
        self._told: queue.Queue[str] = queue.Queue()
        self._has, self._may_go = threading.Event(), threading.Event()
        self._name, self._lock, self._log = name, lock, log
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        with self._lock(told=self._told.put):
            self._log.append(self._name)
            self._has.set()
            assert self._may_go.wait(HANG_S)

    def told(self) -> str:
        return self._told.get(timeout=HANG_S)

    def end(self) -> None:
        assert self._has.wait(HANG_S)
        self._may_go.set()
        self._thread.join(HANG_S)
        assert not self._thread.is_alive()


def experiment(name: str) -> Callable[..., contextlib.AbstractContextManager[None]]:
    return lambda told: exclusive(f"experiment {name}", told=told)


def refusal(lock: Callable[..., contextlib.AbstractContextManager[Any]] = shared) -> str:
    """Why it cannot be had at once; empty: it can."""
    try:
        with lock(wait=False, told=never):
            return ""
    except BadInput as error:
        return str(error)


def alone(wait: bool, told: Callable[[str], None]) -> contextlib.AbstractContextManager[None]:
    return exclusive("experiment late", wait=wait, told=told)


def test_plain_runs_share_the_host_and_an_experiment_does_not() -> None:
    with shared(told=never) as waited, shared(told=never) as waited_too:
        assert (waited, waited_too) == (False, False)
        assert refusal(alone).startswith("this host: it is not free: another run of this host; leave out --no-wait")
        with ListedRun("patrol into runs/a"):
            assert f"patrol into runs/a (process {os.getpid()})" in refusal(alone)
    with exclusive("experiment first", told=never):
        words = refusal()
        assert words.startswith(
            f"this host: it is not free: experiment first (process {os.getpid()}), alone on this host since 2")
        assert words.endswith("; leave out --no-wait to wait, or run at the same time: --beside")
        assert "experiment first" in refusal(alone)
        assert "--beside" not in refusal(alone)
    assert refusal() == refusal(alone) == ""


def test_a_plain_run_waits_for_an_experiment_and_says_so_once() -> None:
    log = list[str]()
    with exclusive("experiment first", told=never):
        plain = Waiting("plain", shared, log)
        assert plain.told().startswith(
            f"waiting for experiment first (process {os.getpid()}), alone on this host since 2")
        assert log == []
    plain.end()
    assert plain._told.empty()


def test_an_experiment_waits_for_plain_runs_and_those_that_come_later_wait_for_it() -> None:
    log = list[str]()
    with shared(told=never):
        second = Waiting("experiment", experiment("second"), log)
        assert second.told() == "waiting for another run of this host"
        assert "experiment second" in refusal()              # it would starve the experiment
        assert "), in line for this host since 2" in refusal(alone)
        later = Waiting("later", shared, log)
        assert "experiment second" in later.told()
        assert log == []
    second.end()
    later.end()
    assert log == ["experiment", "later"]


def test_an_experiment_that_takes_the_host_again_and_again_lets_those_in_that_wait() -> None:
    log = list[str]()
    with exclusive("experiment first", told=never):
        plain = Waiting("plain", shared, log)
        plain.told()
    block = Waiting("next block", experiment("first"), log)
    plain.end()
    block.end()
    assert log == ["plain", "next block"]


def test_a_dead_holder_holds_nothing() -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert "experiment doomed" in refusal()
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    assert refusal() == refusal(alone) == ""
    with shared(told=never):
        assert "doomed" not in refusal(alone)


@contextlib.contextmanager
def forked() -> Iterator[None]:
    """A child that has begun, and lives until the block ends."""
    (read, write), (begun, begins) = os.pipe(), os.pipe()
    child = os.fork()
    if not child:
        os.close(write)
        os.write(begins, b"1")
        os.read(read, 1)
        os._exit(0)
    os.read(begun, 1)
    os.close(begun)
    os.close(begins)
    try:
        yield
    finally:
        os.close(read)
        os.close(write)
        os.waitpid(child, 0)


@contextlib.contextmanager
def started() -> Iterator[None]:
    """A process that is started without closing descriptors, and lives until the block ends."""
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, close_fds=False):
        yield


@pytest.mark.parametrize("child", [forked, started])
def test_a_child_keeps_no_lock(child: Callable[[], contextlib.AbstractContextManager[None]]) -> None:
    with contextlib.ExitStack() as children:
        with exclusive("experiment first", told=never):
            children.enter_context(child())
            assert "experiment first" in refusal()           # nor does it give up its parent's
        assert refusal(alone) == ""


def test_where_no_lock_can_be_had_it_is_said_once_and_all_goes_on(runtime: Path) -> None:
    (runtime / "swarm").write_text("")
    told, temporary = list[str](), runtime / "temporary" / f"swarm-{os.geteuid()}"
    for _ in range(2):
        with exclusive("experiment first", told=told.append), shared(told=told.append) as waited:
            assert not waited
    assert told == [f"runs of this host cannot wait for each other: {temporary}: No such file or directory"]


def test_what_goes_wrong_under_a_lock_is_not_taken_for_the_locks_fault() -> None:
    with pytest.raises(OSError, match="disk"), shared(told=never):
        raise OSError("disk")
    assert refusal(alone) == ""
