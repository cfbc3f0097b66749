"""Which boards are updated together. Pure.

First one board alone: of the boards that least others lean on. Then shares of what is left. Boards that others lean on
now are never updated together, since an update takes them away for seconds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence


def waves(
    boards: Sequence[str], leaned_on: Mapping[str, int], numbers: Mapping[str, int | None], shares: Sequence[float]
) -> list[list[str]]:
    """The boards of each wave, in order.

    Args: leaned_on: requests of others that each board served in the last minute. numbers: the wave that the inventory
    gives a board: lower ones come first, boards without one last; each number is a roll-out of its own. shares: of the
    boards that are left after the first, a share for each wave.
    """
    made: list[list[str]] = []
    order = sorted({numbers.get(one) or math.inf for one in boards})
    for number in order:
        group = [one for one in boards if (numbers.get(one) or math.inf) == number]
        group.sort(key=lambda one: (leaned_on.get(one, 0) > 0, leaned_on.get(one, 0)))       # stable
        made += _of_group(group, leaned_on, shares)
    return made


def _of_group(group: list[str], leaned_on: Mapping[str, int], shares: Sequence[float]) -> list[list[str]]:
    made, left = [group[:1]], group[1:]
    turn = 0
    while left:
        share = shares[min(turn, len(shares) - 1)]
        most = max(1, math.ceil(share * len(left)))
        wave, carriers = [], 0
        for one in left:
            carrier = leaned_on.get(one, 0) > 0
            if len(wave) < most and not (carrier and carriers):
                wave.append(one)
                carriers += carrier
        made.append(wave)
        left = [one for one in left if one not in wave]
        turn += 1
    return made
