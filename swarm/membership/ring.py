"""Chooses the members to probe at a heartbeat: a bounded number, such that several members watch each member.

All members lie on a ring, in the same order for everybody. A member probes its neighbours on the ring, the members
that it works with, new members, and in turn a few of the others that it watches. A neighbour that is lost is replaced
by the next one. In a large swarm nobody can watch everybody: the contacts of a member are the nearest of each fleet.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Mapping, Sequence

from swarm.core.settings.links import fleet_of
from swarm.membership.events import PRESENT, State

NEIGHBOURS = 6                       # on the ring, half of them on each side
CONTACTS = 32                        # of each fleet, half of them on each side
SMALL = 12                           # other members; among more, the neighbours of one side are probed at a heartbeat
NEW = 8                              # new members that are probed at each heartbeat, in turn
ABSENT = 6                           # absent members that are probed at each heartbeat, in turn
REACH = 4                            # lost neighbours are replaced from up to this many times the usual distance


class Ring:
    """All other members in the order of the ring, beginning with the next one after this member."""

    def __init__(self, own: str, neighbours: int) -> None:
        self._own, self._half = own, (neighbours + 1) // 2   # neighbours on each side
        self._names: list[str] = []
        self._beats = 0
        self.contacts: list[str] = []                        # in the order of the ring

    def set_members(self, names: Collection[str]) -> None:
        """Set the members on the ring, without the own name."""
        own = (ring_hash(self._own), self._own)
        order = sorted((ring_hash(name), name) for name in names)
        self._names = [name for _, name in [*(p for p in order if p > own), *(p for p in order if p < own)]]
        most = max(CONTACTS // 2, REACH * self._half)
        near = {name for side in (self._names, self._names[::-1]) for name in _nearest(side, most)}
        self.contacts = [name for name in self._names if name in near]

    def neighbours(self) -> list[str]:
        """The neighbours. All of them gossip about each other, since one message alone may be lost."""
        return self._names[:self._half] + self._names[-self._half:]

    def to_probe(
        self, states: Mapping[str, State], always: Collection[str] = (), new: Collection[str] = ()
    ) -> list[str]:
        """The members to probe at the next heartbeat: neighbours, `always`, some new and absent members, and one other.

        states: of all that are watched, the contacts among them.
        """
        self._beats += 1
        chosen: dict[str, None] = {}
        reach = REACH * self._half
        sides = (self._names[:reach], self._names[:-reach - 1:-1])
        for side in sides if len(self._names) <= max(SMALL, 2 * self._half) else sides[self._beats % 2:][:1]:
            present = 0
            for distance, name in enumerate(side):
                if present >= self._half:
                    break
                lost = states[name] == "lost"
                present += not lost
                if not lost or distance < self._half:
                    chosen[name] = None
        chosen |= dict.fromkeys(always)
        waiting = [name for name in new if name not in chosen]
        joining = self._in_turn([name for name in waiting if states[name] not in PRESENT], NEW)
        known = self._in_turn([name for name in waiting if states[name] in PRESENT], NEW - len(joining))
        chosen |= dict.fromkeys([*joining, *known])
        others = [name for name in states if name not in chosen]
        absent = [name for name in others if states[name] not in PRESENT]
        chosen |= dict.fromkeys(self._in_turn(absent, ABSENT))       # cheap: most of them cannot be reached
        chosen |= dict.fromkeys(self._in_turn([name for name in others if states[name] in PRESENT], 1))
        return list(chosen)

    def _in_turn(self, names: Sequence[str], most: int) -> list[str]:
        """At most `most` of the names, different ones at each heartbeat."""
        at = self._beats * most % len(names) if names else 0
        return [*names[at:], *names[:at]][:most]


def _nearest(side: Sequence[str], most: int) -> list[str]:
    """The first `most` of each fleet."""
    counts: dict[str, int] = {}
    near: list[str] = []
    for name in side:
        fleet = fleet_of(name)
        counts[fleet] = counts.get(fleet, 0) + 1
        if counts[fleet] <= most:
            near.append(name)
    return near


def ring_hash(name: str) -> int:
    """A member's position on the ring: evenly spread, and the same in every process."""
    return zlib.crc32(name.encode())
