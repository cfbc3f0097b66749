"""Labelled frames for training, choosing and testing, rendered once and kept in the git-ignored `data/`.

One seed is one building, so disjoint seeds mean unseen buildings. Missions use seeds 0 to 999.
"""

from __future__ import annotations

import hashlib
import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SEEDS = {
    "train": range(1000, 2000),
    "calibrate": range(3000, 3050),      # ranges of the int8 variants
    "choose": range(3050, 3100),         # which of them is kept
    "test": range(5000, 6000),           # the figures on the cards
}

PER_BUILDING = 80
"""Frames rendered in one building."""

USED = {"calibrate": (64, 4), "choose": (400, 20), "test": (1200, 80)}
"""Frames, and frames per building, behind the int8 ranges, the choice among them and the figures on a card."""

DATA = Path("data/frames")


@dataclass(frozen=True, slots=True, kw_only=True)
class Frames:
    """Frames and their truth.

    images: uint8 [n, 72, 96, 3]; masks: uint8 [n, 72, 96];
    boxes: float32 [m, 7], columns frame, label, x0, y0, x1, y1 (px), counts (0 or 1), ordered by frame.
    """

    images: NDArray[np.uint8]
    masks: NDArray[np.uint8]
    boxes: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.images)

    def truth(self, frame: int) -> NDArray[np.float32]:
        """Boxes of one frame [k, 6]: label, x0, y0, x1, y1, counts."""
        start, end = np.searchsorted(self.boxes[:, 0], [frame, frame + 1])
        return self.boxes[start:end, 1:]


def load(
    kind: str, count: int, per_building: int = PER_BUILDING, folder: Path = DATA, say: Callable[[str], None] = print
) -> Frames:
    """`count` frames of the seeds of `kind`, from `folder` or freshly rendered by two processes and kept there."""
    seeds = buildings(kind, count, per_building)
    if count > per_building * len(seeds):
        raise ValueError(f"{kind} has {len(SEEDS[kind])} buildings of {per_building} frames, {count} were asked for")
    path = folder / f"{kind}-{count}-{per_building}-{_look()}.npz"
    if not path.is_file():
        say(f"rendering {count} {kind} frames in {len(seeds)} buildings")
        with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
            frames = _join(list(pool.map(render, seeds, [per_building] * len(seeds))), count)
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(path, images=frames.images, masks=frames.masks, boxes=frames.boxes)
    with np.load(path) as file:
        return Frames(images=file["images"], masks=file["masks"], boxes=file["boxes"])


def buildings(kind: str, count: int, per_building: int = PER_BUILDING) -> range:
    """The seeds that `count` frames of `kind` come from."""
    return SEEDS[kind][: -(-count // per_building)]


def render(seed: int, count: int) -> Frames:
    """`count` frames of one building."""
    from models.build.train.rendering import render_frames

    shots = list(frames(seed, count))
    boxes = [
        (i, box.label, box.x0_px, box.y0_px, box.x1_px, box.y1_px, box.counts)
        for i, shot in enumerate(shots) for box in shot.boxes
    ]
    return Frames(
        images=np.stack([shot.image for shot in shots]),
        masks=np.stack([shot.mask for shot in shots]),
        boxes=np.array(boxes, np.float32).reshape(-1, 7),
    )


def _join(parts: list[Frames], count: int) -> Frames:
    """The first `count` frames of all parts, numbered through."""
    starts = np.cumsum([0, *(len(part) for part in parts)])
    for part, start in zip(parts, starts, strict=False):
        part.boxes[:, 0] += start
    boxes = np.concatenate([part.boxes for part in parts])
    return Frames(
        images=np.concatenate([part.images for part in parts])[:count],
        masks=np.concatenate([part.masks for part in parts])[:count],
        boxes=boxes[boxes[:, 0] < count],
    )


def _look() -> str:
    """A fingerprint of how the worlds look now: cached frames of an older look are not used."""
    sample = render(SEEDS["train"][0], 4)
    return hashlib.sha256(sample.images.tobytes() + sample.masks.tobytes() + sample.boxes.tobytes()).hexdigest()[:8]
