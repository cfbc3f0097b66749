"""Figures of planted runs beside the truth, and how often the recovery figures are right.

First, each scene: rows and reports made by a script, with known losses, levels, faults and counts. Every key of
`summary.json` is compared with a count by hand. Then, many minutes of frames with a known loss, or none: false alarms,
losses found, lengths, and lasting losses told as lasting, by rate and share on time. Seeded: the figures repeat.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from typing import Any

import msgspec

from swarm.bench.figures.scene import collect
from swarm.bench.figures.scenes import SCENES
from swarm.bench.figures.trials import Cell, cells
from swarm.bench.figures.truth import differences, flat, truth
from swarm.core.protocol.bounds import Seed
from swarm.core.settings.errors import BadInput
from swarm.core.settings.validation import check
from swarm.telemetry.text_table import text_table

NEEDS = ("scipy",)
TRIALS, MOST_TRIALS = 250, 100_000
SEED = 1

Figures = dict[str, Any]


def arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("--trials", type=int, metavar="N", default=TRIALS,
                   help=f"minutes of each rate, share and kind of loss; default: {TRIALS}")
    p.add_argument("--seed", type=int, metavar="N", default=SEED, help=f"seed of these minutes; default: {SEED}")


def run(given: argparse.Namespace, progress: Callable[[str], None]) -> Figures:
    """Raises: BadInput for an invalid number of trials or seed."""
    if not 1 <= given.trials <= MOST_TRIALS:
        raise BadInput("--trials", f"{given.trials}", f"from 1 to {MOST_TRIALS}")
    check(given.seed, Seed, "--seed")
    figures = compare(progress)
    found: list[Cell] = []
    for cell in cells(given.trials, given.seed):
        found.append(cell)
        progress(f"{cell.rate_hz} requests/s, {cell.share:.0%} on time: {cell.kind}")
    return {**figures, "recovery_holds": all(cell.holds for cell in found), "seed": given.seed,
            "recovery": [{**msgspec.structs.asdict(cell), "interval": cell.interval, "holds": cell.holds}
                         for cell in found]}


def compare(progress: Callable[[str], None]) -> Figures:
    """Every key of every scene beside the truth."""
    keys: set[str] = set()
    figures, wrong = 0, dict[str, list[str]]()
    for make in SCENES:
        scene = make()
        progress(f"scene: {scene.name}")
        said = collect(scene)
        leaves = flat(said)
        figures += len(leaves)
        keys |= {re.sub(r"\.(\d+|rover_\d|carrier_\d|detect|segment)(?=\.|$)", ".*", leaf) for leaf in leaves}
        off = differences(said, truth(scene))
        if off:
            wrong[scene.name] = [f"{key}: {product!r}, truly {true!r}" for key, (product, true) in off.items()]
    return {"scenes": len(SCENES), "keys": len(keys), "figures": figures,
            "wrong": sum(len(lines) for lines in wrong.values()), "wrong_in": wrong}


def as_text(figures: Figures) -> str:
    """What was wrong, then a row per cell of the trials."""
    lines = [(f"{figures['figures']} figures of {figures['keys']} keys in {figures['scenes']} planted runs: "
              f"{figures['wrong']} wrong")]
    lines += [f"  {scene}: {line}" for scene, wrong in figures["wrong_in"].items() for line in wrong]
    header = ("requests/s", "on time", "loss", "found", "95 % interval", "right", "too few", "")
    rows = [(f"{of['rate_hz']}", f"{of['share']:.0%}", of["kind"].replace("_", " "),
             f"{of['found'] / of['trials']:.1%}", "{:.1%} to {:.1%}".format(*of["interval"]),
             f"{of['right'] / of['trials']:.1%}", f"{of['too_few'] / of['trials']:.1%}", "" if of["holds"] else "FAILS")
            for of in figures["recovery"]]
    return "\n".join(lines) + "\n\n" + text_table(header, rows, right=range(3, 7))
