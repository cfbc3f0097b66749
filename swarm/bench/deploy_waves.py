"""A bad release meets a fleet of boards: how many it touches, how many serve afterwards, and a board that was off."""

from __future__ import annotations

import argparse
import threading
from collections.abc import Callable
from typing import Any

from swarm.bench.deploy import bad, fleets
from swarm.bench.deploy.watch import agent_state
from swarm.core.clock import MonotonicClock
from swarm.core.settings.errors import BadInput
from swarm.deploy.rollout.push import Push

WHERE = "swarm bench deploy-waves"
SERVE_S = 60.0                       # until all boards serve; those that do not by then are not counted
LOOK_S = 0.5


def arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("--boards", type=int, default=8, metavar="N")


def run(given: argparse.Namespace, progress: Callable[[str], None]) -> dict[str, Any]:
    """A good release, a bad one, and a good one again while one board is off. Raises: BadInput."""
    if not 3 <= given.boards <= 16:
        raise BadInput("--boards", str(given.boards), "3 to 16")
    with fleets.rig(WHERE, progress) as rig:
        rig.start(given.boards)
        Push(rig.write(), progress).run()
        fleet = rig.write()
        wrong = Push(fleet, progress, made=bad.Edited(fleet, bad.runs("crash at start"))).run()
        serving = _serving(rig)
        back = next((one for one in wrong.boards if one.outcome == "put back"), None)
        off = rig.boards[f"rover_{given.boards - 1}"]
        off.power_off()
        fleet = rig.write()
        without = Push(fleet, progress, made=bad.Edited(fleet, bad.another(3))).run()
        off.power_on()
        off.up()
        fleet = rig.write()
        later = Push(fleet, progress, made=bad.Edited(fleet, bad.another(3))).run()
        return {
            "boards": given.boards, "touched": wrong.touched, "serving": serving, "gate": back.gate if back else "",
            "put_back": back.board if back else "", "pending": without.pending, "updated": without.updated,
            "caught_up_later": next(one.outcome for one in later.boards if one.board == off.name) == "updated",
            "unchanged_later": later.unchanged,
            "others": [f"{one.board}: {one.outcome}: {one.gate} {one.why}" for one in (*without.boards, *later.boards)
                       if one.outcome not in ("updated", "unchanged")]}


def _serving(rig: fleets.Rig) -> int:
    """Boards whose agent ends requests in time from now on."""
    before = {name: agent_state(board.pid()) for name, board in rig.boards.items()}
    serving: set[str] = set()
    clock = MonotonicClock()
    until_ns = clock.now_ns() + round(SERVE_S * 1e9)
    while len(serving) < len(before) and clock.now_ns() < until_ns:
        threading.Event().wait(LOOK_S)
        serving |= {name for name, board in rig.boards.items() if has_served(before[name], agent_state(board.pid()))}
    return len(serving)


def has_served(before: dict[str, Any], now: dict[str, Any]) -> bool:
    """Whether an agent has ended a request in time between two of its states, which may be those of two processes."""
    known = before.get("in_time", 0) if before.get("pid") == now.get("pid") else 0
    return now.get("in_time", 0) > known


def as_text(figures: dict[str, Any]) -> str:
    return "\n".join(f"{key:20} {value}" for key, value in figures.items())
