"""Ray, behind one verb, `map`. The only file that imports Ray, and only when it is asked to connect.

Nothing here raises for Ray's sake: what went wrong comes back as a reason, because no part of a swarm needs Ray.
Local Ray is kept small (FACTS.md: 711 MiB and 9 processes when idle): few CPUs, a small object store, no dashboard.
Token authentication stays as Ray sets it; only its talk is kept off the screen.
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
import queue
import socket
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec
import psutil

T = TypeVar("T")
R = TypeVar("R")

log = logging.getLogger(__name__)

REACH_S = 3.0
OBJECT_STORE_BYTES = 100_000_000
CPUS = 2
_leave = threading.Event()               # tells the thread that started Ray that it may end
_connecting = threading.Event()


class Mapped(msgspec.Struct, Generic[R], frozen=True):
    """What came back of a map: values by the index of their item, and why others did not."""

    values: dict[int, R]
    reason: str = ""                 # empty: all came


def available() -> bool:
    """Whether Ray is installed."""
    return importlib.util.find_spec("ray") is not None


def connected() -> bool:
    """Whether `map` can be used now."""
    if not available():
        return False
    import ray

    return ray.is_initialized()


def connect(address: str = "local", cpus: int = CPUS) -> str:
    """Start a small local Ray, or join the cluster at an address. Returns why it is not up, or an empty string.

    Takes about five seconds; may be called from any thread. Everything started stays in this process's session.
    """
    if not available():
        return "ray is not installed"
    if connected():
        return ""
    if address != "local" and (reason := _reachable(address)):
        return reason
    said: queue.Queue[str] = queue.Queue()

    def keep() -> None:
        # Ray's processes are told to die with the thread that started them (PR_SET_PDEATHSIG): so that one stays.
        reason = _init(address, cpus)
        _connecting.clear()
        said.put(reason)
        _leave.wait()

    _leave.clear()
    _connecting.set()
    threading.Thread(target=keep, name="ray keeper", daemon=True).start()
    return said.get()


def _init(address: str, cpus: int) -> str:
    _quieten()
    size: dict[str, Any] = {}
    if address == "local":
        size = {"num_cpus": cpus, "object_store_memory": OBJECT_STORE_BYTES, "include_dashboard": False}
    try:
        import ray

        _no_prints()
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, namespace="swarm", **size)
    except Exception as error:           # noqa: BLE001 - Ray raises anything from here; the swarm goes on without it
        return _words(error)
    return ""


def map(function: Callable[[T], R], items: Sequence[T], timeout_s: float) -> Mapped[R]:
    """Call a function of an importable module on every item, in parallel; what is late is cancelled."""
    if not connected():
        return Mapped({}, "ray is not up")
    import ray

    values: dict[int, R] = {}
    reason = ""
    try:
        remote: Any = ray.remote(num_cpus=1, max_retries=1)(function)
        references: list[Any] = [remote.remote(item) for item in items]
        index = {reference: n for n, reference in enumerate(references)}
        ready, late = ray.wait(references, num_returns=len(references), timeout=timeout_s)
        for reference in late:
            reason = f"{len(late)} of {len(items)} did not end within {timeout_s:g} s"
            ray.cancel(reference, force=True)
        for reference in ready:
            try:
                values[index[reference]] = ray.get(reference, timeout=1.0)
            except Exception as error:   # noqa: BLE001 - a lost process or an error over there: told, not raised
                reason = _words(error)
    except Exception as error:           # noqa: BLE001 - Ray itself went away
        reason = _words(error)
    return Mapped(values, reason)


def disconnect(timeout_s: float = 4.0) -> bool:
    """Leave the cluster, and end a local one.

    Returns whether Ray did so by itself. If not, or while `connect` runs in another thread, its processes are killed,
    and the caller had better end by `os._exit`.
    """
    started = _helpers()
    clean = not _connecting.is_set()
    if clean and connected():
        import ray

        leaving = threading.Thread(target=ray.shutdown, name="ray shutdown", daemon=True)
        leaving.start()
        leaving.join(timeout_s)
        clean = not leaving.is_alive()
    _leave.set()
    for process in started:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()               # psutil checks that the pid is still the same process
    return clean


def _helpers() -> list[psutil.Process]:
    """Ray's processes below this one."""
    found: list[psutil.Process] = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            words = process.cmdline()
            if words and ("/ray/" in " ".join(words[:4]) or words[0].startswith("ray::")):
                found.append(process)
    return found


def _quieten() -> None:
    """Keep Ray's log lines off the screen, and let its processes import what this one can."""
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    root = str(Path(__file__).resolve().parent.parent)
    paths = [p for p in os.environ.get("PYTHONPATH", "").split(os.pathsep) if p]
    if root not in paths:
        os.environ["PYTHONPATH"] = os.pathsep.join([root, *paths])
    logging.getLogger("ray").setLevel(logging.ERROR)


def _no_prints() -> None:
    """What Ray reports of lost processes it prints to standard output, whatever it is told: log it instead."""
    from ray._private import worker

    if hasattr(worker, "print_to_stdstream"):
        def logged(data: dict[str, Any], ignore_prefix: bool = False) -> None:
            log.debug("ray: %s", data.get("lines"))

        worker.print_to_stdstream = logged


def _reachable(address: str) -> str:
    """Why a `host:port` does not answer, or an empty string: Ray itself tries for minutes."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=REACH_S).close()
    except (OSError, ValueError) as error:
        return f"{address}: {error}"
    return ""


def _words(error: Exception) -> str:
    """An error in one line; of an error in the cluster the last line, which names the cause."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[-1].strip() if lines else 'no detail'}"
