"""Who gets a robot's notes in a warehouse with several halls: the teammates of its own hall, once it knows them."""

from __future__ import annotations

from collections.abc import Sequence

FIRST, IN_TURN = 12, 4               # so many get a note until more of the hall are known; others beside those known


class HallMates:
    """A robot knows no more of its team than the names. It sends notes to a few teammates in turn, first to those that
    are next to it in the fleet, and learns from their notes who is in its hall.

    One of another hall gets a note once, so that it need not ask, and again each time that it asks: notes may be lost.
    """

    def __init__(self, robot: str, team: Sequence[str]) -> None:
        at = team.index(robot) if robot in team else 0
        self._others = [name for _, name in sorted(
            (abs(k - at), name) for k, name in enumerate(team) if name != robot)]
        self._here: set[str] = set()
        self._elsewhere: set[str] = set()
        self._told: set[str] = set()                         # who got a note once
        self._asking: set[str] = set()                       # those elsewhere who may not know where this robot is
        self._next = 0

    def heard(self, name: str, here: bool) -> None:
        """A teammate has told in which hall it is: in this one or in another one."""
        if here:
            self._here.add(name)
            self._elsewhere.discard(name)
            return
        if name in self._elsewhere or name not in self._told:
            self._asking.add(name)
        self._elsewhere.add(name)
        self._here.discard(name)

    def choose(self) -> tuple[str, ...]:
        """The names of those who get the next note."""
        answered = sorted(self._asking)[:IN_TURN]
        self._asking -= {*answered}
        chosen = [*sorted(self._here), *answered]
        unknown = len(self._others) - len(self._here) - len(self._elsewhere)
        most = min(max(FIRST, len(self._here) + IN_TURN), len(self._here) + unknown) + len(answered)
        known = self._here | self._elsewhere
        while len(chosen) < most:
            name = self._others[self._next % len(self._others)]
            self._next += 1
            if name not in known:
                chosen.append(name)
        self._told.update(chosen)
        return tuple(chosen)
