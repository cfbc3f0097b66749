"""Compares the outcomes of a recorded run with the outcomes of the unsplit models on the same frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from agents.runtime import recording
from agents.runtime.recording import Record
from models import store, tasks
from models.session import Session
from swarm.core.protocol.world import Classes, Detections, NamedArray, Outcome, Tensors
from swarm.core.settings.cards import Precision
from swarm.core.settings.errors import BadInput
from swarm.telemetry.recorder import RECORDINGS, is_run_folder

RELATIVE = 1e-5
ABSOLUTE = 1e-6
"""Float outcomes may differ by |a - b| <= 1e-5 max|b| + 1e-6 (b: unsplit model); int8 and masks must be identical."""


class Compared(msgspec.Struct, kw_only=True):
    """The number of compared outcomes, and their differences from the unsplit model on this machine."""

    frames: int = 0
    same: int = 0
    split_frames: int = 0            # outcomes of models that were split
    split_same: int = 0
    max_score_difference: float = 0.0    # of box scores; 0 for masks
    different: list[str] = []        # requests with different outcomes


class Whole:
    """One unsplit variant of a model."""

    def __init__(self, model: str, variant: str) -> None:
        card = store.load_card(model)
        self.precision: Precision = card.variants[variant].precision if variant in card.variants else "fp32"
        self._session, self._task = Session(store.artefact(card, variant)), tasks.task(card)

    def outcome(self, frame: NDArray[np.uint8]) -> Outcome:
        return self._task.postprocess(self._session.run(self._task.preprocess(frame)))


def read(path: Path) -> tuple[list[Record], NDArray[np.uint8]]:
    """Records and frames of a file. Raises: BadInput."""
    try:
        return recording.parse(path.read_bytes())
    except (OSError, ValueError) as error:
        raise BadInput(str(path), f"not a recording: {error}", "a file that a run with --record wrote") from None


def check(run: str, progress: Callable[[str], None]) -> dict[str, dict[str, Compared]]:
    """The comparison, by model and variant; `progress` gets texts. Raises: BadInput if nothing can be compared."""
    folder = Path(run)
    if not is_run_folder(folder):
        raise BadInput(run, "not a run folder", "the folder of a run with --record")
    files = sorted((folder / RECORDINGS).glob("*.npz"))
    if not files:
        raise BadInput(run, "nothing was recorded", "swarm launch NAME --record")
    wholes: dict[tuple[str, str], Whole] = {}
    models: dict[str, dict[str, Compared]] = {}
    for number, file in enumerate(files):
        progress(f"replaying {file.stem}: {number} of {len(files)} robots")
        for record, frame in _recorded(file):
            key = record.model, record.variant
            whole = wholes[key] = wholes.get(key) or Whole(*key)
            compared = models.setdefault(record.model, {}).setdefault(record.variant, Compared())
            count(compared, record, whole.outcome(frame), whole.precision)
    if not models:
        raise BadInput(run, "nothing was recorded: no request had an outcome", "a longer run")
    return models


def _recorded(file: Path) -> Iterator[tuple[Record, NDArray[np.uint8]]]:
    """Records of a file with their frames. Raises: BadInput."""
    records, frames = read(file)
    others = recording.others(file.read_bytes()) if any(record.other for record in records) else []
    for record in records:
        inputs = others if record.other else frames
        if not 0 <= record.frame < len(inputs):
            raise BadInput(str(file), f"{record.request} is of frame {record.frame}", f"there are {len(inputs)}")
        yield record, inputs[record.frame]


def count(compared: Compared, record: Record, whole: Outcome, precision: Precision) -> None:
    """Compare one delivered outcome with the unsplit model's outcome, and count it."""
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
    """Whether they are equal, and the largest difference of scores; 1 if number or labels of the boxes differ."""
    if type(delivered) is not type(whole):
        return False, 1.0
    if isinstance(delivered, Tensors) and isinstance(whole, Tensors):
        return _arrays_alike(delivered, whole, precision), 0.0
    if isinstance(delivered, Classes) and isinstance(whole, Classes):
        if [one.label for one in delivered.best] != [one.label for one in whole.best]:
            return False, 1.0
        return _close(_scores(delivered), _scores(whole), precision)
    if not isinstance(delivered, Detections) or not isinstance(whole, Detections):
        return delivered == whole, 0.0
    if [box.label for box in delivered.boxes] != [box.label for box in whole.boxes]:
        return False, 1.0
    same, _ = _close(got := _numbers(delivered), expected := _numbers(whole), precision)
    return same, float(np.abs(got - expected)[:, 0].max(initial=0.0))


def _scores(found: Classes) -> NDArray[np.float64]:
    return np.array([one.score for one in found.best], float)


def _flat(one: NamedArray) -> NDArray[np.float64]:
    return one.array().astype(np.float64).reshape(-1)


def _close(got: NDArray[Any], expected: NDArray[Any], precision: Precision) -> tuple[bool, float]:
    """Whether the numbers are equal, in fp32 but for rounding; and the largest difference."""
    apart = np.abs(got - expected)
    allowed = ABSOLUTE + RELATIVE * np.abs(expected).max(0, initial=0.0) if precision != "int8" else 0.0
    return bool((apart <= allowed).all()), float(apart.max(initial=0.0))


def _arrays_alike(delivered: Tensors, whole: Tensors, precision: Precision) -> bool:
    """Equal bits, or floats that differ by rounding only."""
    if delivered == whole:
        return True
    kinds = [[(one.name, one.dtype, one.shape) for one in each.arrays] for each in (delivered, whole)]
    return kinds[0] == kinds[1] and all(
        a.data == b.data or (a.dtype.startswith("float") and _close(_flat(a), _flat(b), precision)[0])
        for a, b in zip(delivered.arrays, whole.arrays, strict=True))


def _numbers(found: Detections) -> NDArray[np.float64]:
    """[n, 5] score and corners of each box."""
    return np.array([(b.score, b.x0_px, b.y0_px, b.x1_px, b.y1_px) for b in found.boxes], float).reshape(-1, 5)
