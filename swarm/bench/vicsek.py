"""Vicsek's model of a flock, beside reference values: order at six levels of noise, by five seeds.

Robots of one speed take the mean heading of all within a radius, themselves among them, plus noise (Vicsek et al.,
Physical Review Letters 75, 1226, 1995). Order is the length of the mean of the unit velocities. A level is `within` if
the mean over the seeds differs from the reference by 0.03 at most, or by two standard deviations over the seeds. Robots
move by their new heading, as in most programs; equation 1 of the paper has the present one. The reference does not say
which, and its curve fits the new one better (docs/worlds.md has both).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarm.telemetry.text_table import text_table

ROBOTS, SIDE, RADIUS, SPEED = 100, 5.0, 1.0, 0.03        # the unit of length is the radius, of time one step
REFERENCE = {0.5: 0.99, 1.0: 0.95, 2.0: 0.82, 3.0: 0.60, 4.0: 0.30, 5.0: 0.13}
"""Noise (rad) -> order: one simulated run of the same parameters for each level, to two digits; the curve is that of
figure 2 of the paper, which prints no table."""
LEAST_TOLERANCE, DEVIATIONS = 0.03, 2.0
SEEDS = 5
SETTLE_STEPS, MEASURED_STEPS = 500, 1500


def run(given: argparse.Namespace, progress: Callable[[str], None]) -> dict[str, Any]:
    """`rows`, one for each level of noise, and whether all are `within` their tolerances."""
    rows = []
    for level, (noise_rad, reference) in enumerate(REFERENCE.items()):
        progress(f"noise {noise_rad:g}")
        orders = [mean_order(noise_rad, np.random.default_rng([seed, level]), SETTLE_STEPS, MEASURED_STEPS)
                  for seed in range(SEEDS)]
        rows.append(row_of(noise_rad, reference, orders))
    return {"robots": ROBOTS, "side": SIDE, "radius": RADIUS, "speed": SPEED, "seeds": SEEDS,
            "settle_steps": SETTLE_STEPS, "measured_steps": MEASURED_STEPS, "rows": rows,
            "within": all(row["within"] for row in rows)}


def row_of(noise_rad: float, reference: float, orders: list[float]) -> dict[str, Any]:
    """Our order (mean over the seeds) beside the reference; the standard deviation is that of a sample."""
    ours, spread = float(np.mean(orders)), float(np.std(orders, ddof=1))
    tolerance = max(LEAST_TOLERANCE, DEVIATIONS * spread)
    return {"noise_rad": noise_rad, "order": round(ours, 4), "standard_deviation": round(spread, 4),
            "reference": reference, "deviation": round(ours - reference, 4), "tolerance": round(tolerance, 4),
            "within": abs(ours - reference) <= tolerance}


def mean_order(noise_rad: float, rng: np.random.Generator, settle: int, measured: int) -> float:
    """The mean order of `measured` steps after `settle` steps, from random places and headings."""
    places, headings = rng.uniform(0.0, SIDE, (ROBOTS, 2)), rng.uniform(-np.pi, np.pi, ROBOTS)
    total = 0.0
    for step in range(settle + measured):
        places, headings = moved(places, headings, noise_rad, rng)
        if step >= settle:
            total += order(headings)
    return total / measured


def moved(places: NDArray[np.float64], headings: NDArray[np.float64], noise_rad: float, rng: np.random.Generator,
          ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Places [n, 2] and headings [n] one step later, on a square whose opposite sides meet.

    A robot's new heading is the mean heading here, plus noise of +-noise_rad / 2; it moves by the new one.
    """
    turned = mean_headings(places, headings) + rng.uniform(-noise_rad / 2, noise_rad / 2, len(headings))
    ahead = SPEED * np.stack([np.cos(turned), np.sin(turned)], axis=1)
    return (places + ahead) % SIDE, turned


def mean_headings(places: NDArray[np.float64], headings: NDArray[np.float64]) -> NDArray[np.float64]:
    """The direction of the sum of the unit velocities of all robots within the radius of each, itself among them."""
    offsets = places[:, None] - places
    offsets -= SIDE * np.round(offsets / SIDE)               # to the nearest image
    near = (offsets ** 2).sum(axis=2) < RADIUS ** 2
    return np.arctan2(near @ np.sin(headings), near @ np.cos(headings))


def order(headings: NDArray[np.float64]) -> float:
    """The length of the mean unit velocity: 1, all drive alike; near 0, in all directions."""
    return float(np.hypot(np.cos(headings).mean(), np.sin(headings).mean()))


def as_text(figures: dict[str, Any]) -> str:
    """A table."""
    rows = [[f"{row['noise_rad']:g}", f"{row['order']:.3f}", f"{row['standard_deviation']:.3f}",
             f"{row['reference']:.2f}", f"{row['deviation']:+.3f}", f"{row['tolerance']:.3f}",
             "yes" if row["within"] else "no"] for row in figures["rows"]]
    table = text_table(["noise rad", "order", "deviation over seeds", "reference", "difference", "tolerance", "within"],
                       rows).rstrip()
    return f"{table}\nall within their tolerances: {'yes' if figures['within'] else 'no'}"
