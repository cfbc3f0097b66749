"""A sweep on Ray in a process of its own, which tells its parent of each step: `python -m ... FILE OUT ADDRESS`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from swarm.experiments import session
from swarm.experiments.experiment import Experiment
from swarm.experiments.workers.flight import Flown
from swarm.experiments.workers.local import Lost
from swarm.experiments.workers.on_ray import RayWorkers


class Telling(RayWorkers):
    """Prints `flying N`, the points in flight, and `lost WHY`."""

    def ended(self, timeout_s: float) -> list[Flown | Lost]:
        print("flying", len(self._calls), flush=True)
        found = super().ended(timeout_s)
        for one in found:
            if isinstance(one, Lost):
                print("lost", one.why, flush=True)
        return found


def _tell(text: str) -> None:
    print(text, flush=True)


def main(file: str, out: str, address: str) -> int:
    session.RayWorkers = Telling
    wishes = session.Wishes(jobs=2, ray=address)
    ended = session.Session(Experiment(Path(file)), Path(out), wishes, _tell, _tell).run()
    print(json.dumps(ended.figures))
    return ended.exit_code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
