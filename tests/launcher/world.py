"""What the launcher's tests share: a launch file, waiting without sleeping, and looking at processes."""

from __future__ import annotations

import json
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from swarm.launcher import supervisor
from tests.patience import HANG_S

LAUNCH = """
version: 1
scenario: search_rescue
seed: 7
duration_s: 30
policy: local
fleet:
  - {name: rover, count: 2, board: orin_nano, physics: kinematic}
  - {name: carrier, count: 1, board: agx_orin, physics: kinematic}
streams:
  - {name: detect, on: [rover, carrier], model: detector, rate_hz: 5, deadline_s: 0.15, priority: 2}
  - {name: patrol, on: [rover], model: detector, rate_hz: 1, deadline_s: 0.6}
accept: {on_time_ratio: ">= 0.9", lost: "== 0"}
"""
ALONE = LAUNCH.replace("count: 2", "count: 1").replace(
    "  - {name: carrier, count: 1, board: agx_orin, physics: kinematic}\n", "").replace("[rover, carrier]", "[rover]")
FLY = [sys.executable, str(Path(__file__).parent / "fly.py")]


def write_launch(folder: Path, text: str = LAUNCH) -> Path:
    path = folder / "patrol.yaml"
    path.write_text(text)
    return path


def wait_until(true: Callable[[], bool]) -> None:
    """Look again every 10 ms; fails when it hangs."""
    for _ in range(round(HANG_S / 0.01)):
        if true():
            return
        select.select([], [], [], 0.01)
    raise AssertionError(f"not within {HANG_S:g} s: {true}")


def pids(out: Path, *roles: str) -> list[int]:
    """From `processes.json`: those of these roles, or all but the launcher's."""
    table = json.loads((out / "processes.json").read_text())
    return [p["pid"] for p in table if (p["role"] in roles if roles else p["role"] != "launcher")]


def nobody_left(sessions: list[int]) -> bool:
    return not supervisor.members(sessions)


class Flight:
    """`fly.py` as a process: a launch whose children are dummies. It is killed with all its sessions at the end."""

    def __init__(self, launch: Path, out: Path, *arguments: str, under: Sequence[str] = ()) -> None:
        """under: a command that starts it, as nohup."""
        self.out = out
        self.process = subprocess.Popen(
            [*under, *FLY, str(launch), str(out), *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True)
        self.said: list[str] = []

    def __enter__(self) -> Flight:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()
        if (self.out / "processes.json").exists():
            supervisor.signal_sessions(pids(self.out), signal.SIGKILL)

    def until(self, words: str) -> Flight:
        """Read its standard error up to the line with these words."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.said.append(line)
            if words in line:
                return self
        raise AssertionError(f"it never said {words!r}: {self.said}")

    def end(self) -> tuple[int, str, str]:
        """Wait for its end: exit code, standard output, the rest of standard error."""
        out, err = self.process.communicate(timeout=HANG_S)
        return self.process.returncode, out, err


def gone(pid: int) -> bool:
    """Whether a process has ended (a zombie has)."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] in "ZX"
    except FileNotFoundError:
        return True
