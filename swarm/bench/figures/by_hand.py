"""What the truths of planted runs are counted with: statistics by hand, and when what was heard."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from swarm.bench.figures.scene import Planted, Scene

Z = 1.959963984540054                # of the normal distribution: 2.5 % lie above


def offered(frames: Iterable[Planted]) -> list[Planted]:
    """The frames that were submitted."""
    return [f for f in frames if f.ending != "missed"]


def quantile(ordered: Sequence[float], q: float) -> tuple[float | None, tuple[float | None, float | None] | None]:
    """Quantile and interval: ranks are found by adding up binomial probabilities."""
    n = len(ordered)
    if max(q, 1.0 - q) ** n > 0.025:
        return None, None
    below, low, high = 0.0, 0, n - 1
    for k in range(n + 1):
        before = below
        below += math.exp(math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
                          + k * math.log(q) + (n - k) * math.log(1.0 - q))
        if before < 0.025 <= below:
            low = k - 1
        if before < 0.975 <= below:
            high = k
    place = q * (n - 1)
    left, right = ordered[math.floor(place)], ordered[math.ceil(place)]
    value = left if left == right else left + (place - math.floor(place)) * (right - left)
    return finite(value), (finite(ordered[low]), finite(ordered[high]))


def wilson(hits: int, of: int) -> tuple[float, float] | None:
    """Both solutions p of (hits / of - p)^2 = z^2 p (1 - p) / of."""
    if not of:
        return None
    share, a, b = hits / of, 1.0 + Z * Z / of, 2.0 * hits / of + Z * Z / of
    root = math.sqrt(max(b * b - 4.0 * a * share * share, 0.0))
    return (b - root) / (2.0 * a), (b + root) / (2.0 * a)


def finite(value: float) -> float | None:
    return None if math.isinf(value) else float(value)


def ended_ms(scene: Scene, frame: Planted) -> float:
    """When its ending was heard; infinite: never."""
    if frame.reason == "agent_lost":
        return next(gone.at_ms for gone in scene.gone if (gone.robot, gone.boot) == (frame.robot, frame.boot))
    return math.inf if frame.ending == "lost" else frame.due_ms + frame.latency_ms


def came_back(scene: Scene, robot: str) -> bool:
    return any(f.robot == robot and f.boot > 1 for f in scene.frames)
