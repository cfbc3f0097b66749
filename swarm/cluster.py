"""Ray behind calls of functions, one by one (`Calls`) or many at once (`map`). Only this file imports Ray, and only
inside functions.

Errors of Ray are returned as a reason and never raised, because no part of a swarm needs Ray.
Local Ray is kept small (measured: 711 MiB and 9 processes when idle): few CPUs, a small object store, no dashboard.
Token authentication stays as Ray sets it; Ray's log lines are kept off the screen.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib.util
import logging
import queue
import re
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Generic, TypeVar

import msgspec
import psutil

from swarm import ray_processes
from swarm.core.settings.errors import BadInput

K = TypeVar("K")
T = TypeVar("T")
R = TypeVar("R")

log = logging.getLogger(__name__)

REACH_S = 3.0
GONE_S = 10.0                            # a network that stands still for seconds has not lost its cluster
FETCH_S = 10.0                           # for a value that is on this host, so that only a fault of Ray takes so long
OBJECT_STORE_BYTES = 100_000_000
CPUS = 2
_leave = threading.Event()               # tells the thread that started Ray that it may end
_connecting = threading.Event()


class Mapped(msgspec.Struct, Generic[R], frozen=True):
    """The result of a map: values by the index of their item, and the reason why values are missing."""

    values: dict[int, R]
    reason: str = ""                 # empty: none is missing


def available() -> bool:
    """Whether Ray is installed."""
    return importlib.util.find_spec("ray") is not None


def connected() -> bool:
    """Whether functions can be called on a cluster now."""
    if not available():
        return False
    import ray

    return ray.is_initialized()


def join(address: str, cpus: int = CPUS, environment: Mapping[str, str] = MappingProxyType({})) -> None:
    """As `connect`, for a cluster that the user has asked for. Raises: BadInput if it cannot be used."""
    if reason := connect(address, cpus, environment):
        raise BadInput(f"--ray {address}", reason,
                       "local, or a Ray cluster that runs; with RAY_AUTH_MODE=token if it asks for a token")


def connect(address: str = "local", cpus: int = CPUS, environment: Mapping[str, str] = MappingProxyType({})) -> str:
    """Start a small local Ray, or join the cluster at an address. Returns why it failed, or an empty string.

    Takes about five seconds; may be called from any thread. Ray's processes stay in the session of this one.
    cpus: of a local one. environment: variables for the processes that are called, on whatever node.
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
        reason = _init(address, cpus, environment)
        _connecting.clear()
        result.put(reason)
        _leave.wait()

    _leave.clear()
    _connecting.set()
    ray_processes.remember_others()
    threading.Thread(target=start_and_stay, name="ray keeper", daemon=True).start()
    return result.get()


def _init(address: str, cpus: int, environment: Mapping[str, str]) -> str:
    ray_processes.prepare()
    options: dict[str, Any] = {"runtime_env": {"env_vars": dict(environment)}} if environment else {}
    if address == "local":
        options |= {"num_cpus": cpus, "object_store_memory": OBJECT_STORE_BYTES, "include_dashboard": False}
    try:
        import ray

        _log_prints()
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, namespace="swarm", **options)
    except Exception as error:           # noqa: BLE001 - Ray may raise anything; the swarm goes on without Ray
        return _one_line(error)
    return ""


def cpus() -> int:
    """CPUs of all nodes that are there now; at least 1: if there is none, a call waits for the next node."""
    import ray

    try:
        return max(1, int(ray.cluster_resources().get("CPU", 0)))
    except Exception:                    # noqa: BLE001 - Ray may raise anything; whoever waits for a call is told why
        return 1


def gone() -> str:
    """Why the head of the cluster does not answer, or an empty string.

    Ray waits for it for a minute, and then ends this process.
    """
    import ray

    return _unreachable_reason(ray.get_runtime_context().gcs_address, GONE_S)


def node() -> str:
    """The address of the node that this call runs on."""
    import ray

    return ray.util.get_node_ip_address()


class Failed(msgspec.Struct, frozen=True):
    """A call without a value. lost: with its process or its node; else it raised an error, or cannot begin there."""

    why: str
    lost: bool
    node: str = ""                   # where it raised the error; empty: unknown


