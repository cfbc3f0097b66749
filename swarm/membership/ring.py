"""Chooses the members to probe at a heartbeat: a bounded number, such that several members watch each member.

All members lie on a ring, in the same order for everybody. A member probes its neighbours on the ring, the members
that it works with, new members, and in turn a few of the others. A neighbour that is lost is replaced by the next one.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Mapping, Sequence

from swarm.membership.events import PRESENT, State

NEIGHBOURS = 6                       # on the ring, half of them on each side
ABSENT = 6                           # absent members that are probed at each heartbeat, in turn
REACH = 4                            # lost neighbours are replaced from up to this many times the usual distance


class Ring:
    """All other members in the order of the ring, beginning with the next one after this member."""

    def __init__(self, own: str, neighbours: int) -> None:
        self._own, self._half = own, (neighbours + 1) // 2   # neighbours on each side
        self._names: list[str] = []
        self._beats = 0

    def set_members(self, names: Collection[str]) -> None:
        """Set the members on the ring, without the own name."""
        own = (ring_hash(self._own), self._own)
        order = sorted((ring_hash(name), name) for name in names)
        self._names = [name for _, name in [*(p for p in order if p > own), *(p for p in order if p < own)]]

    def neighbours(self) -> list[str]:
        """The neighbours. All of them gossip about each other, since one message alone may be lost."""
        return self._names[:self._half] + self._names[-self._half:]

    def to_probe(self, states: Mapping[str, State], always: Collection[str]) -> list[str]:
        """The members to probe at the next heartbeat: neighbours, `always`, some absent members, and one other."""
        self._beats += 1
        chosen: dict[str, None] = {}
        for side in (self._names, self._names[::-1]):
            present = 0
            for distance, name in enumerate(side):
                if present >= self._half or distance >= REACH * self._half:
                    break
                lost = states[name] == "lost"
                present += not lost
                if not lost or distance < self._half:
                    chosen[name] = None
        chosen |= dict.fromkeys(always)
        others = [name for name in self._names if name not in chosen]
        absent = [name for name in others if states[name] not in PRESENT]
        chosen |= dict.fromkeys(self._in_turn(absent, ABSENT))       # cheap: most of them cannot be reached
        chosen |= dict.fromkeys(self._in_turn([name for name in others if name not in absent], 1))
        return list(chosen)

    def _in_turn(self, names: Sequence[str], most: int) -> list[str]:
        """At most `most` of the names, different ones at each heartbeat."""
        at = self._beats * most % len(names) if names else 0
        return [*names[at:], *names[:at]][:most]


def ring_hash(name: str) -> int:
    """A member's position on the ring: evenly spread, and the same in every process."""
    return zlib.crc32(name.encode())
