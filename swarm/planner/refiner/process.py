"""The refiner: a process beside the planner that joins a Ray cluster, and searches on request: for a small team by a
portfolio, for a large one by shards.

Ray holds Python's lock for over a second while it starts (measured: 1.7 s on two cores), and it ends the process that
drives it when its own processes fail. In the planner's process the lock would make all agents look lost, and the
failure would end the planner. The refiner runs in the planner's session, and ends when its standard input is closed.
Both ends are here: `RefinerProcess` in the planner, `main` in the child.
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
from swarm.planner.ports import Refined
from swarm.planner.problem import Held, Problem
from swarm.planner.shards.sharded import REFINED_ROUNDS, in_parallel, is_large, place_by_shards
from swarm.planner.solvers.portfolio import TIMEOUT_S, Portfolio

T = TypeVar("T")

READ_BYTES = 64 << 10
END_S = 3.0                          # for Ray to end in order
NICENESS = 19                        # Ray's processes take what the robots leave: its start alone takes a core for 7 s

ENDED = Refined(None, "its process ended", ended=True)


class Refine(msgspec.Struct, frozen=True):
    """A request to refine a plan. The answer is `Refined`."""

    problem: Problem
    previous: list[Placement]
    held: Held


class Connected(msgspec.Struct, frozen=True):
    """The result of joining the cluster. Sent once, before any answer."""

    reason: str                      # why it failed; empty: it succeeded


class RefinerProcess:
    """The planner's end. Its calls block, so they belong in a thread. timeout_s: `in_parallel`, or of a portfolio."""

    def __init__(self, address: str, seed: int, timeout_s: float = TIMEOUT_S, niceness: int = NICENESS) -> None:
        """Raises: OSError if no process can be started."""
        isolated = ["-I"] if sys.version_info < (3, 11) else []      # later versions obey PYTHONSAFEPATH
        self._child = subprocess.Popen(
            [sys.executable, *isolated, "-m", __name__, address, str(seed), str(timeout_s), str(niceness)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )
        self._answers = _Stream(self._child.stdout)
        self._connected = False                      # before that, Ray cannot be ended in an orderly way

    def connect(self) -> str:
        """Wait until the child has joined the cluster. Returns why it cannot, or an empty string."""
        answer = self._answers.next(Connected)
        self._connected = True
        return answer.reason if answer else ENDED.reason

    def refine(self, problem: Problem, previous: list[Placement], held: Held = frozenset()) -> Refined:
        """The best of a portfolio, or why there is none. held: streams (agent, name) that stay where they are."""
        assert self._child.stdin is not None
        try:
            self._child.stdin.write(msgspec.msgpack.encode(Refine(problem, previous, held)))
            self._child.stdin.flush()
        except (OSError, ValueError):                # broken, or closed by us
            return ENDED
        return self._answers.next(Refined) or ENDED

    def close(self) -> bool:
        """End it and its children; at once if Ray is still starting. Returns whether it ended by itself in time."""
        with contextlib.suppress(psutil.NoSuchProcess):
            descendants = psutil.Process(self._child.pid).children(recursive=True)
            try:
                if self._child.stdin is not None:
                    self._child.stdin.close()
                self._child.wait(END_S if self._connected else 0.0)
                clean = True
            except (OSError, subprocess.TimeoutExpired):
                self._child.kill()
                clean = False
            for process in descendants:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
            return clean
        return True


class _Stream:
    """Reads MessagePack values from a pipe, one after the other."""

    def __init__(self, pipe: IO[bytes] | None) -> None:
        self._pipe = cast(io.BufferedReader, pipe)
        self._values = msgpack.Unpacker(use_list=False, strict_map_key=False)    # maps have pairs as keys

    def next(self, kind: type[T]) -> T | None:
        """Wait for the next value. None: the stream has ended, perhaps within a value."""
        while True:
            try:
                return msgspec.convert(self._values.unpack(), kind)
            except msgpack.OutOfData:
                try:
                    data = self._pipe.read1(READ_BYTES)
                except ValueError:                   # closed by us
                    return None
                if not data:
                    return None
                self._values.feed(data)


def main(address: str, seed: int, timeout_s: float, niceness: int) -> None:
    """The child's end: join, then answer until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)     # the planner handles Ctrl-C
    os.setpriority(os.PRIO_PROCESS, 0, niceness)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)                                    # printed text must not reach the planner as an answer
    reason = cluster.connect(address)

    def answer(value: Connected | Refined) -> None:
        answers.write(msgspec.msgpack.encode(value))
        answers.flush()

    answer(Connected(reason))
    portfolio, requests = Portfolio(cluster.map, seed, timeout_s), _Stream(sys.stdin.buffer)
    while not reason and (request := requests.next(Refine)):
        if is_large(request.problem):
            found = place_by_shards(request.problem, request.previous, in_parallel(cluster.map, timeout_s), seed=seed,
                                    rounds=REFINED_ROUNDS, held=request.held)
            answer(Refined(found.solution, found.reason, shards=found.shards, lost=found.lost))
        else:
            solution = portfolio.solve(request.problem, request.previous, request.held)
            answer(Refined(solution, portfolio.statistics().reason))
    clean = cluster.disconnect(END_S - 1.0)
    os._exit(0 if clean else 1)                      # Ray's threads would delay an orderly end


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]))
