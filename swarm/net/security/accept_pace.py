"""How many new connections of one member are let in, and of the address where one opens too many. Deterministic.

A handshake of CURVE costs the core about 0.7 ms before we know whose it is, and 0.4 ms more until its connection is cut
as one of too many (measured: 200 handshakes a second by an enrolled key took 22 % of a core). So what comes from the
address of a member that opens too many is closed as it is accepted, but for a few: others may have the same address.
"""

from __future__ import annotations

from collections.abc import Callable

from swarm.core.policy.allowance import Allowance, Allowances
from swarm.core.units import ns

MOST_SESSIONS, SESSIONS_PER_S = 16.0, 2.0    # of one key, on both lanes: at once, and for long; each start has 2
SLOWED_NS = ns(5.0)
SLOW_BURST, SLOW_PER_S = 4.0, 10.0   # connections of a slowed address that are let in
MOST_SLOWED = 64                     # addresses; of more, the oldest is forgotten


class _Slowed:
    def __init__(self, now: int) -> None:
        self.until_ns, self.let_in = now + SLOWED_NS, Allowance(SLOW_BURST, SLOW_PER_S, now)


class AcceptPace:
    """kept: whether the key of a member is enrolled."""

    def __init__(self, kept: Callable[[str], bool]) -> None:
        self._sessions = Allowances(MOST_SESSIONS, SESSIONS_PER_S, kept)
        self._slowed: dict[str, _Slowed] = {}        # by address

    def admits(self, member: str, address: str, now: int) -> bool:
        """Whether a member may have one more connection, whose key has been checked. If not, its address is slowed."""
        if self._sessions.take(member, now):
            return True
        slowed = self._slowed.pop(address, None) or _Slowed(now)
        slowed.until_ns = now + SLOWED_NS
        self._slowed[address] = slowed
        if len(self._slowed) > MOST_SLOWED:
            del self._slowed[next(iter(self._slowed))]
        return False

    def lets_in(self, address: str, now: int) -> bool:
        """Whether a new connection, of whom is not known yet, goes on with its handshake."""
        slowed = self._slowed.get(address)
        if slowed is None:
            return True
        if now >= slowed.until_ns:
            del self._slowed[address]
            return True
        return slowed.let_in.take(now)
