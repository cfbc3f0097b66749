"""The launcher's children: in sessions of their own, on a lifeline, listed for the supervisor, watched by pidfd."""

from __future__ import annotations

import os
import resource
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

import msgspec

from swarm.core.settings.errors import BadInput
from swarm.launcher import supervisor
from swarm.net.descriptors import raise_file_limit
from swarm.net.loop import Loop
from swarm.net.process import CLOCK_STEP_VARIABLE, LIFELINE_VARIABLE

ISOLATED = ["-I"] if sys.version_info < (3, 11) else []
ENVIRONMENT = {
    "PYTHONSAFEPATH": "1",           # from 3.11 on: a folder `models` in the current directory is not ours
    "PYTHONUNBUFFERED": "1",
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"),
}
SUPERVISOR_WAIT_S = 6.0
ROBOT_FILES = 7                      # open files of the launcher for each robot: its process, and two lanes both ways
OWN_FILES = 64                       # for all else: measured 50, with the reserve; others may connect
RESERVE = 8                          # of these: so that there are enough for the clean-up, whatever took the others
REAP_MS = 100                        # from the end of a process's last thread until its parent is told


class Child(msgspec.Struct, kw_only=True):
    """One process. `returncode` is as in `subprocess`: negative for a signal, None while it runs."""

    name: str
    role: str
    pid: int
    log: Path
    returncode: int | None = None

    @property
    def ended_how(self) -> str:
        """How it ended, for people."""
        code = self.returncode
        if code is None:
            return "runs"
        return f"ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"

    def last_words(self) -> str:
        """The last line of its log, or nothing."""
        try:
            with open(self.log, "rb") as log:
                log.seek(max(0, os.path.getsize(self.log) - 4096))
                return last_line(log.read())
        except OSError:                              # somebody has moved it
            return ""


