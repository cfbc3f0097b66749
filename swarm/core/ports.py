"""The ports of policy: clock, timers, transport, machine and files. Hosts provide them.

Policy uses nothing else, so that the same classes run on a robot and in virtual time. All calls happen in one thread;
a host calls back in that thread, too. The port that runs models is in `agents/ports.py`, because it uses types of
agents.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import msgspec
from numpy.typing import NDArray

from swarm.core.policy.lateness import Lateness
from swarm.core.policy.link import LinkEstimator
from swarm.core.protocol.messages import Body, InjectedFaults, Member


class Clock(Protocol):
    """A monotonic clock with an arbitrary zero, one per robot. Only differences of its readings travel."""

    def now_ns(self) -> int: ...


class Timer(Protocol):
    """A pending call; `cancel` may be called at any time, and twice."""

    def cancel(self) -> None: ...


class Timers(Protocol):
    """Calls at a time of the host's clock. Calls due at the same time are made in the order in which they were set."""

    @property
    def lateness(self) -> Lateness:
        """How late the calls were made."""
        ...

    def at(self, when_ns: int, callback: Callable[[], None]) -> Timer:
        """Call back once, not before `when_ns`."""
        ...

    def after(self, delay_ns: int, callback: Callable[[], None]) -> Timer: ...

    def every(self, period_ns: int, callback: Callable[[], None]) -> Timer:
        """Call back at a fixed rate from now on, until cancelled; a period that was missed is skipped, not made up."""
        ...


class Received(msgspec.Struct, frozen=True):
    """A received message, its sender, when its header was received and when it was complete."""

    sender: str
    boot: int                        # of the sender
    body: Body
    tensors: list[NDArray[Any]]
    budget_s: float | None           # left at `begun_ns`
    begun_ns: int                    # when its header was received, own clock
    at_ns: int


class Traffic(msgspec.Struct, frozen=True):
    """Totals of a transport since it was made."""

    refused: int                     # messages and handshakes
    control_bytes: int               # sent on the urgent lane
    messages: int                    # sent and received, on both lanes
    size_bytes: int                  # of these
    broken_off: int                  # connections that ended before their handshake was complete
    radio: tuple[int, int, int, int] = (0, 0, 0, 0)
    """Messages sent to robots and planners, their bytes, messages received from these, and their bytes: what goes by
    radio, as that to a body or a launcher does not."""


class Transport(Protocol):
    """Messages to and from the joined members, and the measured link to each."""

    @property
    def member(self) -> Member:
        """Name, role and addresses of this process, as it announces them."""
        ...

    def attach(
        self, received: Callable[[Received], None],
        undelivered: Callable[[str, Hashable, str], None] = lambda to, tag, reason: None,
    ) -> None:
        """Set the handler of all messages.

        undelivered: called with receiver, tag and reason for each tagged message that was accepted and will not arrive.
        """
        ...

    def join(self, members: Sequence[Member]) -> None:
        """Take in every member but this process, and connect; a member whose address changed is connected again.

        Agents connect to each other when they need to.
        """
        ...

    def admits(self, member: Member) -> bool:
        """Whether a member could join: with keys, only one that is enrolled."""
        ...

    def limit_transfers(self, most_bytes: int, most_bytes_in_all: int) -> None:
        """Accept large messages in chunks only up to these sizes: from one member, and from all together."""
        ...

    def leave(self, name: str) -> None:
        """Forget a member; messages queued for it are dropped."""
        ...

    def peers(self, *roles: str) -> list[str]:
        """Names of the members that have joined, in this order; of these roles, if any are named."""
        ...

    def role(self, name: str) -> str:
        """Role of a member, empty if it is not known."""
        ...

    def where(self, name: str) -> Member | None:
        """A member's addresses, if it has joined."""
        ...

    def send(
        self, to: str, body: Body, tensors: Sequence[NDArray[Any]] = (), budget_s: float | None = None,
        tag: Hashable = None,
    ) -> bool:
        """False: the member cannot be reached now, or its queue is full. Tensors must not be changed afterwards."""
        ...

    def cancel(self, to: str, tag: Hashable) -> bool:
        """Stop the unsent rest of the message with this tag. False: there is no such message any more."""
        ...

    def link(self, name: str) -> LinkEstimator | None:
        """The estimator of the link to a member; None: it is not connected."""
        ...

    def inject(self, faults: InjectedFaults) -> None:
        """Drop and corrupt messages of peers by these faults from now on. They replace those injected before."""
        ...

    def hear_only(self, members: Collection[str]) -> None:
        """From now on drop the messages of all robots and planners but these: the others are out of radio reach."""
        ...

    def traffic(self) -> Traffic: ...


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """The state of a board; None: not known, or there is no such thing."""

    battery: float | None = None         # charge, 0..1
    battery_wh: float | None = None      # energy left
    temperature_c: float | None = None   # of the hottest part that is measured
    throttled: bool | None = None        # it computes more slowly because it is hot


class Machine(Protocol):
    """The computer and the process that policy runs on."""

    @property
    def pid(self) -> int: ...

    @property
    def secret(self) -> bytes:
        """32 bytes that no other process knows; a restarted process has others."""
        ...

    def rss_bytes(self) -> int:
        """Resident memory of the process."""
        ...

    def health(self) -> Health:
        """The state of the board, read now. It may take a millisecond."""
        ...

    def step_wall_clock(self, step_s: float) -> None:
        """Inject a fault: the wall clock is off by this much in total from now on."""
        ...

    def on_held_up(self, told: Callable[[float], None]) -> None:
        """Call back with the seconds for which this process did not run, whenever these were more than 1."""
        ...

    def stop(self) -> None:
        """End the process in an orderly way, after this turn of the loop."""
        ...


class KeptRecord(NamedTuple):
    """A report that waits for a collector."""

    boot: int                        # the start of the process that made it
    number: int                      # of that start's reports
    at_ns: int                       # when it was made, on the clock of this start
    body: bytes


class Shelf(Protocol):
    """Where reports are kept over restarts of the process and of its board."""

    @property
    def found(self) -> Sequence[KeptRecord]:
        """Those of earlier starts, oldest first."""
        ...

    @property
    def lost(self) -> int:
        """Reports that were dropped or torn, and nobody was told of."""
        ...

    def keep(self, record: KeptRecord) -> None: ...

    def forget(self, count: int, last: KeptRecord, lost: int) -> None:
        """The oldest ones, up to `last`, are needed no more. lost: those that were dropped, and nobody was told of."""
        ...


class Files(Protocol):
    """Small files in one folder."""

    def write(self, name: str, content: bytes) -> None:
        """Write a file completely or not at all. Raises: OSError."""
        ...


@dataclass(frozen=True)
class Host:
    """All ports of one process."""

    clock: Clock
    timers: Timers
    transport: Transport
    machine: Machine
