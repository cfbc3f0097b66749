"""The port of the transport: the two lanes of one process. ZeroMQ's sockets provide it, or a virtual network."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from swarm.core.protocol.messages import Member
from swarm.core.protocol.wire import Buffer, WireError

LANES = ("urgent", "bulk")
URGENT_BYTES = 8 << 10               # larger messages go on the bulk lane
RECEIVE_QUEUE = {"urgent": 64, "bulk": 8}    # messages per peer; the window limits the bytes in flight
SEND_QUEUE = {"urgent": 64, "bulk": 40}      # messages per peer


class LaneStatistics(msgspec.Struct, frozen=True):
    """Messages and bytes of one lane; `broken_off`: connections that ended before their handshake was complete."""

    sent: int
    received: int
    sent_bytes: int
    received_bytes: int
    broken_off: int


class Connection(Protocol):
    """The way to the two lanes of one member."""

    @property
    def write(self) -> Mapping[str, Callable[[Sequence[Buffer]], bool]]:
        """By lane: send a message's frames now. False: there is no connection now, or its queue is full."""
        ...

    def is_ready(self, lane: str) -> bool:
        """Whether a message could be sent now."""
        ...

    def close(self) -> None:
        """Messages that wait to be sent are dropped."""
        ...


class Link(Protocol):
    """One direction of the way from one process to another."""

    def arrives_ns(self, size_bytes: int, now: int) -> int:
        """When a message that is sent now arrives. To be called in the order of sending."""
        ...


class Lanes(Protocol):
    """The lanes of this process, and its connections to the lanes of others. All calls happen in the policy's thread.
    """

    @property
    def addresses(self) -> Mapping[str, str]:
        """Where others reach us, by lane."""
        ...

    @property
    def public_key(self) -> str:
        """Our key; empty where messages are not encrypted."""
        ...

    def attach(
        self, received: Callable[[str, Sequence[Any], int], None], refuse: Callable[[WireError], None],
        keys_changed: Callable[[frozenset[str]], None],
    ) -> None:
        """Set the callbacks, and receive from now on.

        received: called with the sender's name, the frames and the size in bytes of each message. It may raise
        WireError, and the lanes refuse the message. refuse: counts a refusal. keys_changed: called with the members
        that were enrolled or revoked, or have another key.
        """
        ...

    def check(self, member: Member) -> None:
        """Raises: WireError if the member must not be connected: its key is not enrolled, or is another one."""
        ...

    def connect(self, member: Member, failed: Callable[[WireError], None]) -> Connection:
        """Begin to connect to a member. failed: called if its address turns out to be wrong later.

        Raises: WireError if it must not be connected, or cannot be now; BadInput for an address that makes no sense.
        """
        ...

    def statistics(self) -> Mapping[str, LaneStatistics]:
        """By lane."""
        ...

    def close(self, linger_ms: int = 0) -> None:
        """Close all connections. Messages that were accepted have `linger_ms` to leave. A second call does nothing."""
        ...
