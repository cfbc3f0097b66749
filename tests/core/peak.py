"""The most memory that a process holds while it runs one function, also for an instant between two looks.

The function runs in a process of its own, so that nothing else which runs in a test's process counts.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, TypeVar

from tests.patience import HANG_S

T = TypeVar("T")


def growth_bytes(function: Callable[..., T], *arguments: Any) -> tuple[int, T]:
    """How far the resident set grew at its highest, and what the function returned.

    function: of a module, so that the other process can import it. It prints its own errors.
    """
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=_measure, args=(theirs, function, *arguments))
    process.start()
    theirs.close()                                           # so that its end is seen
    try:
        assert ours.poll(10 * HANG_S), "it hangs"            # a long piece of work on a busy host
        return ours.recv()
    except EOFError:
        raise AssertionError("it ended without a result") from None
    finally:
        process.kill()
        process.join()


def _measure(result: Connection, function: Callable[..., T], *arguments: Any) -> None:
    before = _bytes("VmRSS")
    returned = function(*arguments)
    result.send((_bytes("VmHWM") - before, returned))


def _bytes(which: str) -> int:
    (line,) = (one for one in Path("/proc/self/status").read_text(encoding="ascii").splitlines() if which in one)
    return int(line.split()[1]) << 10
