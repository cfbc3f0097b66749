"""`swarm report` and `swarm bench`."""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path

from swarm.cli import extras
from swarm.core.protocol.bounds import RunSeconds
from swarm.core.settings.checking import check
from swarm.core.settings.errors import BadInput

OPTIONS = (
    ("model", "model", ("split",), "swarm bench split --model NAME"),
    ("duration", "duration_s", ("chaos", "presence"), "swarm bench chaos --duration 60"),
    ("seed", "seed", ("chaos",), "swarm bench chaos --seed 2"),
)
"""Of some benches: option, argument of the bench's `main`, the benches, an example."""


def report(given: argparse.Namespace) -> int:
    """Write `report.html` again, from the folder's own files."""
    extras.needed("swarm report", *extras.REPORT)
    from swarm.telemetry.report.report import write_report

    try:
        print(write_report(Path(given.folder), [Path(folder) for folder in given.compare]))
    except OSError as error:
        raise BadInput(given.folder, error.strerror or str(error), "a run folder that can be written") from None
    return 0


def bench(given: argparse.Namespace) -> int:
    """Each bench is the module of its name; `split` is told what to cut, too, `chaos` how long and by which seed."""
    if given.name in ("preempt", "split"):
        extras.needed(f"swarm bench {given.name}", "onnx")
    if given.name == "chaos":
        extras.needed("swarm bench chaos", *extras.REPORT, "pybullet")
    if given.duration is not None:
        check(given.duration, RunSeconds, "--duration")
    options: dict[str, object] = {}
    for option, key, benches, example in OPTIONS:
        value = getattr(given, option)
        if value is not None and given.name not in benches:
            raise BadInput(f"--{option}", f"means nothing to swarm bench {given.name}", example)
        if value is not None:
            options[key] = value
    parts = importlib.import_module(f"swarm.bench.{given.name}")
    module = importlib.import_module(f"{parts.__name__}.bench") if hasattr(parts, "__path__") else parts
    return module.main(given.json, **options)
