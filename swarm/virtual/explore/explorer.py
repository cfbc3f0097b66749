"""Flies the launch of a seed, with a random order of what falls due together, and watches the invariants."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from swarm.core.settings.launch_file import LaunchFile
from swarm.run.settings.resolve import Resolved
from swarm.virtual.explore.invariants import Broken, Watch
from swarm.virtual.purity.watch import Impure, Purity, in_words
from swarm.virtual.run import VirtualRun

MOST_EVENTS = 3_000_000              # a run that has more of them does not end


class Flown(msgspec.Struct, frozen=True):
    """A run that was explored."""

    seed: int
    events: int
    requests: int
    virtual_s: float
    guarded: int                     # requests whose guard's promise was looked at: see `guard_watch.py`
    broken: Broken | None = None


class NoRecord:
    """The port `Record` of a collector whose figures nobody reads."""

    full = False
    unwritten: Mapping[str, int] = {}

    def manifest(self, facts: Mapping[str, Any]) -> None: ...

    def event(self, at_s: float, who: str, what: str, detail: Any = None) -> None: ...

    def plan(self, at_s: float, plan: Any, boot: int = 0) -> None: ...

    def pose(self, time_s: float, robots: Mapping[str, Any]) -> None: ...

    def scene(self, scene: bytes) -> None: ...

    def series(self, line: Any) -> None: ...

    def requests(self, rows: Sequence[Any]) -> None: ...

    def summary(self, summary: Mapping[str, Any]) -> None: ...


def explored(resolved: Resolved) -> Flown:
    """Fly a launch to its end, or to the first invariant that is broken."""
    launch = resolved.launch
    run = VirtualRun(resolved, NoRecord(), shuffle=launch.seed)
    watch = Watch(run, launch)
    logging.disable(logging.CRITICAL)            # every refusal of a corrupted message is logged
    try:
        with Purity(run.timeline):
            _fly(run, watch)
    except (Exception, Impure) as error:   # noqa: BLE001 - a finding: an error in the code of a process
        broken = watch.broken or Broken("no code fails", in_words(error), run.where())
        return _flown(launch, run, watch, broken)
    finally:
        logging.disable(logging.NOTSET)
        run.close()
    return _flown(launch, run, watch, watch.broken)


def _fly(run: VirtualRun, watch: Watch) -> None:
    run.begin()
    while run.step() and watch.broken is None:
        watch.after_event()
        if run.timeline.happened > MOST_EVENTS:
            watch.broken = Broken("the run ends in order", f"{MOST_EVENTS} events, and no end", run.where())
    if watch.broken is None:
        watch.at_end()


def _flown(launch: LaunchFile, run: VirtualRun, watch: Watch, broken: Broken | None) -> Flown:
    total = run.collector.ledger().total
    return Flown(launch.seed, run.timeline.happened, total.submitted, run.timeline.now_ns / 1e9, watch.guards.covered,
                 broken)
