"""The objective: the misses of each priority, from the most important one on; then all of them together, and the rest.

Misses of one priority that differ by less than a simulation can tell count as equal: otherwise a handful of frames of
an important stream, by chance, would outweigh all results of the others. Where all are equal, their weighted sum
decides: small gains add up.
"""

from __future__ import annotations

from collections.abc import Sequence

Score = tuple[float, ...]
"""Share of the due frames that misses, by priority; then the sum of all misses per second, each weighing as much as ten
of the next lower priority, and of what counts less. Less is better."""

EQUAL = 0.01                         # shares that differ by less are equal


def best_of(scores: Sequence[Score]) -> int:
    """The index of the best score; of equal ones the first. All have the same priorities."""
    kept = list(range(len(scores)))
    for place in range(len(scores[0]) - 1):
        least = min(scores[n][place] for n in kept)
        kept = [n for n in kept if scores[n][place] <= least + EQUAL]
    return min(kept, key=lambda n: scores[n][-1:])


def is_better(one: Score, other: Score) -> bool:
    """Whether the first of two scores is better."""
    return best_of([other, one]) == 1
