"""Power cuts at random moments of a push: which release a board runs after each, and whether one is broken.

Half of the moments are drawn from the whole push, half from the time around the switch.
"""

from __future__ import annotations

import argparse
import os
import random
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from swarm.bench.deploy import bad, cuts, fleets, operator
from swarm.bench.deploy.boards import Board
from swarm.bench.deploy.watch import agent_state
from swarm.core.clock import MonotonicClock
from swarm.core.settings.errors import BadInput
from swarm.deploy.keeper.errors import Refused
from swarm.deploy.keeper.places import Places, read_json
from swarm.deploy.keeper.store import hash_of
from swarm.deploy.keeper.trees import LIST, parse
from swarm.deploy.rollout.push import Push

WHERE = "swarm bench deploy-cuts"
OLD, NEW = f"{bad.LARGE}1", f"{bad.LARGE}2"
WAIT_S = 60.0
COMMIT_S = 6.0                       # ext4 commits names every 5 s, and content up to 30 s later
SWITCH_S = 2.5                       # the switch itself takes less: a sync, a link, a sync, a start
TRIAL = {"ready_s": 40.0, "healthy_s": 1.0, "p95_factor": 50.0}
End = Literal["old", "new", "broken"]


def arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("--cuts", type=int, default=60, metavar="N")
    p.add_argument("--seed", type=int, default=7)
    p.add_argument("--no-sync", action="store_true",
                   help="boards that do not sync: a bench that finds no breakage then sees too little")


def run(given: argparse.Namespace, progress: Callable[[str], None]) -> dict[str, Any]:
    """See docs/deploy.md. Raises: BadInput without the privilege."""
    if not 1 <= given.cuts <= 10_000:
        raise BadInput("--cuts", str(given.cuts), "1 to 10000")
    draw, ends, whys, again = random.Random(given.seed), [], [], 0
    with fleets.rig(WHERE, progress) as rig:
        base, push_s = _base(rig, progress, not given.no_sync)
        while len(ends) < given.cuts:
            switching = len(ends) % 2 == 1 or given.no_sync
            at_s = draw.uniform(0.0, SWITCH_S) if switching else draw.uniform(0.0, push_s)
            at_s += COMMIT_S if given.no_sync else 0.0
            end, why = _one(rig, base, at_s, switching)
            if end is None:
                again += 1
                continue
            ends.append(end)
            at = f"{at_s:.1f} s after the {'question to switch' if switching else 'begin'}"
            whys += [f"{at}: {why}"] if end == "broken" else []
            progress(f"cut {len(ends)} of {given.cuts}, {at}: {end} {why}")
    return {"cuts": len(ends), "ran_old": ends.count("old"), "ran_new": ends.count("new"),
            "broken": ends.count("broken"), "push_s": round(push_s, 1), "synced": not given.no_sync, "why": whys[:5],
            "not_copied": again}


def _base(rig: fleets.Rig, progress: Callable[[str], None], sync: bool) -> tuple[Path, float]:
    """A disk with a good release on it, cleanly written, and how long a push of the next one takes."""
    base = rig.folder / "base.img"
    cuts.make_disk(base)
    board = _booted(rig, base)
    fleet = rig.write(trial=TRIAL)
    assert Push(fleet, progress, made=bad.Edited(fleet, bad.named(OLD))).run().updated == 1
    if not sync:
        (board.root / "usr/bin/sync").unlink()
        (board.root / "usr/bin/sync").symlink_to("true")
        (board.root / "etc/python3.11/sitecustomize.py").write_text("import os\n\nos.fsync = lambda descriptor: None\n")
    board.power_off()
    os.sync()
    _forget(rig, board)
    measured = rig.folder / "measured.img"
    cuts.copied(base, measured)
    board = _booted(rig, measured)
    clock = MonotonicClock()
    begun_ns = clock.now_ns()
    pushing = operator.begun(rig.path, NEW)
    pushing.wait()
    push_s = (clock.now_ns() - begun_ns) / 1e9
    assert Places(board.root).number(Places(board.root).current) == 2
    _forget(rig, board)
    measured.unlink()
    return base, push_s


def _one(rig: fleets.Rig, base: Path, at_s: float, switching: bool) -> tuple[End | None, str]:
    """One cut, `at_s` after the begin of a push, or after the board was asked to switch."""
    disk, left = rig.folder / "disk.img", rig.folder / "left.img"
    cuts.copied(base, disk)
    board = _booted(rig, disk)
    pushing = operator.begun(rig.path, NEW)
    trial = Places(board.root).trial
    while switching and pushing.poll() is None and not trial.exists():
        threading.Event().wait(0.01)
    threading.Event().wait(at_s)
    whole = cuts.cut(board, disk, left)
    board.power_off()
    _forget(rig, board)
    pushing.kill()
    pushing.wait()
    if not whole:
        return None, ""
    board = _booted(rig, left)
    try:
        return _end(board)
    finally:
        _forget(rig, board)


def _end(board: Board) -> tuple[End, str]:
    """What a board runs after a cut, once it has decided; broken: nothing, or files that are not what they were."""
    places, clock = Places(board.root), MonotonicClock()
    until_ns = clock.now_ns() + round(WAIT_S * 1e9)
    while clock.now_ns() < until_ns:
        if not places.trial.exists() and agent_state(board.pid()).get("in_time", 0) > 0:
            break
        threading.Event().wait(0.1)
    else:
        return "broken", f"nothing serves: trial {read_json(places.trial)}, last {read_json(places.last)}"
    number = places.number(places.current)
    for link in ("site", "config"):
        tree = places.trees / os.path.basename(os.readlink(places.release(number) / link))
        try:
            entries = parse((tree / LIST).read_bytes())
            altered = [entry.path for entry in entries if hash_of(tree / entry.path) != entry.hash]
        except (OSError, Refused) as error:
            return "broken", f"release {number}: {error}"
        if altered:
            return "broken", f"release {number}: {altered[0]} is not what it was"
    return ("old" if number == 1 else "new"), ""


def _booted(rig: fleets.Rig, disk: Path) -> Board:
    board = rig.add("rover_0", disk=disk)
    board.power_on()
    board.up()
    return board


def _forget(rig: fleets.Rig, board: Board) -> None:
    board.close()
    del rig.boards[board.name]


def as_text(figures: dict[str, Any]) -> str:
    return "\n".join(f"{key:12} {value}" for key, value in figures.items())
