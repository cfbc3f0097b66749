"""A release on trial: the switch to it, the watch over it, and the way back. All of it is the board's own.

An operator only writes `trial.json`; the service `swarm-trial` does the rest. Whatever happens (a crash, a power cut,
an operator that has gone), it finds that file again and decides. It holds no date: nothing depends on the wall clock.
"""

from __future__ import annotations

import contextlib
import json
import select
from collections.abc import Callable
from typing import Any

from swarm.deploy.keeper import manifest, units
from swarm.deploy.keeper.errors import Refused
from swarm.deploy.keeper.gates import P95_FACTOR, PEERS, Before, Rules, Seen, Verdict, judge
from swarm.deploy.keeper.places import Places, link_to, read_json, remove, sync_folder, write_json
from swarm.deploy.keeper.system import System

LOOK_S = 0.5
MOST_BOOTS = 2                       # a trial that was cut off so often ends: the board may be what the release breaks
MOST_WATCHES = 5                     # a watch that ends so often cannot judge the release
LOG_LINES = 8
NS = 1_000_000_000


class Trial:
    """Trials on one board. wait: sleeps for seconds; False: the watch is to end."""

    def __init__(self, places: Places, system: System, wait: Callable[[float], bool] | None = None) -> None:
        self._places, self._system = places, system
        self._wait = wait or _wait

    def switch(self, number: int) -> None:
        """Ask for a release to be put on trial. Raises: Refused; the release before runs on then."""
        places, system = self._places, self._system
        if places.trial.exists():
            system.systemctl("start", "--no-block", units.TRIAL, check=False)    # its watch may have been ended
            raise Refused(f"release {read_json(places.trial).get('release')} is on trial: wait for its end")
        found = manifest.of_release(number, places, system)
        for tree in (found.site, found.config):
            if not (places.trees / tree).is_dir():
                raise Refused(f"release {number} is not complete on this board")
        units.check(places.trees / found.config, system)
        self._complete(number, found)
        write_json(places.trial, {
            "release": number, "before": places.number(places.current), "previous": places.number(places.previous),
            "boots": 0, "boot": system.boot(),
            "heard": self._of_agent("peers"), "requests": self._of_agent("ended"), "started": False,
            "ended": [one["InvocationID"] for one in system.units(self._changed(number)) if one.get("InvocationID")]})
        system.systemctl("restart", "--no-block", units.TRIAL)

    def _complete(self, number: int, found: manifest.Manifest) -> None:
        folder = self._places.release(number)
        link_to(folder / "site", f"../../trees/{found.site}")
        link_to(folder / "config", f"../../trees/{found.config}")
        self._system.sync(folder)

    def _point_at(self, number: int, before: int) -> None:
        """Change `current` in one step; everything that it leads to is on the disk."""
        places = self._places
        if before and before != number:
            link_to(places.previous, f"releases/{before}")
        self._system.sync(places.home)
        link_to(places.current, f"releases/{number}")
        self._system.sync(places.home)

    def _point_previous_at(self, number: int) -> None:
        """Let `previous` lead where it led before a switch that failed; 0, or a release that has gone: nowhere."""
        places = self._places
        if number and places.release(number).is_dir():
            link_to(places.previous, f"releases/{number}")
        else:
            remove(places.previous)

    def _changed(self, number: int) -> list[str]:
        """The units that a switch from `current` to this release starts anew: the others run on."""
        return units.changed(self._places.current, self._places.release(number))

    def _start(self, number: int, before: int) -> None:
        """Start the processes of `current` that it changes; those of the release before that it lacks are stopped."""
        places, system = self._places, self._system
        old = units.names(places.release(before) / "config") if before else []
        new = units.install(places, system)
        system.systemctl("daemon-reload")
        changed = units.changed(places.release(before), places.release(number)) if before else new
        if gone := [name for name in old if name not in new]:
            system.systemctl("stop", *gone, check=False)
        system.systemctl("reset-failed", *new, check=False)          # start limits would block this start, too
        if changed:
            system.systemctl("restart", "--no-block", *changed)

    def _start_rest(self) -> None:
        """Start the units of `current` that systemd did not know at boot: the power went before it was told of them."""
        places, system = self._places, self._system
        names = units.install(places, system)
        system.systemctl("daemon-reload")
        rest = [name for name, unit in zip(names, system.units(names), strict=True)
                if unit.get("ActiveState") == "inactive"]
        if rest:
            system.systemctl("start", "--no-block", *rest, check=False)     # its gate tells of one that does not

    def _of_agent(self, key: str) -> int:
        """A count of the agent now; 0: it tells none."""
        told = [status.get(key) for status in self._statuses().values() if status.get("role") == "agent"]
        return max((count for count in told if isinstance(count, int)), default=0)

    def _statuses(self) -> dict[str, dict[str, Any]]:
        """What each process writes of itself, by its pid."""
        states = [read_json(path) for path in sorted(self._places.runtime.glob("*.json"))]
        return {str(state.get("pid")): state for state in states}

    # --- the watch ---

    def watch(self) -> str:
        """Stay with the trial until it has ended; put the release before back if it fails. Returns what happened."""
        places, system = self._places, self._system
        trial = read_json(places.trial)
        if not trial:
            return "no release is on trial"
        number, before = int(trial["release"]), int(trial["before"])
        if "back" in trial:
            self._go_back(trial)
            return f"release {number} was put back"
        rebooted = trial["boot"] != system.boot()    # a power cut, or a crash of the whole board
        if rebooted:
            self._start_rest()
        if rebooted and places.number(places.current) != number:
            self._point_previous_at(int(trial.get("previous", 0)))
            write_json(places.last, {"release": number, "outcome": "never switched to", "gate": "boots",
                                     "why": "the power was cut before the switch", "log": []})
            remove(places.trial)
            return f"release {number} was never switched to"
        if rebooted:
            trial = {**trial, "boots": trial["boots"] + 1, "boot": system.boot(), "started": True}
            write_json(places.trial, trial)
        trial = {**trial, "watches": trial.get("watches", 0) + 1}
        write_json(places.trial, trial)
        if not trial["started"]:
            self._point_at(number, before)
            self._start(number, before)
            trial = {**trial, "started": True}
            write_json(places.trial, trial)
        verdict = self._judged(trial)
        if verdict is None:
            return "told to end; the trial goes on at the next start"
        if verdict.healthy:
            write_json(places.last, {"release": number, "outcome": "accepted", "gate": "", "why": "", "log": [],
                                     "previous": trial.get("previous", 0)})
            remove(places.trial)
            return f"release {number} is accepted"
        self.put_back(number, before, verdict)
        return f"release {number} was put back: {verdict.gate}: {verdict.why}"

    def _judged(self, trial: dict[str, Any]) -> Verdict | None:
        """The end of the trial; None: told to end before."""
        if trial["boots"] > MOST_BOOTS - 1:
            return Verdict(gate="boots", why=f"the board was cut off {trial['boots']} times in the trial")
        if trial["watches"] > MOST_WATCHES:
            return Verdict(gate="watch", why=f"the watch over the trial ended {trial['watches']} times")
        try:
            rules = self._rules()
        except Refused as error:
            return Verdict(gate="ready", why=str(error))
        names = (*rules.units, *rules.beside)
        clock, began_ns = self._system.clock, self._system.clock.now_ns()
        ended, starts = set(trial["ended"]), dict[str, str]()
        before = Before(heard=int(trial["heard"]), ended=int(trial.get("requests", 0)))
        ready_at_s: float | None = None
        while True:
            at_s = (clock.now_ns() - began_ns) / NS
            statuses, seen = self._statuses(), []
            for name, unit in zip(names, self._system.units(names), strict=True):
                start, active = unit.get("InvocationID", ""), unit.get("ActiveState", "")
                if not start or start in ended:      # the release before has not stopped yet
                    seen.append(Seen(name, "waiting", 0, {}))
                    continue
                again = start != starts.setdefault(name, start)
                seen.append(Seen(name, active, max(int(unit.get("NRestarts") or 0), int(again)),
                                 statuses.get(unit.get("MainPID", ""), {})))
            awaited = seen[:len(rules.units)]
            if ready_at_s is None and all(one.active == "active" and one.status for one in awaited):
                ready_at_s = at_s
            try:
                verdict = judge(rules, seen, at_s, ready_at_s, before)
            except (TypeError, ValueError, KeyError, AttributeError) as error:
                verdict = Verdict(gate="ready", why=f"what its processes tell of themselves makes no sense: {error!r}")
            if verdict.healthy or verdict.gate:
                return verdict
            if not self._wait(LOOK_S):
                return None

    def _rules(self) -> Rules:
        """The rules of the release on trial. Raises: Refused if they cannot be read."""
        path = self._places.current / "config" / "trial.json"
        try:
            raw: dict[str, Any] = json.loads(path.read_bytes())
            return Rules(
                units=tuple(raw["units"]), ready_s=float(raw["ready_s"]), trial_s=float(raw["trial_s"]),
                beside=tuple(raw.get("beside", ())), providers=tuple(raw.get("providers", ())),
                models=tuple(raw.get("models", ())), p95_factor=float(raw.get("p95_factor", P95_FACTOR)),
                peers=float(raw.get("peers", PEERS)))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise Refused(f"the rules of its trial cannot be read: {error}") from None

    def put_back(self, number: int, before: int, verdict: Verdict) -> None:
        """Let the release before run again; without one, stop. What happened is on record for the operator.

        The way back goes on after a power cut: `trial.json` tells of it until its end.
        """
        places, system = self._places, self._system
        log = system.log(units.names(places.release(number) / "config"), LOG_LINES)
        outcome = "put back" if before else "stopped: there is no release before it"
        last = read_json(places.last)                # it tells of this release if it was accepted, and fails elsewhere
        known = read_json(places.trial) or (last if last.get("release") == number else {})
        trial = {"release": number, "before": before, "previous": int(known.get("previous", 0)), "back": {
            "release": number, "outcome": outcome, "gate": verdict.gate, "why": verdict.why, "log": log}}
        write_json(places.trial, trial)
        self._go_back(trial)

    def _go_back(self, trial: dict[str, Any]) -> None:
        """All of the way back. It can be cut off anywhere, and repeated."""
        places, system = self._places, self._system
        number, before = int(trial["release"]), int(trial["before"])
        with contextlib.suppress(Refused):
            stopped = units.changed(places.release(before), places.release(number)) if before else units.names(
                places.release(number) / "config")
            system.systemctl("stop", *stopped, check=False)
        write_json(places.last, trial["back"])
        if before:
            link_to(places.current, f"releases/{before}")
            system.sync(places.home)
            self._point_previous_at(int(trial.get("previous", 0)))
            units.install(places, system)
            system.systemctl("daemon-reload")
            back = units.names(places.current / "config")
            changed = units.changed(places.release(number), places.current)
            system.systemctl("reset-failed", *back, check=False)
            if changed:
                system.systemctl("restart", "--no-block", *changed)
            system.systemctl("start", "--no-block", *back, check=False)    # those that no cut stopped run on
        else:
            places.current.unlink(missing_ok=True)
            sync_folder(places.home)
        remove(places.trial)


def _wait(for_s: float) -> bool:
    """Sleep by a clock that nobody sets."""
    select.select([], [], [], for_s)
    return True
