"""Heartbeats as sparse probes of the paths to peers: which are under way, and what their answers say of a link."""

from __future__ import annotations

from swarm.core.clock import ns, seconds
from swarm.core.policy.link import LinkEstimator

LOST_NS = ns(1.0)                    # a probe that has not been answered for this long is counted as lost
MOST_OUT = 32                        # probes per peer whose answers are awaited


class Probes:
    """The probes under way to one peer; what they measure goes to the estimator of the link."""

    def __init__(self, estimator: LinkEstimator) -> None:
        self.estimator = estimator
        self._out: dict[int, int] = {}           # sequence of a probe -> when it was sent

    def sent(self, sequence: int, now: int) -> None:
        """A probe leaves. Those that were not answered for a second are lost."""
        for late in [s for s, at in self._out.items() if now - at > LOST_NS or len(self._out) >= MOST_OUT]:
            del self._out[late]
            self.estimator.probe(lost=True)
        self._out[sequence] = now

    def answered(self, sequence: int, held_s: float, now: int) -> None:
        """An answer came. The time the peer held it is the peer's own word: it counts for no more than there was."""
        sent_ns = self._out.pop(sequence, None)
        if sent_ns is None:
            return                               # a duplicate, too late, or never asked for
        late = now - sent_ns > LOST_NS           # after so long, or a step of the clock, it measures nothing
        self.estimator.probe(lost=late)
        if late:
            return
        self.estimator.round_trip(max(seconds(now - sent_ns) - held_s, 0.0))
