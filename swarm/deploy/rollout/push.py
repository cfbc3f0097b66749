"""A roll-out: every board that is there gets its release beside the one that runs, then wave after wave switches.

The boards decide about their trials themselves; this program only looks at what they decided, and starts the next wave.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal, TypeVar

import msgspec

from swarm.core.clock import MonotonicClock
from swarm.core.settings.errors import BadInput
from swarm.deploy.boards.answers import Last, Status
from swarm.deploy.boards.ports import NotUsable, Unreachable, keeper
from swarm.deploy.inventory import SHARES
from swarm.deploy.keeper.manifest import MOST_NUMBER
from swarm.deploy.rollout import one_board
from swarm.deploy.rollout.enrolment import Enrolment
from swarm.deploy.rollout.fleet import Fleet, Release
from swarm.deploy.rollout.waves import waves
from swarm.telemetry.text_table import text_table

T = TypeVar("T")
AT_ONCE = 16                         # boards that are talked to
LOOK_S = 1.5                         # a look costs a weak board a start of Python
PATIENCE_S = 60.0                    # beyond the longest trial, until a board that does not answer counts as lost
MOST_HEARD = MOST_NUMBER // 2        # a board raises our numbers no further: it could use them up for all others


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one board."""

    board: str
    outcome: Literal["updated", "unchanged", "put back", "refused", "pending", "not reached"]
    """`pending`: it could not be reached. `not reached`: the roll-out had stopped before its wave."""
    release: int = 0
    wave: int = 0
    sent_bytes: int = 0              # on its connections, both ways
    received_bytes: int = 0
    gate: str = ""                   # that failed
    why: str = ""
    log: list[str] = []              # the last lines before it was put back


