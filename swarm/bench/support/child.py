"""A bench's other processes, as their parent sees them: real programs that take and say one JSON line at a time.

A child holds the read end of its standard input and ends when that closes, so that none outlives its parent.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
from collections.abc import Sequence
from typing import TypeVar

import msgspec

T = TypeVar("T")

ISOLATED = ["-I"] if sys.version_info < (3, 11) else []
ENVIRONMENT = {
    "PYTHONSAFEPATH": "1",           # from 3.11 on: a folder `models` where the user stands is not ours
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
}
PATIENCE_S = 120.0
END_S = 5.0


class ChildError(RuntimeError):
    """A child ended, or said nothing for too long."""


class Child:
    """One process that runs `python -m MODULE ARGUMENTS`; `prefix` goes before that, as `ip netns exec NAME` does.

    What it writes on standard error is shown as it is. Leaving the `with` block ends and reaps it.
    """

    def __init__(self, module: str, *arguments: str, prefix: Sequence[str] = ()) -> None:
        self._module = module
        self._popen = subprocess.Popen(
            [*prefix, sys.executable, *ISOLATED, "-m", module, *arguments], bufsize=0,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, **ENVIRONMENT},
            start_new_session=True,                          # Ctrl-C is the parent's to answer
        )
        self.pid = self._popen.pid

    def tell(self, order: msgspec.Struct) -> None:
        """Hand it one line. Raises: ChildError where it has ended."""
        assert self._popen.stdin is not None
        try:
            self._popen.stdin.write(msgspec.json.encode(order) + b"\n")
        except BrokenPipeError:
            raise self._ended() from None

    def hear(self, kind: type[T], patience_s: float = PATIENCE_S) -> T:
        """Its next line. Raises: ChildError where it has ended or says nothing for `patience_s`."""
        assert self._popen.stdout is not None
        if not select.select([self._popen.stdout], [], [], patience_s)[0]:
            raise ChildError(f"{self._module} (process {self.pid}) said nothing for {patience_s:g} s")
        line = self._popen.stdout.readline()
        if not line:
            raise self._ended()
        return msgspec.json.decode(line, type=kind)

    def close(self) -> None:
        """End it, by force if it does not go by itself. A second call does nothing."""
        for pipe in (self._popen.stdin, self._popen.stdout):
            if pipe is not None:
                pipe.close()
        try:
            self._popen.wait(END_S)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ended(self) -> ChildError:
        return ChildError(f"{self._module} (process {self.pid}) ended with {self._popen.wait(END_S)}")


def cpu_s(pid: int) -> float:
    """Seconds that the threads of a process have run on a core, all in all."""
    ran_ns = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/schedstat") as figures:
            ran_ns += int(figures.read().split()[0])
    return ran_ns / 1e9
