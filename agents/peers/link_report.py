"""What is told of measured links: what has changed notably, and from time to time all. Deterministic."""

from __future__ import annotations

from collections.abc import Mapping

Measured = tuple[float, float]       # round trip in s, bytes per s
NOTABLE = 1.25                       # a change by this factor
ALL_EVERY = 10                       # tellings: one may have been lost, and a planner may be new


class LinkNewsbook:
    """Keeps the news as small as they are new, whatever the size of the swarm."""

    def __init__(self) -> None:
        self._told: dict[str, Measured] = {}
        self._tellings = 0

    def due(self, links: Mapping[str, Measured]) -> dict[str, Measured]:
        """Of these, those that are to be told now."""
        if self._tellings % ALL_EVERY == 0:
            self._told = {}
        self._tellings += 1
        news = {peer: now for peer, now in links.items() if self._is_news(self._told.get(peer), now)}
        self._told |= news
        return news

    def _is_news(self, told: Measured | None, now: Measured) -> bool:
        return told is None or any(not before / NOTABLE <= value <= before * NOTABLE
                                   for before, value in zip(told, now, strict=True))
