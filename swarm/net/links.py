"""Links measured in passing: heartbeats as sparse probes, bulk receipts for the rate; one estimator per peer."""

from __future__ import annotations

from swarm.core.clock import ns, seconds
from swarm.core.link import LinkEstimator, LinkQuality

LOST_NS = ns(1.0)                    # a probe that has not been answered for this long is counted as lost
MOST_OUT = 32                        # probes per peer whose answers are awaited


class Link:
    """The path to one peer, with its probes under way."""

    def __init__(self) -> None:
        self.estimator = LinkEstimator()
        self._out: dict[int, int] = {}           # sequence of a probe -> when it was sent

    def probe(self, sequence: int, now: int) -> None:
        """A probe leaves. What was not answered for a second is lost."""
        for late in [s for s, at in self._out.items() if now - at > LOST_NS or len(self._out) >= MOST_OUT]:
            del self._out[late]
            self.estimator.probe(lost=True)
        self._out[sequence] = now

    def answered(self, sequence: int, held_s: float, now: int) -> None:
        """Its answer came; what the peer took to answer is its own word, so it counts for no more than there was."""
        sent_ns = self._out.pop(sequence, None)
        if sent_ns is None:
            return                               # doubled, too late, or never asked for
        late = now - sent_ns > LOST_NS           # one that took so long, or a step of the clock, measures nothing
        self.estimator.probe(lost=late)
        if late:
            return
        self.estimator.round_trip(max(seconds(now - sent_ns) - held_s, 0.0))

    @property
    def quality(self) -> LinkQuality:
        return self.estimator.quality
