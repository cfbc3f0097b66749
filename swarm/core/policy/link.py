"""Estimates the quality of the link to one peer. Deterministic: measurements in, estimates out."""

from __future__ import annotations

import msgspec

UNMEASURED_WINDOW_BYTES = 64 << 10
UNMEASURED_BYTES_PER_S = 12.5e6      # 100 Mbit/s
WINDOW_BYTES = (16 << 10, 8 << 20)   # smallest and largest window
WINDOW_S = 0.010                     # an urgent message waits no longer than this behind bulk
BDP_GAIN = 1.25                      # over the bandwidth-delay product, so that a rate limited by the window can grow
CLEAR_TRIPS = 8                      # the shortest of this many counts, and the fastest
SMALL_BYTES = 1 << 10                # of less, the transfer is lost in the noise of a round trip
SMALL_S = 0.005                      # longer than a round trip by this: its own transfer, not a busy host
FASTEST_BYTES_PER_S = 1.25e10


class LinkQuality(msgspec.Struct, frozen=True, kw_only=True):
    """Estimates of a link: round trip of a small message, throughput of tensors, share of lost probes."""

    rtt_s: float = 0.002
    rtt_spread_s: float = 0.001      # mean absolute deviation
    clear_s: float = 0.0             # round trip without our own bulk data in flight; 0: not measured
    bytes_per_s: float = UNMEASURED_BYTES_PER_S
    bytes_per_s_spread: float = 0.0  # mean absolute deviation
    loss: float = 0.0                # share, over about the last 16 probes
    loss_spread: float = 0.0         # mean absolute deviation
    samples: int = 0                 # of the round trip
    rate_samples: int = 0

    def transfer_s(self, size_bytes: int) -> float:
        """Expected time from sending a request of this size to the arrival of its small answer, without the work."""
        return self.rtt_s + size_bytes / self.bytes_per_s

    @property
    def surely_s(self) -> float:
        """What a round trip takes at least: without our own bulk data, or less four deviations (as in RFC 6298)."""
        if self.clear_s or not self.samples:
            return self.clear_s
        return max(self.rtt_s - 4 * self.rtt_spread_s, 0.0)

    @property
    def window_bytes(self) -> int:
        """Bulk bytes that may be in flight: the bandwidth-delay product, so that the link is busy, plus 10 ms of queue.

        The delay is that of the empty link. A delay that our own bulk data has lengthened would let the window grow
        without end.
        """
        if not self.rate_samples:
            return UNMEASURED_WINDOW_BYTES
        least, most = WINDOW_BYTES
        return int(min(max(self.bytes_per_s * (WINDOW_S + BDP_GAIN * self.clear_s), least), most))


class LinkEstimator:
    """Smooths round trip and throughput by the rule of RFC 6298 (gains 1/8 and 1/4), and loss with gain 1/16."""

    def __init__(self) -> None:
        self.quality = LinkQuality()
        self.window_bytes = self.quality.window_bytes        # cached: read far more often than it changes
        self._clear: tuple[tuple[float, int], ...] = ()      # round trip and size of the last small messages

    def round_trip(self, rtt_s: float) -> None:
        """A small message was answered in `rtt_s`, less the time that the peer held it."""
        q = self.quality
        rtt_s, spread_s = _smoothed(q.rtt_s, q.rtt_spread_s, rtt_s, q.samples)
        self.quality = LinkQuality(
            rtt_s=rtt_s, rtt_spread_s=spread_s, samples=q.samples + 1, clear_s=q.clear_s, bytes_per_s=q.bytes_per_s,
            bytes_per_s_spread=q.bytes_per_s_spread, loss=q.loss, loss_spread=q.loss_spread,
            rate_samples=q.rate_samples)     # not `replace`, which takes five times as long: this is every heartbeat

    def clear_trip(self, rtt_s: float, size_bytes: int = 0) -> None:
        """A small bulk message was sent with none in flight. Its receipt came in `rtt_s`, less the time held there.

        Where nothing larger has measured the rate, it is what the fastest of the last few took beyond a round trip.
        """
        self._clear = (*self._clear[1 - CLEAR_TRIPS:], (rtt_s, size_bytes))
        q = self.quality
        self.quality = msgspec.structs.replace(
            q, clear_s=min(trip_s for trip_s, _ in self._clear),
            bytes_per_s=q.bytes_per_s if q.rate_samples or not q.samples else self._rate_of_small(q.rtt_s))
        self.window_bytes = self.quality.window_bytes

    def _rate_of_small(self, rtt_s: float) -> float:
        """Bytes/s of the fastest small message; the default if one took hardly longer than a round trip."""
        beyond = [(size, trip_s - rtt_s) for trip_s, size in self._clear if size >= SMALL_BYTES]
        if any(s < SMALL_S for _, s in beyond):
            return UNMEASURED_BYTES_PER_S
        return min(max((size / s for size, s in beyond), default=UNMEASURED_BYTES_PER_S), UNMEASURED_BYTES_PER_S)

    def delivered(self, size_bytes: int, took_s: float) -> None:
        """`size_bytes` were received by the peer within `took_s`."""
        q = self.quality
        sample = min(size_bytes / max(took_s, 1e-6), FASTEST_BYTES_PER_S)
        gain = max(1 / (q.rate_samples + 1), 1 / 8)          # a mean at first: the first sample may know no round trip
        rate, spread = _smoothed(q.bytes_per_s, q.bytes_per_s_spread, sample, q.rate_samples, gain)
        self.quality = msgspec.structs.replace(
            q, bytes_per_s=rate, bytes_per_s_spread=spread, rate_samples=q.rate_samples + 1
        )
        self.window_bytes = self.quality.window_bytes

    def probe(self, lost: bool) -> None:
        """A probe was answered, or counts as lost."""
        q = self.quality
        if not lost and not q.loss and not q.loss_spread:
            return                                   # nothing was lost lately
        self.quality = msgspec.structs.replace(
            q, loss=q.loss + (lost - q.loss) / 16, loss_spread=q.loss_spread + (abs(lost - q.loss) - q.loss_spread) / 16
        )


def _smoothed(mean: float, spread: float, sample: float, samples: int, gain: float = 1 / 8) -> tuple[float, float]:
    """Mean and mean absolute deviation after one more sample; the first sample sets both."""
    if samples == 0:
        return sample, sample / 2
    return mean + gain * (sample - mean), spread + (abs(sample - mean) - spread) / 4