def last_line(text: bytes) -> str:
    """The last line that is not empty, or nothing."""
    lines = text.decode(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def swarm_command(*arguments: str) -> list[str]:
    """The command line of `swarm ARGUMENTS` with this interpreter."""
    return [sys.executable, *ISOLATED, "-m", "swarm.cli.main", *arguments]


def check_file_limit(robots: int) -> None:
    """Raises: BadInput if the launcher cannot open as many files as a run of so many robots needs."""
    most, needed = raise_file_limit(), OWN_FILES + ROBOT_FILES * robots
    if most < needed and most != resource.RLIM_INFINITY:
        raise BadInput(f"{robots} robots", f"the launcher would have {needed} open files, and may have {most}",
                       f"at most {max(0, most - OWN_FILES) // ROBOT_FILES} robots, or a higher `ulimit -Hn`")


class Children:
    """All processes of one run. `changed` is called after every start and end, `ended` with every process that ends.

    keys: descriptor of the folder that the supervisor removes if we are killed. lock: a descriptor that it keeps until
    all processes have ended. unlogged: called with the name of each log that cannot be opened, and why.
    Raises: OSError.
    """

    def __init__(
        self, loop: Loop, logs: Path, ended: Callable[[Child], None], changed: Callable[[], None] = lambda: None, *,
        keys: int, lock: int, unlogged: Callable[[str, OSError], None] = lambda name, error: None,
    ) -> None:
        self._loop, self._logs, self._ended, self._changed = loop, logs, ended, changed
        self._unlogged = unlogged
        self._popen: dict[str, subprocess.Popen[bytes]] = {}
        self._pidfds: dict[str, int] = {}
        self._children: dict[str, Child] = {}        # the newest of each name
        self._former: list[Child] = []               # the replaced ones
        self._sessions: set[int] = set()             # sessions that may still have processes
        self._supervisor = subprocess.Popen(
            [sys.executable, "-I", "-S", supervisor.__file__, str(keys)], stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True, bufsize=0,
            pass_fds=(keys, lock),
        )
        self._lifeline, self._lifeline_write = os.pipe2(os.O_CLOEXEC)
        self._reserve = [os.dup(self._lifeline) for _ in range(RESERVE)]

    def spawn(self, name: str, role: str, command: Sequence[str], clock_step_s: float = 0.0) -> Child:
        """Start a process, perhaps again under the same name; its output goes to NAME.log. Raises: OSError."""
        log = self._logs / f"{name}.log"
        environment = {**os.environ, **ENVIRONMENT, LIFELINE_VARIABLE: str(self._lifeline),
                       CLOCK_STEP_VARIABLE: str(clock_step_s)}
        with self._opened(log) as output:
            popen = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=environment,
                start_new_session=True, pass_fds=(self._lifeline,),
            )
        self._tell_supervisor(popen.pid)
        self._sessions.add(popen.pid)
        if name in self._children:
            self._former.append(self._children[name])
        child = Child(name=name, role=role, pid=popen.pid, log=log)
        self._popen[name], self._children[name] = popen, child
        pidfd = self._pidfds[name] = os.pidfd_open(popen.pid)
        self._loop.watch(pidfd, lambda: self._reap(name))
        self._changed()
        return child

    def _opened(self, log: Path) -> IO[bytes]:
        """A log; what is written is lost where it cannot be opened."""
        try:
            log.parent.mkdir(exist_ok=True)          # somebody may have moved the logs
            return open(log, "ab")
        except OSError as error:
            self._unlogged(log.name, error)
            return open(os.devnull, "ab")

    def last_words(self, name: str) -> str:
        """The last line that the newest process of this name has printed."""
        return self._children[name].last_words()

    def all(self) -> list[Child]:
        """Processes that were replaced, then the newest of each name in the order of their first start."""
        return [*self._former, *self._children.values()]

    def is_running(self, name: str, pid: int) -> bool:
        """Whether the newest process of this name has this pid and has not ended."""
        child = self._children.get(name)
        return child is not None and child.pid == pid and child.returncode is None

    def kill(self, name: str) -> None:
        """SIGKILL to the process alone. `ended` is called when it has ended."""
        if self._children[name].returncode is None:
            os.kill(self._children[name].pid, signal.SIGKILL)

    def signal(self, name: str, number: int) -> None:
        """A signal to the process and to all that it has started."""
        if self._children[name].returncode is None:
            supervisor.signal_sessions([self._children[name].pid], number)

    def table(self) -> list[dict[str, Any]]:
        """`processes.json`: role, name and pid of each, and how it ended."""
        ours = [{"role": "launcher", "name": "launcher", "pid": os.getpid(), "returncode": None},
                {"role": "supervisor", "name": "supervisor", "pid": self._supervisor.pid, "returncode": None}]
        return ours + [{"role": c.role, "name": c.name, "pid": c.pid, "returncode": c.returncode} for c in self.all()]

    def close(self) -> list[int]:
        """End every session that is left, by force if need be, then the supervisor. Returns the pids that remain.

        It does not wait for a process that the kernel does not end, as one in a driver's call that never returns.
        """
        for descriptor in self._reserve:
            os.close(descriptor)
        left = supervisor.end_sessions(self._sessions)
        for name, pidfd in list(self._pidfds.items()):
            if _has_ended(pidfd):
                self._reap(name)
        assert self._supervisor.stdin is not None
        self._supervisor.stdin.close()
        os.close(self._lifeline_write)
        os.close(self._lifeline)
        try:
            self._supervisor.wait(SUPERVISOR_WAIT_S)
        except subprocess.TimeoutExpired:            # it waits for those that do not end
            self._supervisor.kill()
        return left

    def _reap(self, name: str) -> None:
        """The process has ended; end everything that it has started."""
        pidfd, child = self._pidfds.pop(name), self._children[name]
        self._loop.unwatch(pidfd)
        os.close(pidfd)
        # Before the wait: while the dead leader is not reaped, its session's id cannot become another's.
        survivors = supervisor.signal_sessions([child.pid], signal.SIGKILL)
        child.returncode = self._popen[name].wait()
        if not survivors:
            self._tell_supervisor(-child.pid)
            self._sessions.discard(child.pid)
        self._changed()
        self._ended(child)

    def _tell_supervisor(self, session: int) -> None:
        assert self._supervisor.stdin is not None
        try:
            self._supervisor.stdin.write(b"%d\n" % session)
        except BrokenPipeError:
            return                                   # the supervisor was killed: the lifelines are still there


def _has_ended(pidfd: int) -> bool:
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(REAP_MS))
