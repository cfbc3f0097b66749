"""The most memory that a process holds while it runs one function, also for an instant between two looks.

The function runs in a process of its own, so that nothing else which runs in a test's process counts.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from tests.patience import HANG_S

T = TypeVar("T")


def growth_bytes(function: Callable[..., T], *arguments: Any) -> tuple[int, T]:
    """How far the resident set grew at its highest, and what the function returned; its errors are raised here.

    function: of a module, so that the other process can import it.
    """
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        return process.submit(_measured, function, *arguments).result(HANG_S)


def _measured(function: Callable[..., T], *arguments: Any) -> tuple[int, T]:
    before = _bytes("VmRSS")
    returned = function(*arguments)
    return _bytes("VmHWM") - before, returned


def _bytes(which: str) -> int:
    (line,) = (one for one in Path("/proc/self/status").read_text(encoding="ascii").splitlines() if which in one)
    return int(line.split()[1]) << 10
