"""How detectors state their boxes: one file per family of heads, each with `READINGS`, by name.

A reading fits the shapes of some outputs, and turns their values into candidates: `Candidates`.
"""

from __future__ import annotations

from collections.abc import Sequence

from models.heads import ssd, yolo
from models.heads.boxes import Reading
from models.store import ModelError
from swarm.core.settings.cards import TensorSpec

MOST_NAMED = 4                       # outputs in a message

READINGS: dict[str, Reading] = {**yolo.READINGS, **ssd.READINGS}


def reading_of(outputs: Sequence[TensorSpec], labels: int, name: str = "") -> str:
    """The name of the reading that fits the outputs of a detector with so many classes: `name`, or the only one.

    Raises: ModelError if none fits, or several do.
    """
    if name and name not in READINGS:
        raise ModelError(f"reading {name!r}", "is not known", f"one of {', '.join(READINGS)}")
    fitting = [known for known in ([name] if name else READINGS)
               if READINGS[known].places(outputs, labels) is not None]
    if ssd.WITH_Y_FIRST in fitting:                  # its names tell
        return ssd.WITH_Y_FIRST
    if len(fitting) > 1:
        raise ModelError("outputs", f"several readings fit {labels} labels: {', '.join(fitting)}",
                         "--reading, one of them")
    if fitting:
        return fitting[0]
    found = ", ".join(f"{spec.name} {spec.dtype} {spec.shape}" for spec in outputs[:MOST_NAMED])
    found += f" and {len(outputs) - MOST_NAMED} more" if len(outputs) > MOST_NAMED else ""
    forms = "; ".join(f"{key}: {READINGS[key].form(labels)}" for key in ([name] if name else READINGS))
    raise ModelError("outputs", f"no detector of {labels} labels: {found}", forms)
