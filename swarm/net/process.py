"""The real host of every process: loop, endpoint, signals and lifeline. Policy runs on its ports."""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from swarm.core.clock import MonotonicClock, WallClock
from swarm.core.ports import Health, Host
from swarm.core.settings.errors import BadInput
from swarm.core.settings.process_files import ProcessFile
from swarm.net.board_sensors import BoardSensors
from swarm.net.descriptors import raise_file_limit, reserved
from swarm.net.lanes import open_endpoint
from swarm.net.loop import Loop
from swarm.net.security.keyring import Keyring
from swarm.net.service_manager import ServiceManager, Status
from swarm.transport.ports import Link

LIFELINE_VARIABLE = "SWARM_LIFELINE_FD"
CLOCK_STEP_VARIABLE = "SWARM_CLOCK_STEP_S"       # step of the wall clock at the start of the process
LINGER_MS = 200
PLAINTEXT = ("%s speaks plaintext: whoever reaches its ports can act as any member, and read everything; for keys see "
             "`swarm keys --help`")
STATM = "/proc/self/statm"            # proc(5): sizes in pages; the second one is resident
ClockStep = Annotated[float, Meta(ge=-1e9, le=1e9)]                  # seconds
Descriptor = Annotated[int, Meta(ge=0, le=2**31 - 1)]

log = logging.getLogger(__name__)


class OwnProcess:
    """The machine port of this process."""

    def __init__(self, loop: Loop, wall: WallClock) -> None:
        self._loop, self._wall, self._sensors = loop, wall, BoardSensors()
        self._statm = os.open(STATM, os.O_RDONLY | os.O_CLOEXEC)     # kept open: later there may be no descriptor left
        self._secret = os.urandom(32)
        self._page_bytes = os.sysconf("SC_PAGESIZE")

    @property
    def pid(self) -> int:
        return os.getpid()

    @property
    def secret(self) -> bytes:
        return self._secret

    def rss_bytes(self) -> int:
        return int(os.pread(self._statm, 256, 0).split()[1]) * self._page_bytes

    def health(self) -> Health:
        with reserved():
            return self._sensors.health()

    def step_wall_clock(self, step_s: float) -> None:
        self._wall.step_s = step_s

    def on_held_up(self, told: Callable[[float], None]) -> None:
        self._loop.held_up = told

    def stop(self) -> None:
        self._loop.stop()


class Process:
    """One process of a swarm. `host` holds the ports for its policy.

    link_to: the links by which this process delays its messages to members (`ShapedLanes`); None: it has none.
    Raises: BadInput for keys that cannot be used, an address that cannot be bound, and variables of the environment
    that make no sense.
    """

    def __init__(
        self, settings: ProcessFile, role: str, *, busy_poll_s: float = 0.0,
        link_to: Callable[[str], Link | None] | None = None,
    ) -> None:
        raise_file_limit()
        if not settings.keys:
            log.warning(PLAINTEXT, settings.name)
        wall = WallClock(_from_environment(CLOCK_STEP_VARIABLE, "0", ClockStep))
        self._lifeline = _lifeline()
        self.clock = MonotonicClock()
        self.loop = Loop(self.clock, busy_poll_s)
        self.net = open_endpoint(
            self.loop, swarm=settings.swarm, name=settings.name, role=role, boot=wall.new_boot(), bind=settings.bind,
            keyring=Keyring(Path(settings.keys), settings.name) if settings.keys else None,
            link_to=link_to, announced=settings.announce,
        )
        self.host = Host(self.clock, self.loop, self.net, OwnProcess(self.loop, wall))
        self._name, self._role = settings.name, role

    def run(
        self, begin: Callable[[], None], end: Callable[[], None] | None = None, status: Status | None = None
    ) -> None:
        """Call `begin`, and run until Shutdown, SIGTERM or SIGINT. A closed lifeline ends the process at once.

        end: called at each signal, in the loop's thread, instead of stopping; it must stop the machine later.
        status: the state of the process, for the manager of a board's services.
        """
        manager = ServiceManager(self.loop, self._name, self._role, status)
        catch((signal.SIGTERM, signal.SIGINT), lambda *_: self.loop.post(end or self.loop.stop))
        if self._lifeline:
            self.loop.watch(self._lifeline, lambda: os._exit(1))     # it becomes readable only when it is closed
        begin()
        keep_what_is_there()
        manager.begin()
        self.loop.run()
        manager.end()
        self.net.close(LINGER_MS)


def keep_what_is_there() -> None:
    """Leave what exists now out of garbage collections from now on.

    Measured: a full collection of an agent's modules and models takes 26 to 44 ms, in which its loop stands still; of
    what is made later it takes far less than 1 ms.
    """
    gc.collect()
    gc.freeze()


def log_to_stderr(name: str) -> None:
    """One line per record, with the process's name."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format=f"{name}: %(levelname)s %(message)s")


def _from_environment(variable: str, default: str, kind: Any) -> Any:
    """A number in a variable of the environment. Raises: BadInput."""
    text = os.environ.get(variable) or default
    try:
        return msgspec.convert(text, kind, strict=False)
    except msgspec.ValidationError:
        raise BadInput(f"${variable}", f"{text!r} is no number for it", "leave it to `swarm launch`") from None


def _lifeline() -> int:
    """The descriptor of the lifeline, a pipe whose other end the launcher holds; 0: there is none. Raises: BadInput."""
    descriptor = _from_environment(LIFELINE_VARIABLE, "0", Descriptor)
    try:
        if descriptor:
            os.fstat(descriptor)
    except OSError:
        raise BadInput(f"${LIFELINE_VARIABLE}", f"{descriptor} is not open in this process",
                       "leave it to `swarm launch`") from None
    return descriptor


def catch(numbers: Iterable[int], handler: Callable[[int, object], object]) -> dict[int, Any]:
    """Handle these signals, but not those that our caller has made us ignore. Returns the former handlers."""
    return {number: signal.signal(number, handler) for number in numbers
            if signal.getsignal(number) != signal.SIG_IGN}
