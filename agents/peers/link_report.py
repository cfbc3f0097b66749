"""Which measured links are reported to the planner: notable changes, and from time to time all. Deterministic."""

from __future__ import annotations

from collections.abc import Mapping

Measured = tuple[float, float]       # round trip in s, bytes per s
NOTABLE = 1.25                       # a change by this factor
NOTABLE_S = 0.002                    # or by this for a tensor of 16 KiB: on a slow link less than the factor is much
TENSOR_BYTES = 16 << 10
FULL_EVERY = 10                      # one report in so many has all links: a report may be lost, a planner may be new


class LinkReporter:
    """Keeps reports small in a swarm of any size."""

    def __init__(self) -> None:
        self._reported: dict[str, Measured] = {}
        self._reports = 0

    def due(self, links: Mapping[str, Measured]) -> dict[str, Measured]:
        """Those of these links that are in the next report. links: by peer."""
        if self._reports % FULL_EVERY == 0:
            self._reported = {}
        self._reports += 1
        news = {peer: now for peer, now in links.items() if self._is_news(self._reported.get(peer), now)}
        self._reported |= news
        return news

    def _is_news(self, reported: Measured | None, now: Measured) -> bool:
        return reported is None or abs(_transfer_s(now) - _transfer_s(reported)) > NOTABLE_S or any(
            not before / NOTABLE <= value <= before * NOTABLE for before, value in zip(reported, now, strict=True))


def _transfer_s(link: Measured) -> float:
    rtt_s, bytes_per_s = link
    return rtt_s + TENSOR_BYTES / bytes_per_s
