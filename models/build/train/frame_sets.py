"""Sets of labelled frames for training, calibration, choice and test; rendered once, cached in git-ignored `data/`.

One seed is one building, so disjoint seeds give unseen buildings. Missions use seeds 0 to 999.
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
    "calibrate": range(3000, 3050),      # calibration of the int8 variants
    "choose": range(3050, 3100),         # choice between them
    "test": range(5000, 6000),           # metrics on the cards
}

PER_BUILDING = 80
"""Frames rendered in one building."""

USED = {"calibrate": (64, 4), "choose": (400, 20), "test": (1200, 80)}
"""Number of frames, and frames per building, for calibration, choice and test."""

DATA = Path("data/frames")


@dataclass(frozen=True, slots=True, kw_only=True)
class Frames:
    """Frames and their ground truth.

    images: uint8 [n, 72, 96, 3]; masks: uint8 [n, 72, 96];
    boxes: float32 [m, 7], columns frame, label, x0, y0, x1, y1 (px), counts (0 or 1), ordered by frame.
    """

    images: NDArray[np.uint8]
    masks: NDArray[np.uint8]
    boxes: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.images)

    def truth(self, frame: int) -> NDArray[np.float32]:
        """Ground-truth boxes of one frame [k, 6]: label, x0, y0, x1, y1, counts."""
        start, end = np.searchsorted(self.boxes[:, 0], [frame, frame + 1])
        return self.boxes[start:end, 1:]


def load(
    kind: str, count: int, per_building: int = PER_BUILDING, folder: Path = DATA, say: Callable[[str], None] = print
) -> Frames:
    """`count` frames of the seeds of `kind`, from the cache in `folder`, or rendered by two processes and cached."""
    seeds = buildings(kind, count, per_building)
    if count > per_building * len(seeds):
        raise ValueError(f"{kind} has {len(SEEDS[kind])} buildings of {per_building} frames, {count} were asked for")
    path = folder / f"{kind}-{count}-{per_building}-{_appearance_hash()}.npz"
    if not path.is_file():
        say(f"rendering {count} {kind} frames in {len(seeds)} buildings")
        with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
            frames = _join(list(pool.map(render, seeds, [per_building] * len(seeds))), count)
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(path, images=frames.images, masks=frames.masks, boxes=frames.boxes)
    with np.load(path) as file:
        return Frames(images=file["images"], masks=file["masks"], boxes=file["boxes"])


def buildings(kind: str, count: int, per_building: int = PER_BUILDING) -> range:
    """The seeds of `count` frames of `kind`."""
    return SEEDS[kind][: -(-count // per_building)]


def render(seed: int, count: int) -> Frames:
    """`count` frames of one building."""
    from models.build.train.rendering import render_frames

    shots = list(render_frames(seed, count))
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
    """The first `count` frames of all parts, numbered consecutively."""
    starts = np.cumsum([0, *(len(part) for part in parts)])
    for part, start in zip(parts, starts, strict=False):
        part.boxes[:, 0] += start
    boxes = np.concatenate([part.boxes for part in parts])
    return Frames(
        images=np.concatenate([part.images for part in parts])[:count],
        masks=np.concatenate([part.masks for part in parts])[:count],
        boxes=boxes[boxes[:, 0] < count],
    )


def _appearance_hash() -> str:
    """A hash of some rendered frames: cached frames are not used if the appearance of the worlds has changed."""
    sample = render(SEEDS["train"][0], 4)
    return hashlib.sha256(sample.images.tobytes() + sample.masks.tobytes() + sample.boxes.tobytes()).hexdigest()[:8]
