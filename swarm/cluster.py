"""Ray behind one function, `map`. Only this file imports Ray, and only inside functions.

Errors of Ray are returned as a reason and never raised, because no part of a swarm needs Ray.
Local Ray is kept small (measured: 711 MiB and 9 processes when idle): few CPUs, a small object store, no dashboard.
Token authentication stays as Ray sets it; Ray's log lines are kept off the screen.
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
_strangers: set[psutil.Process] = set()  # children of this process that were there before Ray


class Mapped(msgspec.Struct, Generic[R], frozen=True):
    """The result of a map: values by the index of their item, and the reason why values are missing."""

    values: dict[int, R]
    reason: str = ""                 # empty: none is missing


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
    """Start a small local Ray, or join the cluster at an address. Returns why it failed, or an empty string.

    Takes about five seconds; may be called from any thread. Ray's processes stay in the session of this one.
    """
    if not available():
        return "ray is not installed"
    if connected():
        return ""
    if address != "local" and (reason := _unreachable_reason(address)):
        return reason
    result: queue.Queue[str] = queue.Queue()

    def start_and_stay() -> None:
        # Ray's processes die with the thread that started them (PR_SET_PDEATHSIG), so this thread stays.
        reason = _init(address, cpus)
        _connecting.clear()
        result.put(reason)
        _leave.wait()

    _leave.clear()
    _connecting.set()
    _strangers.update(psutil.Process().children())
    threading.Thread(target=start_and_stay, name="ray keeper", daemon=True).start()
    return result.get()


def _init(address: str, cpus: int) -> str:
    _prepare_environment()
    size: dict[str, Any] = {}
    if address == "local":
        size = {"num_cpus": cpus, "object_store_memory": OBJECT_STORE_BYTES, "include_dashboard": False}
    try:
        import ray

        _log_prints()
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, namespace="swarm", **size)
    except Exception as error:           # noqa: BLE001 - Ray may raise anything; the swarm goes on without Ray
        return _one_line(error)
    return ""


def map(function: Callable[[T], R], items: Sequence[T], timeout_s: float) -> Mapped[R]:
    """Call a function of an importable module on every item, in parallel; late calls are cancelled."""
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
            except Exception as error:   # noqa: BLE001 - a lost process or an error in the cluster: reported, not raised
                reason = _one_line(error)
    except Exception as error:           # noqa: BLE001 - Ray itself failed
        reason = _one_line(error)
    return Mapped(values, reason)


def disconnect(timeout_s: float = 4.0) -> bool:
    """Leave the cluster, and end a local one.

    Returns whether Ray ended by itself. If it did not, or if `connect` still runs in another thread, its processes are
    killed, and the caller should end by `os._exit`.
    """
    started = _ray_processes()
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


def _ray_processes() -> list[psutil.Process]:
    """The processes of the Ray that this process has started: children of ours, and all that they have started.

    Another child's Ray is not ours.
    """
    found: list[psutil.Process] = []
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            words = child.cmdline()
            if child not in _strangers and words and ("/ray/" in " ".join(words[:4]) or words[0].startswith("ray::")):
                found += [child, *child.children(recursive=True)]
    return found


def _prepare_environment() -> None:
    """Keep Ray's log lines off the screen, and let its processes import the same modules as this one."""
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    root = str(Path(__file__).resolve().parent.parent)
    paths = [p for p in os.environ.get("PYTHONPATH", "").split(os.pathsep) if p]
    if root not in paths:
        os.environ["PYTHONPATH"] = os.pathsep.join([root, *paths])
    logging.getLogger("ray").setLevel(logging.ERROR)


def _log_prints() -> None:
    """Log Ray's reports of lost processes. Ray prints them to standard output under all settings."""
    from ray._private import worker

    if hasattr(worker, "print_to_stdstream"):
        def logged(data: dict[str, Any], ignore_prefix: bool = False) -> None:
            log.debug("ray: %s", data.get("lines"))

        worker.print_to_stdstream = logged


def _unreachable_reason(address: str) -> str:
    """Why a `host:port` does not answer, or an empty string. Without this check Ray tries for minutes."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=REACH_S).close()
    except (OSError, ValueError) as error:
        return f"{address}: {error}"
    return ""


def _one_line(error: Exception) -> str:
    """An error in one line: the last line of its text, which names the cause of an error in the cluster."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[-1].strip() if lines else 'no detail'}"
