"""`swarm report` and `swarm bench`."""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path

from swarm.cli import extras
from swarm.core.errors import BadInput


def report(given: argparse.Namespace) -> int:
    """Write `report.html` again, from the folder's own files."""
    extras.needed("swarm report", *extras.REPORT)
    from swarm.telemetry.report import write_report

    try:
        print(write_report(Path(given.folder), [Path(folder) for folder in given.compare]))
    except OSError as error:
        raise BadInput(given.folder, error.strerror or str(error), "a run folder that can be written") from None
    return 0


def bench(given: argparse.Namespace) -> int:
    """Each bench is the module of its name; `split` is told what to cut, too."""
    if given.name in ("preempt", "split"):
        extras.needed(f"swarm bench {given.name}", "onnx")
    if given.model and given.name != "split":
        raise BadInput("--model", f"means nothing to swarm bench {given.name}", "swarm bench split --model NAME")
    module = importlib.import_module(f"swarm.bench.{given.name}")
    return module.main(given.json, *([given.model] if given.model else []))
