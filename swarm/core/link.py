"""The measured path to one peer."""

from __future__ import annotations

import msgspec


class LinkQuality(msgspec.Struct, frozen=True, kw_only=True):
    """What is believed of a path: round trip of a small message, and throughput of tensors."""

    rtt_s: float = 0.002
    rtt_spread_s: float = 0.001      # mean absolute deviation
    bytes_per_s: float = 12.5e6      # 100 Mbit/s until measured
    samples: int = 0

    def transfer_s(self, size_bytes: int) -> float:
        """Expected time from sending a request of this size to the arrival of its small answer, without the work."""
        return self.rtt_s + size_bytes / self.bytes_per_s


class LinkEstimator:
    """Smoothed round trip (RFC 6298, gains 1/8 and 1/4) and throughput of one path."""

    def __init__(self) -> None:
        self._quality = LinkQuality()

    def round_trip(self, rtt_s: float) -> None:
        """A small message went and was answered in `rtt_s`, the peer's own time taken off."""
        q = self._quality
        if q.samples == 0:
            self._quality = msgspec.structs.replace(q, rtt_s=rtt_s, rtt_spread_s=rtt_s / 2, samples=1)
            return
        spread = q.rtt_spread_s + (abs(rtt_s - q.rtt_s) - q.rtt_spread_s) / 4
        self._quality = msgspec.structs.replace(
            q, rtt_s=q.rtt_s + (rtt_s - q.rtt_s) / 8, rtt_spread_s=spread, samples=q.samples + 1
        )

    def transfer(self, size_bytes: int, took_s: float) -> None:
        """A request of `size_bytes` went and was answered in `took_s`, the peer's own time taken off."""
        beyond_s = max(took_s - self._quality.rtt_s, 1e-4)
        rate = min(size_bytes / beyond_s, 1.25e9)
        q = self._quality
        self._quality = msgspec.structs.replace(q, bytes_per_s=q.bytes_per_s + (rate - q.bytes_per_s) / 8)

    @property
    def quality(self) -> LinkQuality:
        return self._quality
