"""The faults of `swarm bench deploy-faults`. Each meets one board that runs a good release."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any

from swarm.bench.deploy import bad, operator
from swarm.bench.deploy.boards import Board
from swarm.bench.deploy.fleets import Rig
from swarm.bench.deploy.watch import agent_state
from swarm.core.clock import MonotonicClock, WallClock
from swarm.deploy.boards.answers import Status
from swarm.deploy.boards.ports import NotUsable, keeper
from swarm.deploy.keeper.places import Places, read_json
from swarm.deploy.rollout import one_board
from swarm.deploy.rollout.fleet import Fleet, Release
from swarm.deploy.rollout.push import Push

WAIT_S = 100.0
FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"
CLOCKS = {"clock at 1970": 20, "clock at 2100": 4_102_444_820}      # seconds since 1970, at the begin
PYTHONS = """import time

real, real_ns, step_s = time.time, time.time_ns, {begin} - {now}
time.time = lambda: real() + step_s
time.time_ns = lambda: real_ns() + step_s * 10**9
"""
VERIFIER = """#!/bin/sh
LD_PRELOAD={library} FAKETIME=@"$(/bin/date -u -d @$(( $(/bin/date +%s) + {begin} - {now} )) '+%Y-%m-%d %H:%M:%S')" \\
  exec /usr/bin/ssh-keygen "$@"
