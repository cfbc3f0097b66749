"""The links' future, which only virtual time can tell: for the policy `oracle`."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import harmonic_mean

from swarm.core.policy.link import LinkQuality
from swarm.core.policy.shaped_link import ShapedLink
from swarm.core.units import ns, seconds
from swarm.planner.problem import Pair
from swarm.virtual.costs import MESSAGE_NS
from swarm.virtual.network import Network, OverLoopback

AHEAD = 2.0                          # planning periods: a plan is in force until the next search but one begins
SLOTS = 4                            # of that time: transfers are short against it


class Foresight:
    """The port `Foresight`: rates by the traces of the links, delays by the launch file. Faults are not foreseen."""

    def __init__(self, network: Network, every_s: float) -> None:
        """every_s: the planning period."""
        self._network, self._slot_ns = network, ns(AHEAD * every_s) // SLOTS

    def links(self, measured: Mapping[Pair, LinkQuality]) -> dict[Pair, LinkQuality]:
        foreseen = {pair: self._foreseen(pair, quality) for pair, quality in measured.items()}
        return {pair: quality for pair, quality in foreseen.items() if quality is not None}

    def _foreseen(self, pair: Pair, measured: LinkQuality) -> LinkQuality | None:
        """As measured, where nothing slows the link down; None: it will stand still.

        The rate is that of the mean time of a transfer: the harmonic mean.
        """
        there, back = self._shaped(*pair), self._shaped(*reversed(pair))
        if there is None or back is None:
            return measured
        now = self._network.timeline.now_ns
        rates = [there.bytes_per_s(now + slot * self._slot_ns, now + (slot + 1) * self._slot_ns)
                 for slot in range(SLOTS)]
        known = [rate for rate in rates if rate is not None]
        bytes_per_s = harmonic_mean(known) if known else measured.bytes_per_s
        if bytes_per_s <= 0.0:
            return None
        rtt_s = seconds(there.delay_ns + back.delay_ns + 2 * MESSAGE_NS)
        return LinkQuality(rtt_s=rtt_s, bytes_per_s=bytes_per_s, samples=measured.samples)

    def _shaped(self, sender: str, to: str) -> ShapedLink | None:
        link = self._network.way(sender, to).link
        return link.link if isinstance(link, OverLoopback) and isinstance(link.link, ShapedLink) else None
