"""What a process tells systemd, and the keeper of a board: ready, alive, and how it is.

The protocol is `sd_notify(3)`: datagrams to the socket that $NOTIFY_SOCKET names. The loop feeds the watchdog, so that
a process whose loop hangs is ended. Without these variables nothing is sent. $RUNTIME_DIRECTORY/ROLE.json holds the
process's own state, anew once a second; it is replaced in one step.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from swarm.core.units import ns
from swarm.net.loop import Loop

log = logging.getLogger(__name__)
SOCKET, WATCHDOG, RUNTIME = "NOTIFY_SOCKET", "WATCHDOG_USEC", "RUNTIME_DIRECTORY"
STATE_S = 1.0
EXTEND_S = 20.0                      # the start time-out is extended by this much, each third of it
Status = Callable[[], dict[str, Any]]


def notify(*lines: str) -> None:
    """Send lines like `READY=1`. What cannot be sent is dropped: the manager judges a silent process itself."""
    path = os.environ.get(SOCKET, "")
    if not path:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as to, contextlib.suppress(OSError):
        to.sendto("\n".join(lines).encode(), f"\0{path[1:]}" if path.startswith("@") else path)


class ServiceManager:
    """Keeps the manager of services informed, from the loop. status: the state of the process, for the keeper."""

    def __init__(self, loop: Loop, name: str, role: str, status: Status | None = None) -> None:
        self._loop, self._name, self._role, self._status = loop, name, role, status
        folder = os.environ.get(RUNTIME, "").partition(":")[0]
        self._file = Path(folder) / f"{role}.json" if folder else None
        self._failed = False

    def begin(self) -> None:
        """The process serves from now on."""
        self._write()
        notify("READY=1", f"STATUS={self._name} serves")
        if watchdog_us := os.environ.get(WATCHDOG, ""):
            self._loop.every(int(watchdog_us) * 1_000 // 3, lambda: notify("WATCHDOG=1"))
        if self._file is not None:
            self._loop.every(ns(STATE_S), self._write)

    def end(self) -> None:
        """The loop has ended."""
        self._write()
        notify("STOPPING=1")

    def _write(self) -> None:
        if self._file is None:
            return
        state = {"name": self._name, "role": self._role, "pid": os.getpid(), **(self._status() if self._status else {})}
        new = self._file.with_suffix(".new")
        try:
            new.write_bytes(msgspec.json.encode(state))
            os.replace(new, self._file)
        except OSError as error:
            if not self._failed:                     # told once: it is tried again each second
                log.warning("%s cannot be written: %s", self._file, error)
            self._failed = True


@contextlib.contextmanager
def starting(what: str, most_s: float) -> Iterator[None]:
    """Within the block the start may take longer: it is extended again and again, up to `most_s` seconds in all."""
    ended = threading.Event()

    def extend() -> None:
        for k in range(int(most_s * 3 / EXTEND_S)):
            notify(f"EXTEND_TIMEOUT_USEC={int(EXTEND_S * 1e6)}", f"STATUS={what}, for {round(k * EXTEND_S / 3)} s")
            if ended.wait(EXTEND_S / 3):
                return

    extending = threading.Thread(target=extend, name="starting", daemon=True)
    extending.start()
    try:
        yield
    finally:
        ended.set()
        extending.join()