"""
Progress = Callable[[str], None]


class Faults:
    """One board of a rig, and what happens to it."""

    def __init__(self, rig: Rig, board: Board, progress: Progress) -> None:
        self._rig, self._board, self._progress = rig, board, progress
        self._clock, self._notes = MonotonicClock(), 100

    def good(self) -> str:
        """Push a good release that the board has not had. Returns the outcome."""
        self._notes += 1
        fleet = self._rig.write()
        return self._pushed(fleet, bad.Edited(fleet, bad.another(self._notes)))

    def _pushed(self, fleet: Fleet, made: one_board.Made) -> str:
        (end,) = Push(fleet, self._progress, made=made).run().boards
        if end.why:
            self._progress(f"{end.outcome}: {end.gate} {end.why}")
        return end.outcome

    # --- releases that fail their trial ---

    def operator_there(self, edit: bad.Edit) -> tuple[str, float]:
        fleet = self._rig.write()
        outcome = self._pushed(fleet, bad.Edited(fleet, edit))
        return outcome, self._back_s()

    def operator_gone(self, edit: bad.Edit) -> tuple[str, float]:
        """The operator asks for the switch, and is gone."""
        self._ask(edit)
        return self._end()

    def operator_killed(self, name: str) -> tuple[str, float]:
        """The operator's process is killed while the release is on trial."""
        self._rig.write()
        pushing = operator.begun(self._rig.path, name)
        self._until(lambda: self._places().trial.exists())
        pushing.kill()
        pushing.wait()
        return self._end()

    def link_cut(self, name: str) -> tuple[str, float]:
        """The link is cut while the release is on trial, and comes back once the board has decided."""
        fleet, ends = self._rig.write(), []
        made = bad.Edited(fleet, bad.runs(name))
        push = threading.Thread(target=lambda: ends.append(self._pushed(fleet, made)))
        push.start()
        self._until(lambda: self._places().trial.exists())
        self._board.cut(True)
        got, back_s = self._end()
        self._board.cut(False)
        push.join()
        return (ends[0] if ends else got), back_s

    def _ask(self, edit: bad.Edit) -> Release:
        """Stage a release, ask for the switch, and hang up."""
        fleet, robot = self._rig.write(), self._board.name
        port = fleet.board(robot)
        made, seen = bad.Edited(fleet, edit), one_board.asked(fleet, robot, port)
        release = made.release(robot, seen.target)
        one_board.stage(fleet, port, release, False, self._progress)
        keeper(port, "switch", Status, {"release": release.number})
        fleet.close()
        return release

    def _end(self) -> tuple[str, float]:
        """What the board decides by itself, and how long after the question the release before gave results again."""
        begun_ns = self._clock.now_ns()
        self._until(lambda: not self._places().trial.exists())
        last = read_json(self._places().last)
        self._until(self._serves)
        return str(last.get("outcome")), round((self._clock.now_ns() - begun_ns) / 1e9, 1)

    def _back_s(self) -> float:
        begun_ns = self._clock.now_ns()
        self._until(self._serves)
        return round((self._clock.now_ns() - begun_ns) / 1e9, 1)

    def _serves(self) -> bool:
        state = agent_state(self._board.pid())
        return state.get("in_time", 0) > 0 and os.path.exists(f"/proc/{self._board.pid()}/root/proc/{state['pid']}")

    def _until(self, holds: Callable[[], bool]) -> None:
        until_ns = self._clock.now_ns() + round(WAIT_S * 1e9)
        while not holds() and self._clock.now_ns() < until_ns:
            threading.Event().wait(0.05)

    def _places(self) -> Places:
        return Places(self._board.root)

    # --- releases that are refused, or must come through ---

    def disk_full(self) -> str:
        fleet = self._rig.write()
        port = fleet.board(self._board.name)
        free = keeper(port, "status", Status).free_bytes
        fleet.close()
        filler = self._board.root / "var/tmp/filler"
        with open(filler, "wb") as file:
            left = max(free - (70 << 20), 0)
            while left > 0:
                left -= file.write(os.urandom(min(left, 1 << 22)))

        def large(files: dict[str, bytes]) -> None:
            files["large.bin"] = os.urandom(32 << 20)

        fleet = self._rig.write()
        try:
            return self._pushed(fleet, bad.Edited(fleet, large))
        finally:
            filler.unlink()

    def altered_on_its_way(self) -> str:
        """A file of the release is not what its hash says when it arrives."""
        fleet = self._rig.write()
        content = f"altered {self._notes}".encode()

        class Altered(bad.Edited):
            def release(self, robot: str, target: Any) -> Release:
                made = super().release(robot, target)
                fleet.files.path(fleet.files.put(content)).write_bytes(content[::-1])
                return made

        def add(files: dict[str, bytes]) -> None:
            files["note.txt"] = content

        try:
            return self._pushed(fleet, Altered(fleet, add))
        finally:
            fleet.files.path(fleet.files.put(content)).unlink()

    def altered_on_the_board(self) -> str:
        """A file of the running release changes on the board; the next release uses it, too."""
        (path,) = [path for tree in self._places().trees.iterdir()
                   for path in tree.glob("lib/*/site-packages/swarm/core/units.py")]
        path.write_text(path.read_text() + "# altered\n")
        return self.good()

    def older(self) -> str:
        """A release with a lower number than one that the board has accepted."""
        fleet, robot = self._rig.write(), self._board.name
        newest = fleet.newest(robot)
        assert newest is not None
        old = Release(number=1, board=robot, target=newest.target, site=newest.site, config=newest.config,
                      python=newest.python, machine=newest.machine)
        try:
            one_board.stage(fleet, fleet.board(robot), old, False, self._progress)
        except NotUsable as error:
            self._progress(str(error))
            return "refused"
        finally:
            fleet.close()
        return "accepted"

    def clock(self, begin_s: int) -> str:
        """The board boots with a wrong clock, as its Python programs and what verifies signatures see it.

        Namespaces share one wall clock, so that it is these programs that are told another time.
        """
        now_s = round(WallClock().unix_s())
        told = {"etc/python3.11/sitecustomize.py": PYTHONS.format(begin=begin_s, now=now_s),
                "usr/local/bin/ssh-keygen": VERIFIER.format(library=FAKETIME, begin=begin_s, now=now_s)}
        before = {name: path.read_text() if (path := self._board.root / name).exists() else "" for name in told}
        self._board.power_off()
        for name, text in told.items():
            (self._board.root / name).write_text(text)
            (self._board.root / name).chmod(0o755)
        self._boot()
        try:
            return self.good()
        finally:
            self._board.power_off()
            for name, text in before.items():
                path = self._board.root / name
                path.write_text(text) if text else path.unlink()
            self._boot()

    def _boot(self) -> None:
        self._board.power_on()
        self._board.up()