class Calls(Generic[K, T, R]):
    """Calls of a function of an importable module, one by one, each on a CPU of the cluster; results as they come.

    repeats: how often a lost one is called again, without a word.
    """

    def __init__(self, function: Callable[[T], R], repeats: int = 0) -> None:
        import ray

        self._remote: Any = ray.remote(num_cpus=1, max_retries=repeats)(function)
        self._under_way: dict[Any, K] = {}           # by Ray's reference
        self._never: list[tuple[K, Failed]] = []     # that could not be started

    def __len__(self) -> int:
        """Calls that have been started, and that `ended` has not told of."""
        return len(self._under_way) + len(self._never)

    def start(self, key: K, item: T) -> None:
        """Call the function on an item as soon as a CPU is free. key: the name of this call."""
        try:
            self._under_way[self._remote.remote(item)] = key
        except Exception as error:       # noqa: BLE001 - Ray itself failed
            self._never.append((key, Failed(_one_line(error), lost=True)))

    def ended(self, timeout_s: float | None, count: int = 1) -> list[tuple[K, R | Failed]]:
        """Up to `count` calls that have ended; waits for so many, but not longer. None: as long as it takes."""
        import ray

        ended: list[tuple[K, R | Failed]] = [*self._never]
        self._never.clear()
        if ended or not self._under_way:
            return ended
        try:
            ready, _ = ray.wait(
                list(self._under_way), num_returns=min(count, len(self._under_way)), timeout=timeout_s)
        except Exception as error:       # noqa: BLE001 - Ray itself failed
            return [(key, Failed(_one_line(error), lost=True)) for key in self.cancel()]
        return [(self._under_way.pop(reference), _value(reference)) for reference in ready]

    def cancel(self) -> list[K]:
        """End all that have not ended. Returns their keys."""
        import ray

        keys = list(self._under_way.values())
        for reference in self._under_way:
            with contextlib.suppress(Exception):     # Ray itself failed: then nothing of it runs
                ray.cancel(reference, force=True)
        self._under_way.clear()
        return keys


def _value(reference: Any) -> Any:
    """The value of a call that has ended, or `Failed`."""
    import ray
    from ray.exceptions import RayTaskError

    try:
        return ray.get(reference, timeout=FETCH_S)
    except RayTaskError as error:
        found = re.search(r"\bip=([^,)\s]+)", str(error))
        return Failed(_last_line(error), lost=False, node=found[1] if found else "")
    except Exception as error:           # noqa: BLE001 - a lost process, node or value
        return Failed(_one_line(error), lost=True)


def map(function: Callable[[T], R], items: Sequence[T], timeout_s: float) -> Mapped[R]:
    """Call a function of an importable module on every item, in parallel; late calls are cancelled."""
    if not connected():
        return Mapped({}, "ray is not up")
    calls = Calls[int, T, R](function, repeats=1)
    for number, item in enumerate(items):
        calls.start(number, item)
    values: dict[int, R] = {}
    reason = ""
    for number, result in calls.ended(timeout_s, len(items)):
        if isinstance(result, Failed):
            reason = result.why
        else:
            values[number] = result
    if late := calls.cancel():
        reason = reason or f"{len(late)} of {len(items)} did not end within {timeout_s:g} s"
    return Mapped(values, reason)


def disconnect(timeout_s: float = 4.0) -> bool:
    """Leave the cluster, and end a local one.

    Returns whether Ray ended by itself. If it did not, or if `connect` still runs in another thread, its processes are
    killed, and the caller should end by `os._exit`.
    """
    started = ray_processes.started()
    clean = not _connecting.is_set()
    if clean and connected():
        import ray

        leaving = threading.Thread(target=ray.shutdown, name="ray shutdown", daemon=True)
        leaving.start()
        leaving.join(timeout_s)
        clean = not leaving.is_alive()
        if not clean:
            atexit.unregister(ray.shutdown)          # it would wait for as long
    _leave.set()
    for process in started:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()               # psutil checks that the pid is still the same process
    return clean


def _log_prints() -> None:
    """Log Ray's reports of lost processes. Ray prints them to standard output under all settings."""
    from ray._private import worker

    if hasattr(worker, "print_to_stdstream"):
        def logged(data: dict[str, Any], ignore_prefix: bool = False) -> None:
            log.debug("ray: %s", data.get("lines"))

        worker.print_to_stdstream = logged


def _unreachable_reason(address: str, timeout_s: float = REACH_S) -> str:
    """Why a `host:port` does not answer, or an empty string. Without this check Ray tries for minutes."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=timeout_s).close()
    except (OSError, ValueError) as error:
        return f"{address}: {error}"
    return ""


def _one_line(error: Exception) -> str:
    return f"{type(error).__name__}: {_last_line(error)}"


def _last_line(error: Exception) -> str:
    """The last line of an error's text, which names the cause of an error in the cluster."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[-1].strip() if lines else "no detail"
