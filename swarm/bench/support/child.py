"""The child processes of a bench, on the parent's side. Parent and child exchange lines of JSON.

A child ends when its standard input closes, so that no child outlives its parent.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Sequence
from typing import TypeVar

import msgspec

from swarm.core.clock import MonotonicClock
from swarm.core.units import ns, seconds

T = TypeVar("T")

ISOLATED = ["-I"] if sys.version_info < (3, 11) else []
ENVIRONMENT = {
    "PYTHONSAFEPATH": "1",           # from 3.11 on: do not import `models` from the working directory
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
}
PATIENCE_S = 120.0
END_S = 5.0
MOST_BYTES = 1 << 26                 # of a line: more than any bench sends
SHOWN_BYTES = 40                     # of a line that is no answer


class ChildError(RuntimeError):
    """A child ended, did not answer in time, or sent something else than an answer."""


class Child:
    """One process that runs `PREFIX python -m MODULE ARGUMENTS`; an example of a prefix is `ip netns exec NAME`.

    python: the interpreter of another environment; it runs MODULE as a file. Its standard error is not redirected.
    Leaving the `with` block ends and reaps it. Raises: OSError if it cannot be started.
    """

    def __init__(self, module: str, *arguments: str, prefix: Sequence[str] = (), python: str | None = None) -> None:
        self._module = module
        start = [sys.executable, *ISOLATED, "-m"] if python is None else [python]
        self._popen = subprocess.Popen(
            [*prefix, *start, module, *arguments], bufsize=0,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, **ENVIRONMENT},
            start_new_session=True,                          # Ctrl-C signals only the parent
        )
        self.pid = self._popen.pid
        self._read = bytearray()                             # what follows the line that was received last

    def send(self, order: msgspec.Struct | int) -> None:
        """Send one line. Raises: ChildError if the child has ended."""
        assert self._popen.stdin is not None
        try:
            self._popen.stdin.write(msgspec.json.encode(order) + b"\n")
        except BrokenPipeError:
            raise self._ended() from None

    def receive(self, kind: type[T], patience_s: float = PATIENCE_S) -> T:
        """Wait for the next line. Raises: ChildError if there is none within `patience_s`, or it is no such answer."""
        line = self._line(patience_s)
        try:
            return msgspec.json.decode(line, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise ChildError(f"{self._module} (process {self.pid}) sent {line[:SHOWN_BYTES]!r}") from None

    def _line(self, patience_s: float) -> bytes:
        assert self._popen.stdout is not None
        clock = MonotonicClock()
        until_ns = clock.now_ns() + ns(patience_s)
        while (end := self._read.find(b"\n")) < 0:
            left_s = max(0.0, seconds(until_ns - clock.now_ns()))
            if not select.select([self._popen.stdout], [], [], left_s)[0]:
                raise ChildError(f"{self._module} (process {self.pid}) sent nothing for {patience_s:g} s")
            more = os.read(self._popen.stdout.fileno(), 1 << 16)
            if not more:
                raise self._ended()
            self._read += more
            if len(self._read) > MOST_BYTES:
                raise ChildError(f"{self._module} (process {self.pid}) sent a line without an end")
        line = bytes(self._read[:end])
        del self._read[:end + 1]
        return line

    def close(self) -> None:
        """End the child, and what it started, by SIGKILL if it does not end by itself. A second call does nothing."""
        for pipe in (self._popen.stdin, self._popen.stdout):
            if pipe is not None:
                pipe.close()
        try:
            self._popen.wait(END_S)
        except subprocess.TimeoutExpired:
            self._kill()

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ended(self) -> ChildError:
        try:
            return ChildError(f"{self._module} (process {self.pid}) ended with {self._popen.wait(END_S)}")
        except subprocess.TimeoutExpired:
            self._kill()
            return ChildError(f"{self._module} (process {self.pid}) closed its output")

    def _kill(self) -> None:
        os.killpg(self.pid, signal.SIGKILL)                  # it leads a session, and so a group, of its own
        self._popen.wait()


def cpu_s(pid: int) -> float:
    """CPU time of all threads of a process, in seconds."""
    ran_ns = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/schedstat") as figures:
            ran_ns += int(figures.read().split()[0])
    return ran_ns / 1e9
