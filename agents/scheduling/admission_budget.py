"""How much of its executors a robot reserves for its own streams. Deterministic.

Peers' runs are paid from a bucket of run time (a token bucket: Turner, IEEE Communications Magazine 24(10), 1986). It
fills with the run time that the own streams leave over. The robot reserves what they need, up to its own share.
"""

from __future__ import annotations

from swarm.core.policy.plan import StreamSpec
from swarm.core.units import seconds

BURST_S = 1.0                        # size of the bucket, in seconds of its own filling


class AdmissionBudget:
    """`own_share` is the largest share of all executors that is reserved for own streams, 0 to 1."""

    def __init__(self, own_share: float, executors: int) -> None:
        self._reserved_s, self._executors = own_share * executors, executors
        self._needs: dict[str, float] = {}           # own stream -> run time per second, seconds
        self._spare_s = BURST_S * executors
        self._at_ns = 0
        self._own_s, self._own_at_ns = BURST_S * self._reserved_s, 0

    def add_stream(self, stream: StreamSpec, run_s: float) -> None:
        """Set the need of a stream of this robot. run_s: how long one of its runs takes here."""
        self._needs[stream.name] = stream.rate_hz * run_s

    def take(self, run_s: float, now: int) -> bool:
        """Take this much run time for a peer. Returns False, and takes none, if too little is left."""
        needed = min(self._reserved_s, sum(self._needs.values()))
        if not needed:
            return True
        rate = self._executors - needed
        filled_s = self._spare_s + rate * seconds(now - self._at_ns)
        self._spare_s, self._at_ns = min(filled_s, BURST_S * rate), now
        if rate <= 0.0 or run_s > self._spare_s < BURST_S * rate:    # a full bucket admits even a long run, on credit
            return False
        self._spare_s -= run_s
        return True

    def take_own(self, run_s: float, now: int) -> bool:
        """Take this much of the reserved run time, for an own run that goes before a more urgent one of a peer.

        Returns False, and takes none, if too little is left.
        """
        rate = min(self._reserved_s, sum(self._needs.values()))
        filled_s = self._own_s + rate * seconds(now - self._own_at_ns)
        self._own_s, self._own_at_ns = min(filled_s, BURST_S * rate), now
        if rate <= 0.0 or run_s > self._own_s < BURST_S * rate:      # as above
            return False
        self._own_s -= run_s
        return True

    def give_back(self, run_s: float) -> None:
        """Return run time that was taken and not used."""
        self._spare_s += run_s