class Pushed(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a push."""

    updated: int
    unchanged: int
    pending: int
    touched: int                     # boards that were switched, also if they are back now
    stopped: bool                    # a wave failed: the boards after it were not touched
    boards: list[Outcome]


class Push:
    """One push. progress: called with lines for people. older: an older release is right, too. made: the releases."""

    def __init__(
        self, fleet: Fleet, progress: Callable[[str], None], *, older: bool = False, shares: Sequence[float] = SHARES,
        made: one_board.Made | None = None,
    ) -> None:
        self._made = made or one_board.Made(fleet)
        self._fleet, self._progress, self._older, self._shares = fleet, progress, older, shares
        self._clock = MonotonicClock()
        self._done: dict[str, Outcome] = {}

    def run(self) -> Pushed:
        """Push to all boards. Raises: BadInput: another push runs, a wheel is missing, nothing can be pushed at all."""
        fleet = self._fleet
        with fleet.locked():
            try:
                touched, stopped = self._pushed(fleet.inventory.robots())
            finally:
                fleet.close()
        robots = fleet.inventory.robots()
        outcomes = [self._with_bytes(self._done.get(robot) or Outcome(board=robot, outcome="not reached"))
                    for robot in robots]
        count = {kind: sum(one.outcome == kind for one in outcomes) for kind in ("updated", "unchanged", "pending")}
        return Pushed(updated=count["updated"], unchanged=count["unchanged"], pending=count["pending"],
                      touched=touched, stopped=stopped, boards=outcomes)

    # --- steps ---

    def _pushed(self, robots: Sequence[str]) -> tuple[int, bool]:
        """All steps. Returns the boards that were switched, and whether a wave failed."""
        fleet = self._fleet
        seen = self._each(robots, self._ask)
        for robot in seen:
            fleet.at_least(min(seen[robot].status.highest, MOST_HEARD))
        releases: dict[str, Release] = {}
        for robot, one in seen.items():
            self._progress(f"{robot}: making its release for {one.target.name}")
            releases[robot] = self._made.release(robot, one.target)
        staged = self._each(list(seen), lambda robot: self._stage(robot, seen[robot], releases[robot]))
        Enrolment(fleet, self._each).enrol(staged, releases)
        staged = {robot: fresh for robot, fresh in staged.items() if robot not in self._done}
        for robot in [robot for robot, fresh in staged.items() if not fresh]:
            self._end(robot, "unchanged", release=releases[robot].number)
            del staged[robot]
        leaned_on = _leaned_on(one.status for one in seen.values())
        numbers = {robot: at.wave for robot, at in fleet.inventory.at.items()}
        return self._roll(waves(list(staged), leaned_on, numbers, self._shares), releases, seen)

    def _ask(self, robot: str) -> one_board.Asked:
        self._progress(f"{robot}: asking")
        return one_board.asked(self._fleet, robot, self._fleet.board(robot))

    def _stage(self, robot: str, seen: one_board.Asked, release: Release) -> bool:
        """Whether its release is new to the board."""
        board = self._fleet.board(robot)
        one_board.set_up(self._fleet, robot, board, seen)
        if one_board.runs(seen.status, release):
            return False
        one_board.stage(self._fleet, board, release, self._older, self._progress)
        return True

    def _roll(
        self, order: list[list[str]], releases: dict[str, Release], seen: dict[str, one_board.Asked]
    ) -> tuple[int, bool]:
        """Switch wave after wave. Returns the boards that were touched, and whether a wave failed."""
        touched = 0
        for number, wave in enumerate(order, 1):
            self._progress(f"wave {number} of {len(order)}: {', '.join(wave)}")
            touched += len(wave)
            ends = self._each(wave, lambda robot, number=number: self._switch(
                robot, releases[robot], number, seen[robot].status.last))
            failed = [robot for robot in wave if ends.get(robot) == "put back"]
            if failed:
                good = [robot for robot in wave if ends.get(robot) == "updated"]
                self._each(good, lambda robot, why=failed[0]: self._back(robot, releases[robot], why))
            if any(ends.get(robot) != "updated" for robot in wave):      # some did not answer, or refused
                return touched, True
        return touched, False

    def _switch(self, robot: str, release: Release, wave: int, before: Last) -> str:
        """Put the release on trial, and wait for what the board decides. before: the end of its last trial."""
        spec = self._fleet.inventory.trial
        until_ns = self._clock.now_ns() + round((spec.ready_s + spec.healthy_s + PATIENCE_S) * 1e9)
        said, board = "it never answered after the switch", self._fleet.board(robot)
        asked = taken = False
        while self._clock.now_ns() < until_ns:
            try:
                if asked and not taken:              # its answer was lost, the trial may have ended
                    taken = _taken(keeper(board, "status", Status), release.number, before)
                if not taken:
                    asked = True
                    keeper(board, "switch", Status, {"release": release.number})
                    taken = True
                status = keeper(board, "status", Status)
                if not status.trial:
                    return self._judged(robot, release, wave, status)
            except Unreachable as error:             # its link is cut: it decides by itself meanwhile
                said = str(error)
            threading.Event().wait(LOOK_S)
        return self._end(robot, "pending", release=release.number, wave=wave, gate="link", why=said)

    def _judged(self, robot: str, release: Release, wave: int, status: Status) -> str:
        last = status.last
        if status.current == last.release == release.number and last.outcome == "accepted":
            return self._end(robot, "updated", release=release.number, wave=wave)
        return self._end(robot, "put back", release=release.number, wave=wave, gate=last.gate, why=last.why,
                         log=last.log)

    def _back(self, robot: str, release: Release, failed: str) -> None:
        keeper(self._fleet.board(robot), "put_back", Status, {
            "release": release.number, "why": f"{failed} of the same wave failed"})
        self._end(robot, "put back", release=release.number, gate="wave", why=f"{failed} of the same wave failed")

    # --- all boards ---

    def _each(self, robots: Sequence[str], act: Callable[[str], T]) -> dict[str, T]:
        """Act on boards at the same time. Those that cannot be reached or used are ended, and left out."""
        def tried(robot: str) -> T | None:
            try:
                return act(robot)
            except Unreachable as error:
                self._end(robot, "pending", why=str(error))
            except NotUsable as error:
                self._end(robot, "refused", why=str(error))
            return None

        with ThreadPoolExecutor(AT_ONCE) as pool:
            found = dict(zip(robots, pool.map(tried, robots), strict=True))
        return {robot: one for robot, one in found.items() if one is not None}

    def _end(self, robot: str, outcome: Any, **more: Any) -> str:
        self._done[robot] = Outcome(board=robot, outcome=outcome, **more)
        self._progress(f"{robot}: {outcome}" + (f": {more['why']}" if more.get("why") else ""))
        return outcome

    def _with_bytes(self, outcome: Outcome) -> Outcome:
        sent, received = self._fleet.carried(outcome.board)
        return msgspec.structs.replace(outcome, sent_bytes=sent, received_bytes=received)


def _taken(status: Status, number: int, before: Last) -> bool:
    """Whether a board has a release on trial, or has ended the trial. before: the end of the last one before that."""
    return number in (status.trial, status.current) or (status.last.release == number and status.last != before)


def _leaned_on(statuses: Iterable[Status]) -> dict[str, int]:
    """Requests of others that each board served in the last minute, as those others say."""
    found: dict[str, int] = {}
    for status in statuses:
        for helper, count in status.agent.leans_on.items() if status.agent else ():
            found[helper] = found.get(helper, 0) + count
    return found


def refused(pushed: Pushed, where: str) -> BadInput | None:
    """The first board that could not be used as it is, as one line; None: there was none."""
    bad = [one for one in pushed.boards if one.outcome == "refused"]
    return BadInput(f"{where}: at.{bad[0].board}", bad[0].why) if bad else None


def as_text(pushed: Pushed) -> str:
    """The end of a push, for people."""
    rows = [(one.board, one.outcome, f"release {one.release}" if one.release else "-", str(one.wave or "-"),
             f"{(one.sent_bytes + one.received_bytes) / 1e6:.2f} MB", f"{one.gate}: {one.why}" if one.gate else one.why)
            for one in pushed.boards]
    end = "stopped: a wave failed" if pushed.stopped else "done"
    return text_table(("robot", "outcome", "release", "wave", "carried", ""), rows) + (
        f"{end}: {pushed.updated} updated, {pushed.unchanged} unchanged, {pushed.pending} pending")
