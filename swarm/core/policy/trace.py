"""The rate of a link over time, looped: what it has carried by a time, and when it has carried so much."""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Iterable
from typing import Protocol

import msgspec

PACKET_BYTES = 1500
NS_PER_MS = 1_000_000
BYTES_PER_NS = 1 / 8000              # of one Mbit/s


class Trace(Protocol):
    """What a link could carry since time 0, in bytes. Times are nanoseconds, from 0 on."""

    @property
    def period_ns(self) -> float:
        """The length of one loop."""
        ...

    def carried(self, at_ns: float) -> float:
        """Bytes before this time."""
        ...

    def carries(self, size_bytes: float) -> float:
        """The first time by which it has carried so much, which is more than nothing."""
        ...


class RateTrace(msgspec.Struct, frozen=True):
    """A rate that changes in steps. Each holds up to the next one, and the last one to the end of the loop.

    starts_ns: of each step, the first at 0. rates: in bytes per ns. before_bytes: carried in the loop before each step,
    and in all of it.
    """

    starts_ns: tuple[float, ...]
    rates: tuple[float, ...]
    before_bytes: tuple[float, ...]
    period_ns: float

    @classmethod
    def of(cls, steps: Iterable[tuple[float, float]]) -> RateTrace:
        """From seconds, ascending, and Mbit/s, not all 0. The last step lasts as long as the one before it."""
        seconds, mbps = zip(*steps, strict=True)
        starts_ns = [(s - seconds[0]) * 1e9 for s in seconds]
        last_ns = starts_ns[-1] - starts_ns[-2] if len(starts_ns) > 1 else 1e9
        ends_ns = [*starts_ns[1:], starts_ns[-1] + last_ns]
        rates = [rate * BYTES_PER_NS for rate in mbps]
        amounts = [(end - start) * rate for start, end, rate in zip(starts_ns, ends_ns, rates, strict=True)]
        return cls(tuple(starts_ns), tuple(rates), tuple(itertools.accumulate(amounts, initial=0.0)), ends_ns[-1])

    def carried(self, at_ns: float) -> float:
        loops, within_ns = divmod(at_ns, self.period_ns)
        i = bisect.bisect_right(self.starts_ns, within_ns) - 1
        return loops * self.before_bytes[-1] + self.before_bytes[i] + (within_ns - self.starts_ns[i]) * self.rates[i]

    def carries(self, size_bytes: float) -> float:
        whole = self.before_bytes[-1]
        loops = math.ceil(size_bytes / whole) - 1
        within = min(size_bytes - loops * whole, whole)      # more than 0: the step that reaches it has a rate
        i = bisect.bisect_left(self.before_bytes, within) - 1
        return loops * self.period_ns + self.starts_ns[i] + (within - self.before_bytes[i]) / self.rates[i]


class PacketTrace(msgspec.Struct, frozen=True):
    """Times at which up to 1500 bytes may leave; what is not used then is gone. The last one is the end of the loop.

    Source of form and meaning: Netravali et al., Mahimahi, USENIX ATC 2015.
    """

    at_ns: tuple[int, ...]

    @classmethod
    def of(cls, at_ms: Iterable[int]) -> PacketTrace:
        """From milliseconds, not descending, the last above 0."""
        return cls(tuple(ms * NS_PER_MS for ms in at_ms))

    @property
    def period_ns(self) -> float:
        return self.at_ns[-1]

    def carried(self, at_ns: float) -> float:
        loops = math.ceil(at_ns / self.at_ns[-1]) - 1        # a loop's last time belongs to it, not to the next one
        packets = bisect.bisect_left(self.at_ns, at_ns - loops * self.at_ns[-1])
        return float((loops * len(self.at_ns) + packets) * PACKET_BYTES)

    def carries(self, size_bytes: float) -> float:
        loops, i = divmod(math.ceil(size_bytes / PACKET_BYTES) - 1, len(self.at_ns))
        return loops * self.at_ns[-1] + self.at_ns[i]
