"""Leases: time-limited beliefs that a peer is alive."""

from __future__ import annotations

import msgspec


class Lease(msgspec.Struct, frozen=True):
    """Which boot of a peer was heard, and until when it is believed alive."""

    boot: int
    until_ns: int


class Leases:
    """Who is alive, by what was heard of them. Deterministic: time is an argument."""

    def __init__(self, length_ns: int) -> None:
        self._length_ns = length_ns
        self._leases: dict[str, Lease] = {}
        self._gone: dict[str, int] = {}          # the newest boot known to have ended, per peer

    def heard(self, peer: str, boot: int, now: int) -> bool:
        """A sign of life. Returns whether the peer is new, back, or restarted; an older boot is ignored."""
        if boot <= self._gone.get(peer, -1):
            return False
        known = self._leases.get(peer)
        if known is not None and boot < known.boot:
            return False
        self._leases[peer] = Lease(boot, now + self._length_ns)
        return known is None or known.boot != boot

    def expire(self, now: int) -> list[str]:
        """Peers whose lease has ended since the last call, by name; they may come back."""
        lost = sorted(name for name, lease in self._leases.items() if lease.until_ns <= now)
        for name in lost:
            del self._leases[name]
        return lost

    def ended(self, peer: str) -> bool:
        """The peer's process is known to have ended: this boot never comes back. Returns whether it was alive."""
        lease = self._leases.pop(peer, None)
        if lease is not None:
            self._gone[peer] = lease.boot
        return lease is not None

    def alive(self, peer: str, now: int) -> bool:
        lease = self._leases.get(peer)
        return lease is not None and lease.until_ns > now

    def boot(self, peer: str) -> int | None:
        """The boot that holds the lease."""
        lease = self._leases.get(peer)
        return lease.boot if lease else None
