"""Ray's place beside the planner: a process of its own that joins the cluster and runs portfolios on request.

Ray holds Python's lock for over a second while it starts (measured: 1.7 s on two cores), and ends the process that
drives it when its own parts fail. In the planner's process the first would look like the loss of every agent, and the
second would be the loss of the planner. It lives in the planner's session, and ends with its standard input.
"""

from __future__ import annotations

import contextlib
import io
import os
import signal
import subprocess
import sys
from typing import IO, TypeVar, cast

import msgpack
import msgspec
import psutil

from swarm import cluster
from swarm.core.policy.plan import Placement
from swarm.planner.problem import Problem
from swarm.planner.solvers.place import Solution
from swarm.planner.solvers.portfolio import TIMEOUT_S, Portfolio

T = TypeVar("T")

READ_BYTES = 64 << 10
END_S = 3.0                          # for Ray to end in order

ENDED = "its process ended"


class Wanted(msgspec.Struct, frozen=True):
    """Refine this."""

    problem: Problem
    previous: list[Placement]


class Up(msgspec.Struct, frozen=True):
    """Said once: whether the cluster was joined."""

    reason: str                      # empty: it was


class Refined(msgspec.Struct, frozen=True):
    """The answer to each wish; no solution where nothing came back from the cluster."""

    solution: Solution | None
    reason: str


class Refiner:
    """The planner's end. Its calls block, so they belong in a thread; a portfolio may take `timeout_s`."""

    def __init__(self, address: str, seed: int, timeout_s: float = TIMEOUT_S) -> None:
        """Raises: OSError where no process can be started."""
        isolated = ["-I"] if sys.version_info < (3, 11) else []      # later ones heed PYTHONSAFEPATH
        self._child = subprocess.Popen(
            [sys.executable, *isolated, "-m", __name__, address, str(seed), str(timeout_s)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )
        self._answers = _Stream(self._child.stdout)
        self._settled = False                        # Ray cannot be stopped in order while it starts

    def up(self) -> str:
        """Wait until the cluster was joined. Returns why it was not, or an empty string."""
        said = self._answers.next(Up)
        self._settled = True
        return said.reason if said else ENDED

    def refine(self, problem: Problem, previous: list[Placement]) -> Refined:
        """The best of a portfolio, or a reason."""
        assert self._child.stdin is not None
        try:
            self._child.stdin.write(msgspec.msgpack.encode(Wanted(problem, previous)))
            self._child.stdin.flush()
        except (OSError, ValueError):                # broken, or closed by us
            return Refined(None, ENDED)
        return self._answers.next(Refined) or Refined(None, ENDED)

    def close(self) -> bool:
        """End it and all below it; at once where Ray is still starting. Returns whether it ended by itself in time."""
        with contextlib.suppress(psutil.NoSuchProcess):
            below = psutil.Process(self._child.pid).children(recursive=True)
            try:
                if self._child.stdin is not None:
                    self._child.stdin.close()
                self._child.wait(END_S if self._settled else 0.0)
                clean = True
            except (OSError, subprocess.TimeoutExpired):
                self._child.kill()
                clean = False
            for process in below:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
            return clean
        return True


class _Stream:
    """MessagePack values that come one after the other; each says itself where it ends."""

    def __init__(self, pipe: IO[bytes] | None) -> None:
        self._pipe = cast(io.BufferedReader, pipe)
        self._values = msgpack.Unpacker(use_list=False, strict_map_key=False)    # maps have pairs as keys

    def next(self, kind: type[T]) -> T | None:
        """Wait for the next value; None at the end of the stream, be it within a value."""
        while True:
            try:
                return msgspec.convert(self._values.unpack(), kind)
            except msgpack.OutOfData:
                try:
                    some = self._pipe.read1(READ_BYTES)
                except ValueError:                   # closed by us
                    return None
                if not some:
                    return None
                self._values.feed(some)


def main(address: str, seed: int, timeout_s: float) -> None:
    """The child's end: join, then answer until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)     # a terminal's Ctrl-C is the planner's to handle
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)                                    # whatever prints does not reach the planner as an answer
    reason = cluster.connect(address)

    def answer(value: Up | Refined) -> None:
        answers.write(msgspec.msgpack.encode(value))
        answers.flush()

    answer(Up(reason))
    portfolio, asked = Portfolio(seed, timeout_s), _Stream(sys.stdin.buffer)
    while not reason and (wanted := asked.next(Wanted)):
        solution = portfolio.solve(wanted.problem, wanted.previous)
        answer(Refined(solution, portfolio.statistics().reason))
    clean = cluster.disconnect(END_S - 1.0)
    os._exit(0 if clean else 1)                      # Ray's threads would hold up an orderly end


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
