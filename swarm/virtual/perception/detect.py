"""Detectors: true boxes are found, missed and displaced, and false ones added, by the error model of the variant.

The card counts, by the height of a box: recall, precision, and the spread of centre and size. It does not say where the
false boxes lie, nor how sure the network is of a box. That was measured with the shipped int8 detector in the 1200 test
frames of its card; what is said of targets that scoring leaves out, with one that was trained on buildings alone.

`perfect` gives the box of every target of which the view shows a pixel, exactly, with the score 1, and no other box.
`halved` has half the recall of the card, and twice the false boxes per frame; places, sizes and scores vary as ever.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist

from msgspec.structs import replace

from models.store import ModelError
from models.tasks.detect import THRESHOLD
from sim_worlds.sensors.ground_truth import MIN_HEIGHT_PX, MIN_IN_FRAME, TrueBox
from sim_worlds.sensors.true_view import TrueView
from swarm.core.protocol.world import Detection, Detections
from swarm.core.settings.cards import Card, SizeError
from swarm.core.settings.launch_file import Quality

ELSEWHERE = 0.25                     # of the false boxes: where no target is (17 of 67 in the card's frames)
POOR = 1.5                           # side of the others, in sides of the target on which they lie: median 1.2 to 1.7
TINY, CUT = 0.03, 0.25               # of the recall: for targets below 6 px (2 % found), or mostly out of frame (16 %)
SURE, SURER = 0.97, 0.22             # right boxes: highest score, power of a uniform number (quartiles 0.82, 0.93)
POOR_SCORE = 0.83                    # highest score of a poor box (quartiles 0.49, 0.73)
UNSURE = 0.085                       # mean score above the threshold of a box elsewhere (quartiles 0.43, 0.51)
THING_M, ASPECT = 0.65, 0.6          # height of what is taken for a target, and its width by its height
NORMAL = NormalDist()

Draw = Callable[..., float]


class Detector:
    """One detector. Raises: ModelError if a variant has no error model."""

    def __init__(self, card: Card, quality: Quality = "model") -> None:
        self._perfect = quality == "perfect"
        self._height_px, self._width_px = card.inputs[0].shape[1:3]
        self._classes = card.outputs[0].shape[1]
        self._rows: dict[str, list[SizeError]] = {}
        self._frames: dict[str, float] = {}
        for name, variant in card.variants.items():
            if not variant.error_model or not variant.metrics.get("frames"):
                raise ModelError(f"model {card.name!r} {name}", "has no error model, which virtual time needs",
                                 "a card with `error_model` and the metric `frames`, or clock: real")
            rows = variant.error_model if quality != "halved" else [halved(row) for row in variant.error_model]
            self._rows[name], self._frames[name] = rows, variant.metrics["frames"]

    def __call__(self, variant: str, view: TrueView | None, draw: Draw) -> Detections:
        """Boxes by falling score; none on a damaged frame."""
        if view is None:
            return Detections([])
        if self._perfect:
            return Detections([Detection(b.label, 1.0, b.x0_px, b.y0_px, b.x1_px, b.y1_px) for b in view.boxes()])
        rows, frames = self._rows[variant], self._frames[variant]
        boxes = [self._found(rows, box, draw) for box in view.boxes()]
        boxes += [self._elsewhere(row, k, view, draw) for k, row in enumerate(rows)
                  if draw("false", k) < ELSEWHERE * row.truths * _false_share(row) / frames]
        return Detections(sorted((box for box in boxes if box is not None), key=lambda box: -box.score))

    def _found(self, rows: list[SizeError], box: TrueBox, draw: Draw) -> Detection | None:
        """The detection of a true box, right or poor; None: it is missed."""
        height = box.y1_px - box.y0_px
        row = next((row for row in rows if height < row.to_px), rows[-1])
        found, u = draw("found", box.target), draw("score", box.target)
        right, poor = (_seen_share(box) * share for share in (row.recall, (1.0 - ELSEWHERE) * _false_share(row)))
        if found >= right + poor:
            return None
        scale = 1.0 if found < right else POOR
        score = (SURE - THRESHOLD) * u ** SURER if found < right else (POOR_SCORE - THRESHOLD) * u
        x, y = ((a + b) / 2 + row.centre_std_px * _normal(draw(axis, box.target))
                for axis, a, b in (("x", box.x0_px, box.x1_px), ("y", box.y0_px, box.y1_px)))
        w, h = (max(1.0, scale * (b - a) + row.size_std_px * _normal(draw(side, box.target)))
                for side, a, b in (("w", box.x0_px, box.x1_px), ("h", box.y0_px, box.y1_px)))
        return self._clipped(box.label, THRESHOLD + score, x, y, w, h)

    def _elsewhere(self, row: SizeError, k: int, view: TrueView, draw: Draw) -> Detection:
        """A box where no target is: something on the floor that is as large as one."""
        camera, above_m = view.camera, view.pose.z_m + view.camera.mount_z_m
        height = row.from_px + (row.to_px - row.from_px) * draw("height", k)
        horizon = camera.height_px / 2 + camera.focal_px * math.tan(math.radians(camera.pitch_deg))
        foot = horizon + height * above_m / THING_M
        score = min(SURE, THRESHOLD - UNSURE * math.log(1.0 - draw("unsure", k)))
        return self._clipped(int(draw("label", k) * self._classes), score,
                             self._width_px * draw("at", k), foot - height / 2, ASPECT * height, height)

    def _clipped(self, label: int, score: float, x: float, y: float, w: float, h: float) -> Detection:
        """A detection within the frame."""
        (x0, x1), (y0, y1) = ((min(max(at - size / 2, 0.0), most), max(min(at + size / 2, most), 0.0))
                              for at, size, most in ((x, w, self._width_px), (y, h, self._height_px)))
        return Detection(label, score, x0, y0, x1, y1)


def halved(row: SizeError) -> SizeError:
    """Half the recall, and twice the false boxes.

    With recall R and precision P there are R (1 / P - 1) false boxes for each true one. Where P is at least 0.6, as in
    all shipped cards, a target without a box has none with half the recall either.
    """
    return replace(row, recall=row.recall / 2.0, precision=row.precision / (4.0 - 3.0 * row.precision))


def _false_share(row: SizeError) -> float:
    """False boxes by true ones."""
    return row.recall * (1.0 / max(row.precision, 1e-3) - 1.0)


def _seen_share(box: TrueBox) -> float:
    """The recall of a box by that of one of its height that counts.

    Measured on mostly hidden ones: 0.5 at a visible share of 0.4, 0.13 at 0.22, 0 below 0.15. So it is the square of
    that share, and half at half.
    """
    if box.counts:
        return 1.0
    if box.y1_px - box.y0_px < MIN_HEIGHT_PX:
        return TINY
    return min(2.0 * box.unoccluded ** 2, CUT if box.in_frame < MIN_IN_FRAME else 1.0)


def _normal(u: float) -> float:
    return NORMAL.inv_cdf(min(max(u, 1e-9), 1.0 - 1e-9))


make = Detector
"""As the folder's `perceive` needs it."""
