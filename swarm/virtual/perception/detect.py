"""Detectors: true boxes are found, missed and displaced, and false ones added, by the error model of the variant.

The card counts, by the height of a box: recall, precision, and the spread of centre and size. A target that the card's
scoring leaves out (tiny, or mostly hidden) is found half as often as one of its height.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist

from models.store import ModelError
from models.tasks.detect import THRESHOLD
from sim_worlds.sensors.ground_truth import TrueBox
from sim_worlds.sensors.true_view import TrueView
from swarm.core.protocol.world import Detection, Detections
from swarm.core.settings.cards import Card, SizeError

LEFT_OUT = 0.5                       # of the recall, for boxes that scoring leaves out
SURE, UNSURE = 0.9, 0.55             # highest score of a right box, and of a false one; the lowest is the threshold
NORMAL = NormalDist()

Draw = Callable[..., float]


class Detector:
    """One detector. Raises: ModelError if a variant has no error model."""

    def __init__(self, card: Card) -> None:
        self._height_px, self._width_px = card.inputs[0].shape[1:3]
        self._classes = card.outputs[0].shape[1]
        self._rows: dict[str, list[SizeError]] = {}
        self._false: dict[str, list[float]] = {}     # by row: false boxes per frame
        for name, variant in card.variants.items():
            if not variant.error_model or not variant.metrics.get("frames"):
                raise ModelError(f"model {card.name!r} {name}", "has no error model, which virtual time needs",
                                 "a card with `error_model` and the metric `frames`, or clock: real")
            self._rows[name] = variant.error_model
            self._false[name] = [
                row.truths * row.recall * (1.0 / max(row.precision, 1e-3) - 1.0) / variant.metrics["frames"]
                for row in variant.error_model]

    def __call__(self, variant: str, view: TrueView | None, draw: Draw) -> Detections:
        """Boxes by falling score."""
        boxes = [self._found(variant, box, draw) for box in view.boxes()] if view is not None else []
        boxes += [self._wrong(row, k, draw) for k, row in enumerate(self._rows[variant])
                  if draw("false", k) < self._false[variant][k]]
        return Detections(sorted((box for box in boxes if box is not None), key=lambda box: -box.score))

    def _found(self, variant: str, box: TrueBox, draw: Draw) -> Detection | None:
        """The detection of a true box; None: it is missed."""
        rows = self._rows[variant]
        height = box.y1_px - box.y0_px
        row = next((row for row in rows if height < row.to_px), rows[-1])
        if draw("found", box.target) >= row.recall * (1.0 if box.counts else LEFT_OUT):
            return None
        x, y = ((a + b) / 2 + row.centre_std_px * _normal(draw(axis, box.target))
                for axis, a, b in (("x", box.x0_px, box.x1_px), ("y", box.y0_px, box.y1_px)))
        w, h = (max(1.0, b - a + row.size_std_px * _normal(draw(side, box.target)))
                for side, a, b in (("w", box.x0_px, box.x1_px), ("h", box.y0_px, box.y1_px)))
        score = THRESHOLD + (SURE - THRESHOLD) * math.sqrt(draw("score", box.target))
        return self._clipped(box.label, score, x, y, w, h)

    def _wrong(self, row: SizeError, k: int, draw: Draw) -> Detection:
        """A box where there is no target."""
        height = row.from_px + (row.to_px - row.from_px) * draw("height", k) * 0.5
        return self._clipped(
            int(draw("label", k) * self._classes), THRESHOLD + (UNSURE - THRESHOLD) * draw("unsure", k),
            self._width_px * draw("at", k), self._height_px * (0.35 + 0.4 * draw("row", k)), 0.6 * height, height)

    def _clipped(self, label: int, score: float, x: float, y: float, w: float, h: float) -> Detection:
        """A detection within the frame."""
        (x0, x1), (y0, y1) = ((min(max(at - size / 2, 0.0), most), max(min(at + size / 2, most), 0.0))
                              for at, size, most in ((x, w, self._width_px), (y, h, self._height_px)))
        return Detection(label, score, x0, y0, x1, y1)


def _normal(u: float) -> float:
    return NORMAL.inv_cdf(min(max(u, 1e-9), 1.0 - 1e-9))


make = Detector
"""As the folder's `perceive` needs it."""
