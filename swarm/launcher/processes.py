"""The launcher's children: in sessions of their own, on a lifeline, listed for the warden, watched by pidfd."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from swarm.launcher import supervisor
from swarm.net.loop import Loop
from swarm.net.process import CLOCK_STEP_VARIABLE, LIFELINE_VARIABLE

ISOLATED = ["-I"] if sys.version_info < (3, 11) else []
ENVIRONMENT = {
    "PYTHONSAFEPATH": "1",           # from 3.11 on: a folder `models` where the user stands is not ours
    "PYTHONUNBUFFERED": "1",
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"),
}
WARDEN_WAIT_S = 6.0


class Child(msgspec.Struct, kw_only=True):
    """One process. `returncode` is as in `subprocess`: negative for a signal, None while it runs."""

    name: str
    role: str
    pid: int
    log: Path
    returncode: int | None = None
    killed: bool = False             # by us, as a fault

    @property
    def ended_how(self) -> str:
        """Words for people."""
        code = self.returncode
        if code is None:
            return "runs"
        return f"ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"

    def last_words(self) -> str:
        """The last line of its log."""
        with open(self.log, "rb") as log:
            log.seek(max(0, os.path.getsize(self.log) - 4096))
            lines = log.read().decode(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")


def swarm_command(*arguments: str) -> list[str]:
    """The command line of `swarm ARGUMENTS` with this interpreter."""
    return [sys.executable, *ISOLATED, "-m", "swarm.cli.main", *arguments]


class Children:
    """All processes of one run. `changed` is told of every start and end, `ended` of every end."""

    def __init__(
        self, loop: Loop, logs: Path, ended: Callable[[Child], None], changed: Callable[[], None] = lambda: None
    ) -> None:
        self._loop, self._logs, self._ended, self._changed = loop, logs, ended, changed
        self._popen: dict[str, subprocess.Popen[bytes]] = {}
        self._pidfds: dict[str, int] = {}
        self._children: dict[str, Child] = {}        # the last one of each name
        self._former: list[Child] = []               # those before it
        self._sessions: set[int] = set()             # those that may still have processes
        self._lifeline, self._lifeline_write = os.pipe2(os.O_CLOEXEC)
        self._warden = subprocess.Popen(
            [sys.executable, "-I", "-S", supervisor.__file__], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True, bufsize=0,
        )

    def spawn(self, name: str, role: str, command: Sequence[str], clock_step_s: float = 0.0) -> Child:
        """Start a process, perhaps in the stead of one that has ended; its output goes to NAME.log. Raises: OSError."""
        log = self._logs / f"{name}.log"
        environment = {**os.environ, **ENVIRONMENT, LIFELINE_VARIABLE: str(self._lifeline),
                       CLOCK_STEP_VARIABLE: str(clock_step_s)}
        with open(log, "ab") as output:
            popen = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=environment,
                start_new_session=True, pass_fds=(self._lifeline,),
            )
        self._tell_warden(popen.pid)
        self._sessions.add(popen.pid)
        if name in self._children:
            self._former.append(self._children[name])
        child = Child(name=name, role=role, pid=popen.pid, log=log)
        self._popen[name], self._children[name] = popen, child
        pidfd = self._pidfds[name] = os.pidfd_open(popen.pid)
        self._loop.watch(pidfd, lambda: self._reap(name))
        self._changed()
        return child

    def get(self, name: str) -> Child:
        return self._children[name]

    def all(self) -> list[Child]:
        """Who has ended and was replaced, then the last one of each name in the order of their first start."""
        return [*self._former, *self._children.values()]

    def is_running(self, name: str) -> bool:
        return self._children[name].returncode is None

    def running(self) -> list[Child]:
        return [child for child in self._children.values() if child.returncode is None]

    def kill(self, name: str) -> None:
        """A fault: SIGKILL to the process. Its end is told when it has come."""
        if self._children[name].returncode is None:
            self._children[name].killed = True
            os.kill(self._children[name].pid, signal.SIGKILL)

    def signal(self, name: str, number: int) -> None:
        """A fault: a signal to the process and to all that it has started."""
        if self._children[name].returncode is None:
            supervisor.signal_sessions([self._children[name].pid], number)

    def table(self) -> list[dict[str, Any]]:
        """`processes.json`: role, name and pid of each, and how it ended."""
        ours = [{"role": "launcher", "name": "launcher", "pid": os.getpid(), "returncode": None},
                {"role": "warden", "name": "warden", "pid": self._warden.pid, "returncode": None}]
        return ours + [{"role": c.role, "name": c.name, "pid": c.pid, "returncode": c.returncode} for c in self.all()]

    def close(self) -> list[int]:
        """End every session that is left, by force if need be, then the warden. Returns who would not die."""
        left = supervisor.end_sessions(self._sessions)
        for name in list(self._pidfds):
            self._reap(name)
        assert self._warden.stdin is not None
        self._warden.stdin.close()
        os.close(self._lifeline_write)
        os.close(self._lifeline)
        self._warden.wait(WARDEN_WAIT_S)
        return left

    def _reap(self, name: str) -> None:
        """The process has ended: so must what it started."""
        pidfd, child = self._pidfds.pop(name), self._children[name]
        self._loop.unwatch(pidfd)
        os.close(pidfd)
        # Before the wait: while the dead leader is not reaped, its session's id cannot become another's.
        survivors = supervisor.signal_sessions([child.pid], signal.SIGKILL)
        child.returncode = self._popen[name].wait()
        if not survivors:
            self._tell_warden(-child.pid)
            self._sessions.discard(child.pid)
        self._changed()
        self._ended(child)

    def _tell_warden(self, session: int) -> None:
        assert self._warden.stdin is not None
        try:
            self._warden.stdin.write(b"%d\n" % session)
        except BrokenPipeError:
            return                                   # somebody killed the warden: the lifelines are still there
