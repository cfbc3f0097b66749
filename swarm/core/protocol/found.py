"""What an outcome says, in words for people and tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from swarm.core.protocol.world import Classes, Detections, Mask, Outcome

FOUND_MAX = 256                      # characters


def in_words(outcome: Outcome, labels: Sequence[str]) -> str:
    """The labels of an outcome, each with its count, most frequent first: `person 2, car 1`.

    Of a classification the best one, of a mask each class once, of arrays their names. labels: of the model, by index;
    others are called `class 7`.
    """
    match outcome:
        case Detections(boxes=boxes):
            counts = Counter(box.label for box in boxes)
            said = [f"{_name(label, labels)} {count}" for label, count in counts.most_common()]
        case Classes(best=best):
            said = [f"{_name(one.label, labels)} 1" for one in best[:1]]
        case Mask():
            cells = np.bincount(np.frombuffer(outcome.cells, np.uint8), minlength=1)
            said = [f"{_name(int(label), labels)} 1" for label in np.argsort(-cells, kind="stable") if cells[label]]
        case _:
            said = [f"{one.name} 1" for one in outcome.arrays]
    return _cut(said)


def counted(said: str) -> list[tuple[str, int]]:
    """The labels of `in_words`, each with its count; 1 where none is said."""
    found: list[tuple[str, int]] = []
    for part in filter(None, said.split(", ")):
        label, _, count = part.rpartition(" ")
        found.append((label, int(count)) if label and count.isdecimal() else (part, 1))
    return found


def _name(label: int, labels: Sequence[str]) -> str:
    return labels[label] if label < len(labels) else f"class {label}"


def _cut(said: Iterable[str]) -> str:
    """As many of the words as fit."""
    text = ""
    for word in said:
        longer = f"{text}, {word}" if text else word
        if len(longer) > FOUND_MAX:
            break
        text = longer
    return text[:FOUND_MAX]
