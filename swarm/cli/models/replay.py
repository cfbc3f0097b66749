"""`swarm models replay RUN`: whether what robots were told of their frames is what the whole model says of them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from agents.runtime import recording
from agents.runtime.recording import Record
from models import store, tasks
from models.session import Session
from swarm.cli.progress import Progress
from swarm.core.protocol.world import Detections, Mask, Outcome
from swarm.core.settings.cards import Precision
from swarm.core.settings.errors import BadInput
from swarm.telemetry.recorder import RECORDINGS, is_run_folder

RELATIVE = 1e-5
ABSOLUTE = 1e-6
"""Float stages may differ from the whole by |a - b| <= 1e-5 max|a| + 1e-6; int8 and masks must be equal bit for bit."""


class Compared(msgspec.Struct, kw_only=True):
    """How many outcomes were compared, and how they differ from what the whole model gives here."""

    frames: int = 0
    same: int = 0
    split_frames: int = 0            # made by a chain
    split_same: int = 0
    max_score_difference: float = 0.0    # of boxes; 0 for masks
    different: list[str] = []        # requests


class Whole:
    """One variant, loaded whole."""

    def __init__(self, model: str, variant: str) -> None:
        card = store.load_card(model)
        self.precision: Precision = card.variants[variant].precision if variant in card.variants else "fp32"
        self._session, self._task = Session(store.artefact(card, variant)), tasks.task(card.task)

    def outcome(self, frame: NDArray[np.uint8]) -> Outcome:
        return self._task.postprocess(self._session.run(self._task.preprocess(frame)))


def read(path: Path) -> tuple[list[Record], NDArray[np.uint8]]:
    """Records and frames of a file. Raises: BadInput."""
    try:
        return recording.parse(path.read_bytes())
    except (OSError, ValueError) as error:
        raise BadInput(str(path), f"not a recording: {error}", "a file that a run with --record wrote") from None


def replay(given: argparse.Namespace) -> int:
    """Exit code 1 when any outcome differs; each that does is named."""
    folder = Path(given.folder)
    if not is_run_folder(folder):
        raise BadInput(given.folder, "not a run folder", "the folder of a run with --record")
    files = sorted((folder / RECORDINGS).glob("*.npz"))
    if not files:
        raise BadInput(given.folder, "nothing was recorded", "swarm launch NAME --record")
    wholes: dict[tuple[str, str], Whole] = {}
    models: dict[str, dict[str, Compared]] = {}
    with Progress() as progress:
        for number, file in enumerate(files):
            progress(f"replaying {file.stem}: {number} of {len(files)} robots")
            for record, frame in _recorded(file):
                key = record.model, record.variant
                whole = wholes[key] = wholes.get(key) or Whole(*key)
                compared = models.setdefault(record.model, {}).setdefault(record.variant, Compared())
                enter(compared, record, whole.outcome(frame), whole.precision)
    each = [compared for variants in models.values() for compared in variants.values()]
    frames, same = sum(c.frames for c in each), sum(c.same for c in each)
    split = sum(c.split_frames for c in each)
    if not frames:
        raise BadInput(given.folder, "nothing was recorded: no request had an outcome", "a longer run")
    worst = max((c.max_score_difference for c in each), default=0.0)
    if given.json:
        print(msgspec.json.encode({"frames": frames, "same": same, "split_frames": split, "max_score_difference": worst,
                                   "models": models}).decode())
    else:
        for model, variants in models.items():
            for variant, compared in variants.items():
                print(f"{model} {variant}: {compared.same} of {compared.frames} outcomes are those of the whole, "
                      f"{compared.split_same} of {compared.split_frames} that a chain made; scores differ by at most "
                      f"{compared.max_score_difference:.2g}")
    for request in (name for compared in each for name in compared.different):
        print(f"swarm: {request}: the whole model gives another outcome", file=sys.stderr)
    return int(same < frames)


def _recorded(file: Path) -> Iterator[tuple[Record, NDArray[np.uint8]]]:
    """Records of a file with their frames. Raises: BadInput."""
    records, frames = read(file)
    for record in records:
        if not 0 <= record.frame < len(frames):
            raise BadInput(str(file), f"{record.request} is of frame {record.frame}", f"there are {len(frames)}")
        yield record, frames[record.frame]


def enter(compared: Compared, record: Record, whole: Outcome, precision: Precision) -> None:
    """Compare one delivered outcome with the whole model's, and count it."""
    same, score_difference = difference(record.outcome, whole, precision)
    split = len(record.agents) > 1
    compared.frames += 1
    compared.same += same
    compared.split_frames += split
    compared.split_same += split and same
    compared.max_score_difference = max(compared.max_score_difference, score_difference)
    if not same:
        compared.different.append(str(record.request))


def difference(delivered: Outcome, whole: Outcome, precision: Precision) -> tuple[bool, float]:
    """Whether they are the same, and the largest difference of scores; 1 where the boxes are not as many, or others."""
    if isinstance(delivered, Mask) or isinstance(whole, Mask):
        return delivered == whole, 0.0
    if [box.label for box in delivered.boxes] != [box.label for box in whole.boxes]:
        return False, 1.0
    mine, right = _numbers(delivered), _numbers(whole)
    apart = np.abs(mine - right)
    allowed = ABSOLUTE + RELATIVE * np.abs(right).max(0, initial=0.0) if precision == "fp32" else 0.0
    return bool((apart <= allowed).all()), float(apart[:, 0].max(initial=0.0))


def _numbers(found: Detections) -> NDArray[np.float64]:
    """Score and corners of each box [n, 5]."""
    return np.array([(b.score, b.x0_px, b.y0_px, b.x1_px, b.y1_px) for b in found.boxes], float).reshape(-1, 5)
