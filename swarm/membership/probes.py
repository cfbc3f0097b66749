"""Heartbeats as sparse probes of the link to a peer: the probes in flight, and the measurements of their answers."""

from __future__ import annotations

from swarm.core.policy.link import LinkEstimator
from swarm.core.units import ns, seconds

LOST_NS = ns(1.0)                    # a probe without an answer for this long counts as lost
MOST_IN_FLIGHT = 32                  # probes of one peer


class Probes:
    """The probes of one peer; their measurements go to the estimator of the link."""

    def __init__(self, estimator: LinkEstimator) -> None:
        self.estimator = estimator
        self._in_flight: dict[int, int] = {}     # sequence -> when the probe was sent, oldest first

    def on_sent(self, sequence: int, now: int) -> None:
        """A probe was sent. Probes without an answer for a second count as lost; of too many, the oldest does."""
        late = [earlier for earlier, at_ns in self._in_flight.items() if now - at_ns > LOST_NS]
        if not late and len(self._in_flight) >= MOST_IN_FLIGHT:
            late = [next(iter(self._in_flight))]
        for lost in late:
            del self._in_flight[lost]
            self.estimator.probe(lost=True)
        self._in_flight[sequence] = now

    def on_answer(self, sequence: int, held_s: float, now: int) -> None:
        """An answer was received. held_s: the time that the peer claims to have held the probe; it is not trusted, so
        the measured round trip is never below 0.
        """
        sent_ns = self._in_flight.pop(sequence, None)
        if sent_ns is None:
            return                               # a duplicate, too late, or an answer to no probe
        late = now - sent_ns > LOST_NS           # after so long, or after a step of the clock, it measures nothing
        self.estimator.probe(lost=late)
        if late:
            return
        self.estimator.round_trip(max(seconds(now - sent_ns) - held_s, 0.0))
