"""The front of a family of variants: those that no other one beats in accuracy, run time and size. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple


class Point(NamedTuple):
    """A variant: the value of the card's primary metric (0..1), median run time (ms) and size of its file (bytes)."""

    variant: str
    accuracy: float
    p50_ms: float
    size_bytes: int


class Step(NamedTuple):
    """From a point to the next faster one."""

    slower: str
    faster: str
    times_as_fast: float
    times_as_small: float
    lost: float                      # accuracy; below 0: gained


def beaten_by(point: Point, points: Sequence[Point]) -> str:
    """The fastest of the variants that are as good in all three, and better in one; empty: it is on the front."""
    better = [other for other in points
              if other.accuracy >= point.accuracy and other.p50_ms <= point.p50_ms
              and other.size_bytes <= point.size_bytes and other[1:] != point[1:]]
    return min(better, key=lambda other: (other.p50_ms, other.variant)).variant if better else ""


def front(points: Sequence[Point]) -> list[Point]:
    """The points of the front, the slowest first."""
    return sorted((point for point in points if not beaten_by(point, points)), key=lambda p: (-p.p50_ms, p.variant))


def fastest_forms(points: Sequence[Point], networks: Mapping[str, str]) -> list[Point]:
    """The fastest form of each network, the slowest first. networks: by variant."""
    best: dict[str, Point] = {}
    for point in sorted(points, key=lambda p: (p.p50_ms, p.variant)):
        best.setdefault(networks[point.variant], point)
    return list(best.values())[::-1]


def steps(points: Sequence[Point]) -> list[Step]:
    """The steps along these points, in their order. Raises: ZeroDivisionError for a time or a size of 0."""
    return [Step(a.variant, b.variant, a.p50_ms / b.p50_ms, a.size_bytes / b.size_bytes, a.accuracy - b.accuracy)
            for a, b in pairwise(points)]
