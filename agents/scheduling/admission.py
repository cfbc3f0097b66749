"""How much of its executors a robot keeps for its own streams, as far as these need it. Deterministic.

Peers' runs are paid from a bucket of run time that fills as fast as the robot can spare it (a token bucket: Turner,
IEEE Communications Magazine 24(10), 1986): what its own streams need of the share that it keeps is never given away,
what they do not need is.
"""

from __future__ import annotations

from swarm.core.policy.plan import StreamSpec
from swarm.core.units import seconds

BURST_S = 1.0                        # of the spare run time that may be used at once, per executor


class AdmissionBudget:
    """`kept` is the share of all executors, 0 to 1."""

    def __init__(self, kept: float, executors: int) -> None:
        self._kept_s, self._executors = kept * executors, executors
        self._needs: dict[str, float] = {}           # own stream -> run time a second, seconds
        self._spare_s = BURST_S * executors
        self._at_ns = 0

    def knows(self, stream: StreamSpec, run_s: float) -> None:
        """A stream of this robot, and how long one run of it takes here."""
        self._needs[stream.name] = stream.rate_hz * run_s

    def gives(self, run_s: float, now: int) -> bool:
        """Whether a peer may have so much run time; if so it is taken."""
        needed = min(self._kept_s, sum(self._needs.values()))
        if not needed:
            return True
        rate = self._executors - needed
        filled_s = self._spare_s + rate * seconds(now - self._at_ns)
        self._spare_s, self._at_ns = min(filled_s, BURST_S * rate), now
        if run_s > self._spare_s < BURST_S * rate:           # from a full bucket even a long run is given, on credit
            return False
        self._spare_s -= run_s
        return True

    def takes_back(self, run_s: float) -> None:
        """Run time that was given and not used."""
        self._spare_s += run_s
