"""`swarm experiment ACTION`: launches with varied values, many seeds, and what they show."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from swarm.experiments.experiment import Experiment

HELP = "vary values of a launch file over many seeds, and compare what comes"
EXAMPLE = "swarm experiment run grid"


def arguments(p: argparse.ArgumentParser) -> None:
    """None of all actions."""


def file_and_folder(p: argparse.ArgumentParser) -> None:
    """The experiment of an action, and its folder."""
    p.add_argument("experiment", metavar="NAME|FILE",
                   help="an experiment file, or its name in ./launch/experiments or in the package")
    p.add_argument("--out", metavar="DIR", help="the experiment's folder; default: experiments/NAME")


def loaded(given: argparse.Namespace) -> tuple[Experiment, Path]:
    """The experiment that is meant, and its folder. Raises: BadInput."""
    from swarm.experiments.experiment import Experiment
    from swarm.launcher import find

    experiment = Experiment(find.experiment_file(given.experiment))
    return experiment, Path(given.out or Path("experiments") / experiment.name)
