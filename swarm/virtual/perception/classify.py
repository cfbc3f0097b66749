"""Classifiers: one class for each place and direction, drawn. What a class means is not known, so none is right.

So all qualities are alike.
"""

from __future__ import annotations

from collections.abc import Callable

from sim_worlds.sensors.true_view import TrueView
from swarm.core.protocol.world import Classes, ClassScore
from swarm.core.settings.cards import Card
from swarm.core.settings.launch_file import Quality


class Classifier:
    """One classifier."""

    def __init__(self, card: Card, quality: Quality = "model") -> None:
        self._labels = len(card.labels)

    def __call__(self, variant: str, view: TrueView | None, draw: Callable[..., float]) -> Classes:
        """A class that is as likely as all others, and a score between even odds and certainty."""
        return Classes([ClassScore(int(draw("label") * self._labels), 0.5 + draw("score") / 2.0)])


make = Classifier
"""As the folder's `perceive` needs it."""
