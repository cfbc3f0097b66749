"""A launch with dummies for children, and without the report: charts take seconds.

Usage: fly.py LAUNCH OUT [--manner M] [--set K=V ...].
"""

from __future__ import annotations

import argparse
import sys
import types
from pathlib import Path

from swarm.cli.standard_streams import standard_streams
from swarm.core.clock import MonotonicClock
from swarm.launcher.launch import Launch
from swarm.launcher.load import load_launch
from swarm.launcher.progress import Plain
from swarm.run.director import Limits
from swarm.run.settings.resolve import Options

DUMMY = Path(__file__).parent / "dummy.py"


class Dummies(Launch):
    manner = "good"

    def _command_of(self, role: str, path: str) -> list[str]:
        return [sys.executable, str(DUMMY), role, path, self.manner]


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("launch")
    parser.add_argument("out", type=Path)
    parser.add_argument("--manner", default="good")
    parser.add_argument("--ready-s", type=float, default=Limits().ready_s)
    parser.add_argument("--set", dest="assignments", action="append", default=[])
    given = parser.parse_args()
    sys.modules["swarm.telemetry.report.report"] = types.SimpleNamespace(write_report=lambda folder: folder)  # type: ignore
    resolved = load_launch(Options(launch=given.launch, assignments=given.assignments))
    launch = Dummies(resolved, given.out, command=sys.argv, progress=Plain(sys.stderr),
                     commanded_ns=MonotonicClock().now_ns(),
                     limits=Limits(ready_s=given.ready_s, ready_per_robot_s=0.0))
    launch.manner = given.manner
    outcome = launch.run()
    print(f"error: {outcome.error}", file=sys.stderr)
    return outcome.exit_code


if __name__ == "__main__":
    with standard_streams():
        code = main()
    sys.exit(code)
