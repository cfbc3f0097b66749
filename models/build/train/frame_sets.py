"""Sets of labelled frames for training, calibration, choice and test; rendered once, cached in git-ignored `data/`.

One seed is one place of a scenario, so disjoint seeds give unseen places. Missions use seeds 0 to 999.
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

from swarm.core.settings.randomise import NOTHING, Randomise

SEEDS = {
    "train": range(1000, 2000),
    "calibrate": range(3000, 3050),      # calibration of the int8 variants
    "choose": range(3050, 3100),         # choice between them
    "test": range(5000, 6000),           # metrics on the cards
}

SCENARIOS = {
    "detect": ("search_rescue", "convoy", "search_rescue", "formation", "search_rescue", "warehouse",
               "search_rescue", "coverage"),
    "segment": ("search_rescue",),
}
"""The scenarios of the places, in turn, by the task of the model. Buildings vary most."""

PER_PLACE = 80
"""Frames rendered in one place."""

USED = {"calibrate": (64, 4), "choose": (400, 20), "test": (1200, 40)}
"""Number of frames, and frames per place, for calibration, choice and test."""

RANDOMISED = {"train": Randomise(light=0.3, colour=0.3, texture=0.5)}
"""How the looks of places vary beyond what scenarios draw, for training alone: tests are on the worlds as they are."""

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


def load(task: str, kind: str, count: int, per_place: int = PER_PLACE, folder: Path = DATA,
         say: Callable[[str], None] = print) -> Frames:
    """`count` frames for models of a task, of the seeds of `kind`: cached in `folder`, or rendered by two processes.

    Raises ValueError for more frames than the seeds give.
    """
    where = places(task, kind, count, per_place)
    path = folder / f"{task}-{kind}-{count}-{per_place}-{_appearance_hash(task)}.npz"
    if not path.is_file():
        say(f"rendering {count} {kind} frames in {len(where)} places of {', '.join(dict.fromkeys(SCENARIOS[task]))}")
        with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
            made = [pool.submit(render, scenario, seed, per_place, kind) for scenario, seed in where]
            rendered = [one.result() for one in made]
        frames = _join(rendered, count)
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(path, images=frames.images, masks=frames.masks, boxes=frames.boxes)
    with np.load(path) as file:
        return Frames(images=file["images"], masks=file["masks"], boxes=file["boxes"])


def places(task: str, kind: str, count: int, per_place: int = PER_PLACE) -> list[tuple[str, int]]:
    """Scenario and seed of each place of `count` frames of `kind`, for models of a task."""
    needed, seeds, turns = -(-count // per_place), SEEDS[kind], SCENARIOS[task]
    if needed > len(seeds):
        raise ValueError(f"{kind} has {len(seeds)} places of {per_place} frames, {count} were asked for")
    return [(turns[k % len(turns)], seed) for k, seed in enumerate(seeds[:needed])]


def told(task: str, kind: str, count: int, per_place: int = PER_PLACE) -> str:
    """The same as text, for cards."""
    where = places(task, kind, count, per_place)
    names = list(dict.fromkeys(name for name, _ in where))
    looks = ", light, colours and textures randomised" if kind in RANDOMISED else ""
    return f"{count} frames of places {where[0][1]}-{where[-1][1]} of {', '.join(names)}{looks}"


def render(scenario: str, seed: int, count: int, kind: str = "test") -> Frames:
    """`count` frames of one place, for a set of `kind`."""
    from models.build.train.rendering import render_frames

    shots = list(render_frames(scenario, seed, count, randomise=RANDOMISED.get(kind, NOTHING)))
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


def _appearance_hash(task: str) -> str:
    """A hash of some rendered frames: cached frames are not used if the appearance of the worlds has changed."""
    digest = hashlib.sha256()
    for scenario in dict.fromkeys(SCENARIOS[task]):
        sample = render(scenario, SEEDS["train"][0], 4, "train")
        digest.update(sample.images.tobytes() + sample.masks.tobytes() + sample.boxes.tobytes())
    return digest.hexdigest()[:8]
