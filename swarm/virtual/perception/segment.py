"""Segmenters: the true class of each pixel, without the things that the variant misses.

A thing is missed whole: with the probability 1 - 2 IoU / (1 + IoU) of its class, which is the miss rate of a network
whose precision equals its recall. Floor and walls are told rightly, and nothing is seen where there is nothing.

`perfect` misses nothing. `halved` shows a thing half as often: an IoU of 0.9 becomes one of 0.31.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from models.store import ModelError
from sim_worlds.classes import CLUTTER, FLOOR, ROBOT, SEGMENT_CLASSES, TARGET, WALL
from sim_worlds.sensors.true_view import TrueView
from swarm.core.protocol.world import Mask
from swarm.core.settings.cards import Card
from swarm.core.settings.launch_file import Quality

THINGS = (CLUTTER, TARGET, ROBOT)
SHOWN = {"perfect": lambda share: 1.0, "model": lambda share: share, "halved": lambda share: share / 2.0}
"""The share of the views of a thing in which it is shown, from that of the card."""


class Segmenter:
    """One segmenter. Raises: ModelError if a variant does not state the IoU of each class."""

    def __init__(self, card: Card, quality: Quality = "model") -> None:
        self._height, self._width = card.outputs[0].shape[1:3]
        self._missed: dict[str, dict[int, float]] = {}
        for name, variant in card.variants.items():
            try:
                iou = {kind: variant.metrics[f"iou_{SEGMENT_CLASSES[kind]}"] for kind in THINGS}
            except KeyError as error:
                raise ModelError(f"model {card.name!r} {name}", f"has no metric {error}, which virtual time needs",
                                 "the IoU of each class, or clock: real") from None
            self._missed[name] = {
                kind: 1.0 - SHOWN[quality](2.0 * share / (1.0 + share)) for kind, share in iou.items()}

    def __call__(self, variant: str, view: TrueView | None, draw: Callable[..., float]) -> Mask:
        """A class per pixel; a damaged frame shows wall only."""
        if view is None:
            return Mask(self._height, self._width, bytes([WALL]) * (self._height * self._width))
        numbers, classes = view.pixels()
        horizon = classes.shape[0] // 2
        for number in np.unique(numbers[numbers > 0]).tolist():
            seen = numbers == number
            kind = int(classes[seen][0])
            if draw("missed", number) < self._missed[variant][kind]:
                classes[:horizon][seen[:horizon]] = WALL
                classes[horizon:][seen[horizon:]] = FLOOR
        return Mask(self._height, self._width, classes.tobytes())


make = Segmenter
"""As the folder's `perceive` needs it."""
