"""A launch with dummies for children, and without the report unless it is asked for: charts take seconds.

Usage: fly.py LAUNCH OUT [--manner M] [--report] [--set K=V ...].
"""

from __future__ import annotations

import argparse
import sys
import types
from pathlib import Path

from swarm.core.clock import MonotonicClock
from swarm.launcher import launch as run
from swarm.launcher.files import ProcessSpec
from swarm.launcher.progress import Plain
from swarm.run.settings.resolve import Options, resolve

DUMMY = Path(__file__).parent / "dummy.py"


class Dummies(run.Launch):
    manner = "good"

    def _command_of(self, spec: ProcessSpec, path: Path) -> list[str]:
        return [sys.executable, str(DUMMY), spec.role, str(path), self.manner]


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("launch")
    parser.add_argument("out", type=Path)
    parser.add_argument("--manner", default="good")
    parser.add_argument("--ready-s", type=float, default=run.READY_S)
    parser.add_argument("--set", dest="assignments", action="append", default=[])
    parser.add_argument("--report", action="store_true")
    given = parser.parse_args()
    if not given.report:
        sys.modules["swarm.telemetry.report.report"] = types.SimpleNamespace(write_report=lambda folder: folder)  # type: ignore
    run.READY_S, run.READY_PER_ROBOT_S = given.ready_s, 0.0
    resolved = resolve(Options(launch=given.launch, assignments=given.assignments))
    launch = Dummies(resolved, given.out, command=sys.argv, progress=Plain(sys.stderr),
                     commanded_ns=MonotonicClock().now_ns())
    launch.manner = given.manner
    outcome = launch.run()
    print(f"error: {outcome.error}", file=sys.stderr)
    return outcome.exit_code


if __name__ == "__main__":
    sys.exit(main())
