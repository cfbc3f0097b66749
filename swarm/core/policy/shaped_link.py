"""One direction of a link: when a message arrives, by the link's rate, delay and loss.

The model. Messages leave one after the other, at the rate of the moment, whatever their lane, and arrive after the
delay. Each packet of 1500 bytes is lost with the same probability, and TCP sends it again: packets that were lost take
the rate once more, and the message arrives a round trip later for each round of losses, since a loss is told by packets
that follow, and the packet sent again needs its way (fast retransmit: RFC 5681, section 3.2; by time: RFC 8985).
Nothing is lost for good. The model has neither the time-out of a connection on which nothing follows nor the lower rate
that TCP takes after a loss, so that real links of this rate and loss are slower, not faster.

Links that share airtime take turns: a message leaves when those that were sent before it over any of them have left, as
stations of one radio channel do that all hear each other. Collisions and the pauses between frames are in the rate.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping

from swarm.core.policy import draw
from swarm.core.policy.trace import PACKET_BYTES, RateTrace, Trace
from swarm.core.settings.links import LinkSpec, link_between
from swarm.core.units import ns, seconds


class Airtime:
    """What the links of one neighbourhood share."""

    __slots__ = ("free_ns",)

    def __init__(self) -> None:
        self.free_ns = 0                             # when all that was sent has left


class ShapedLink:
    """One direction. It begins with the first message.

    trace: None carries any rate. scale: of its rate. from_ns: where in the trace it begins. losses: draws which packets
    are lost; None: none is. airtime: None shares none.
    """

    def __init__(
        self, trace: Trace | None, *, delay_ns: int = 0, loss: float = 0.0, losses: random.Random | None = None,
        scale: float = 1.0, from_ns: float = 0.0, airtime: Airtime | None = None,
    ) -> None:
        self._trace, self._delay_ns, self._loss, self._losses = trace, delay_ns, loss, losses
        self._scale, self._from_ns, self._airtime = scale, from_ns, airtime
        self._zero_ns: int | None = None             # when the trace began
        self._used_bytes = 0.0                       # of what the trace carries from then on

    @property
    def delay_ns(self) -> int:
        return self._delay_ns

    def bytes_per_s(self, from_ns: int, until_ns: int) -> float | None:
        """What it can carry in this time, per second; None: any rate."""
        if self._trace is None:
            return None
        zero_ns = from_ns - round(self._from_ns) if self._zero_ns is None else self._zero_ns
        carried = self._trace.carried(until_ns - zero_ns) - self._trace.carried(from_ns - zero_ns)
        return self._scale * carried / seconds(until_ns - from_ns)

    def arrives_ns(self, size_bytes: int, now: int) -> int:
        """When a message that is sent now arrives. To be called in the order of sending."""
        again_bytes, rounds = self._lost(size_bytes)
        leaves_ns = now if self._trace is None else self._in_turn(self._trace, size_bytes + again_bytes, now)
        return leaves_ns + self._delay_ns * (1 + 2 * rounds)

    def _lost(self, size_bytes: int) -> tuple[int, int]:
        """Bytes that are sent again, and rounds of losses."""
        again_bytes = rounds = 0
        if self._losses is None:
            return again_bytes, rounds
        packets = -(-size_bytes // PACKET_BYTES)
        while packets := sum(self._losses.random() < self._loss for _ in range(packets)):
            again_bytes += min(packets * PACKET_BYTES, size_bytes)
            rounds += 1
        return again_bytes, rounds

    def _in_turn(self, trace: Trace, size_bytes: int, now: int) -> int:
        if self._airtime is None:
            return self._leaves_ns(trace, size_bytes, now)
        self._airtime.free_ns = self._leaves_ns(trace, size_bytes, max(now, self._airtime.free_ns))
        return self._airtime.free_ns

    def _leaves_ns(self, trace: Trace, size_bytes: int, now: int) -> int:
        """When the last byte of the next message has left."""
        if self._zero_ns is None:
            self._zero_ns = now - round(self._from_ns)
        carried = trace.carried(now - self._zero_ns)         # before now: what others have not used of it is gone
        self._used_bytes = max(self._used_bytes, carried) + max(size_bytes, 1) / self._scale
        return max(now, self._zero_ns + round(trace.carries(self._used_bytes)))


class Links:
    """The links of a run. specs: as in its launch file. traces: the content of each file that these name."""

    def __init__(self, specs: Mapping[str, LinkSpec], traces: Mapping[str, Trace], seed: int) -> None:
        self._specs, self._traces, self._seed = specs, traces, seed
        self._airtimes: defaultdict[str, Airtime] = defaultdict(Airtime)

    def one_way(self, sender: str, to: str) -> ShapedLink | None:
        """A new direction from one robot to another; None: the launch file names no link between them.

        Both directions of a pair begin at the same place of a trace, and scale it alike.
        """
        spec = link_between(self._specs, sender, to)
        if spec is None:
            return None
        pair, (low, high) = sorted((sender, to)), spec.scale or (1.0, 1.0)
        trace: Trace | None = None
        if spec.trace is not None:
            trace = self._traces[spec.trace]
        elif spec.rate_mbps is not None:
            trace = RateTrace.of([(0.0, spec.rate_mbps)])
        return ShapedLink(
            trace, delay_ns=ns(spec.delay_ms / 1e3), loss=spec.loss,
            losses=draw.stream(self._seed, "link loss", sender, to) if spec.loss else None,
            scale=low + (high - low) * draw.uniform(self._seed, "link scale", *pair),
            from_ns=trace.period_ns * draw.uniform(self._seed, "link begin", *pair) if trace and spec.trace else 0.0,
            airtime=self._airtimes[spec.airtime] if spec.airtime is not None else None)
