"""`python -m swarm.bench.experiment.killed FILE OUT FILES LOG LASTS_S JOBS`: an experiment of empty runs, resumed.

FILES: a folder with those that each run leaves. It ends as `swarm experiment run --resume` would, or is killed.
"""

from __future__ import annotations

import sys
from pathlib import Path

from swarm.bench.experiment.points import Empty
from swarm.experiments.experiment import Experiment
from swarm.experiments.session import Session, Wishes
from swarm.experiments.workers.local import LocalWorkers


def main(file: str, out: str, files: str, log: str, lasts_s: str, jobs: str) -> int:
    """Returns the exit code."""
    empty = Empty({path.name: path.read_bytes() for path in Path(files).iterdir()}, float(lasts_s), log)
    return Session(Experiment(Path(file)), Path(out), Wishes(resume=True, jobs=int(jobs)), lambda text: None,
                   make=lambda: LocalWorkers(int(jobs), empty)).run().exit_code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
