"""Leases: time-limited beliefs that a peer is alive."""

from __future__ import annotations

import msgspec

GHOST_LEASES = 20                    # for so long an older boot is a ghost; after that, the peer's clock was set back


class Lease(msgspec.Struct, frozen=True):
    """Which boot of a peer was heard, and until when it is believed alive."""

    boot: int
    until_ns: int


class Leases:
    """Who is alive, by what was heard of them. Deterministic: time is an argument."""

    def __init__(self, length_ns: int) -> None:
        self._length_ns = length_ns
        self._leases: dict[str, Lease] = {}
        self._newest: dict[str, Lease] = {}      # boot per peer, and until when an older one is a ghost

    def heard(self, peer: str, boot: int, now: int) -> bool:
        """A sign of life. Returns whether the peer is new, back, or restarted; an older boot is a ghost, ignored."""
        newest = self._newest.get(peer)
        if newest is not None and boot < newest.boot and now < newest.until_ns:
            return False
        self._newest[peer] = Lease(boot, now + GHOST_LEASES * self._length_ns)
        known = self._leases.get(peer)
        self._leases[peer] = Lease(boot, now + self._length_ns)
        return known is None or known.boot != boot

    def expire(self, now: int) -> list[str]:
        """Peers whose lease has ended since the last call, by name; they may come back."""
        lost = sorted(name for name, lease in self._leases.items() if lease.until_ns <= now)
        for name in lost:
            del self._leases[name]
        return lost

    def alive(self, peer: str, now: int) -> bool:
        lease = self._leases.get(peer)
        return lease is not None and lease.until_ns > now

    def boot(self, peer: str) -> int | None:
        """The boot that holds the lease."""
        lease = self._leases.get(peer)
        return lease.boot if lease else None
