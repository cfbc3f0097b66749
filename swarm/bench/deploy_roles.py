"""Planner, standby and collector on boards: what travels, how long loops compile, and what agents kept till then."""

from __future__ import annotations

import argparse
import json
import threading
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from swarm.bench.deploy import fleets
from swarm.bench.deploy.boards import Board
from swarm.bench.deploy.fleets import Rig
from swarm.core.clock import MonotonicClock
from swarm.deploy.rollout.push import Push, Pushed

NEEDS = ("pyarrow",)
WHERE = "swarm bench deploy-roles"
COMPILED_S, TAKEN_S = 900.0, 60.0    # until the planners are ready; until the collector has what was kept
DISK_MB = 2048
PLACED = {"planner": "rover_0", "standby": "rover_1"}
RUNS = "var/lib/swarm/runs"


def arguments(p: argparse.ArgumentParser) -> None:
    del p


def run(given: argparse.Namespace, progress: Callable[[str], None]) -> dict[str, Any]:
    """Three boards; one agent is killed, and the collector comes last. Raises: BadInput without the privilege."""
    del given
    clock = MonotonicClock()
    with fleets.rig(WHERE, progress) as rig:
        for number in range(3):
            rig.add(f"rover_{number}", disk_mb=DISK_MB)
        boards = list(rig.boards.values())
        for board in boards:
            board.power_on()
        for board in boards:
            board.up()
        first = _pushed(rig, progress, PLACED)
        pushed_ns = clock.now_ns()
        progress("waiting for the planners, which compile")
        both = _until(lambda: all(_state(board, "planner") for board in boards[:2]), COMPILED_S)
        compiled_s = (clock.now_ns() - pushed_ns) / 1e9
        boards[2].run("systemctl", "kill", "--signal=KILL", "swarm-agent")
        _until(lambda: _state(boards[2], "agent").get("total", 0) > 0, TAKEN_S)
        kept = sum(_state(board, "agent").get("kept_reports", 0) for board in boards)
        second = _pushed(rig, progress, {**PLACED, "collector": "rover_2"})
        progress("waiting for what the agents kept")
        taken = _until(lambda: sum(_state(one, "agent").get("kept_reports", 1 << 20) for one in boards) < 10, TAKEN_S)
        boards[2].run("systemctl", "stop", "swarm-collector")
        return {
            "bytes_planner": first.boards[0].sent_bytes, "bytes_agent": first.boards[2].sent_bytes,
            "bytes_collector_more": second.boards[2].sent_bytes,
            "updated": [first.updated, second.updated], "planners_ready": both, "compiled_s": round(compiled_s, 1),
            "kept_before": kept, "kept_taken": taken, **_collected(boards[2].root / RUNS)}


def _pushed(rig: Rig, progress: Callable[[str], None], placed: dict[str, str]) -> Pushed:
    return Push(rig.write(policy="planner", placed=placed), progress).run()


def _until(holds: Callable[[], bool], most_s: float) -> bool:
    """Whether it held in time."""
    wait = threading.Event().wait
    for _ in range(round(most_s)):
        if holds():
            return True
        wait(1.0)
    return False


def _state(board: Board, role: str) -> dict[str, Any]:
    """What a process wrote of itself last; empty: nothing."""
    try:
        return json.loads(Path(f"/proc/{board.pid()}/root/run/swarm/{role}.json").read_bytes())
    except (OSError, ValueError):
        return {}


def _collected(runs: Path) -> dict[str, Any]:
    """The collector's figures of all its runs. holes: requests of each start, up to its last, that no table has."""
    from swarm.telemetry import table

    plans, totals, failed_by = 0, Counter[str](), Counter[str]()
    starts: dict[tuple[str, int], list[int]] = defaultdict(list)
    for folder in sorted(runs.iterdir()):
        requests = json.loads((folder / "summary.json").read_bytes())["requests"]
        totals += Counter({name: requests[name] for name in ("submitted", "completed", "lost")})
        failed_by += Counter(requests["failed_by"])
        if (folder / "plans.jsonl").exists():
            plans += len((folder / "plans.jsonl").read_text().splitlines())
        rows = table.read(folder / "requests.parquet")
        for agent, boot, sequence in zip(rows["agent"], rows["boot"], rows["sequence"], strict=True):
            if boot:                                 # 0: it was missed, and never submitted
                starts[str(agent), int(boot)].append(int(sequence))
    return {
        "plans": plans, "starts": len(starts), "submitted": totals["submitted"], "completed": totals["completed"],
        "lost": totals["lost"], "failed_by": dict(failed_by),
        "holes": sum(max(numbers) - len(set(numbers)) for numbers in starts.values())}


def as_text(figures: dict[str, Any]) -> str:
    return "\n".join(f"{key:20} {value}" for key, value in figures.items())
