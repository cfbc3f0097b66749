"""Maps the clock of another process to our own, by the messages that tell its times. Deterministic."""

from __future__ import annotations

import math

from swarm.core.units import ns

WINDOW_NS = ns(10.0)                 # the clocks may drift: the offset is that of the last 10 to 20 s


class ClockOffset:
    """The offset between two clocks, from the messages that arrived with the least delay.

    A message that waits, since its sender or its receiver was held up, arrives late: its delay exceeds the least one,
    and counts as age of what it tells. (The minimum filter of NTP's clock filter, RFC 5905, section 10.)
    """

    def __init__(self) -> None:
        self._since_ns = 0
        self._offset_ns = self._previous_ns = math.inf   # least offset in this window, and in the one before

    def own_ns(self, at_s: float, age_s: float, received_ns: int) -> int:
        """On our own clock, the moment `at_s` of the other clock, of which a message tells.

        age_s: how long the sender itself held what it tells. received_ns: when the message arrived, on our clock.
        """
        if received_ns - self._since_ns > WINDOW_NS:
            self._since_ns, self._previous_ns, self._offset_ns = received_ns, self._offset_ns, math.inf
        self._offset_ns = min(self._offset_ns, received_ns - ns(age_s) - ns(at_s))
        return int(min(self._offset_ns, self._previous_ns)) + ns(at_s)
