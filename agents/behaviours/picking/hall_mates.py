"""Who gets a robot's notes in a warehouse with several halls: the teammates of its own hall, once it knows them."""

from __future__ import annotations

from collections.abc import Sequence

FIRST, IN_TURN = 12, 4               # so many get a note until more of the hall are known; others beside those known


class HallMates:
    """A robot knows no more of its team than the names. It sends notes to a few teammates in turn, first to those that
    are next to it in the fleet, and learns from their notes who is in its hall."""

    def __init__(self, robot: str, team: Sequence[str]) -> None:
        at = team.index(robot) if robot in team else 0
        self._others = [name for _, name in sorted(
            (abs(k - at), name) for k, name in enumerate(team) if name != robot)]
        self._here: set[str] = set()
        self._elsewhere: set[str] = set()
        self._next = 0

    def heard(self, name: str, here: bool) -> None:
        """A teammate has told in which hall it is: in this one or in another one."""
        (self._here if here else self._elsewhere).add(name)
        (self._elsewhere if here else self._here).discard(name)

    def choose(self) -> tuple[str, ...]:
        """The names of those who get the next note."""
        chosen = sorted(self._here)
        most = min(max(FIRST, len(chosen) + IN_TURN), len(self._others) - len(self._elsewhere))
        known = {*chosen, *self._elsewhere}
        while len(chosen) < most:
            name = self._others[self._next % len(self._others)]
            self._next += 1
            if name not in known:
                chosen.append(name)
        return tuple(chosen)
