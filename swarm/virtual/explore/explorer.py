"""Flies the launch of a seed, with a random order of what falls due together, and watches the invariants."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec

from agents.scheduling.queue.margins import LATE_NS
from swarm.core.ports import Host
from swarm.core.units import ns
from swarm.run.settings.resolve import Resolved
from swarm.virtual.explore.invariants import Broken, Watch
from swarm.virtual.explore.story import Story
from swarm.virtual.planning.solver import VirtualSolver
from swarm.virtual.process import VirtualProcess
from swarm.virtual.purity.watch import Purity, in_words
from swarm.virtual.run import VirtualRun

SLOW_SEARCH_NS = ns(0.15)            # a search meets losses that happen while it lasts
MOST_EVENTS = 3_000_000              # a run that has more of them does not end


class Flown(msgspec.Struct, frozen=True):
    """A run that was explored."""

    seed: int
    events: int
    requests: int
    virtual_s: float
    guarded: int                     # requests whose guard's promise was looked at: see `guard_watch.py`
    broken: Broken | None = None
    story: list[str] = []            # of what is broken, if it was recorded


class NoRecord:
    """The port `Record` of a collector whose figures nobody reads. told: of each event."""

    full = False
    unwritten: Mapping[str, int] = {}

    def __init__(self) -> None:
        self.told: Callable[[str, str, Any], None] = lambda who, what, detail: None

    def manifest(self, facts: Mapping[str, Any]) -> None: ...

    def event(self, at_s: float, who: str, what: str, detail: Any = None) -> None:
        self.told(who, what, detail)

    def plan(self, at_s: float, plan: Any, boot: int = 0) -> None: ...

    def pose(self, time_s: float, robots: Mapping[str, Any]) -> None: ...

    def scene(self, scene: bytes) -> None: ...

    def series(self, line: Any) -> None: ...

    def requests(self, rows: Sequence[Any]) -> None: ...

    def summary(self, summary: Mapping[str, Any]) -> None: ...


def explored(resolved: Resolved, *, with_story: bool = False) -> Flown:
    """Fly a launch to its end, or to the first invariant that is broken.

    with_story: record the story of what is broken, which takes time.
    """
    launch, record = resolved.launch, NoRecord()
    run = VirtualRun(resolved, record, shuffle=launch.seed, late_ns=LATE_NS,
                     solver=partial(VirtualSolver, slow_ns=SLOW_SEARCH_NS))
    watch = Watch(run, launch)
    story = _recorded(run, watch) if with_story else None

    def told(who: str, what: str, detail: Any) -> None:
        watch.recorded(what)
        if story is not None:
            story.recorded(who, what, detail)

    record.told = told
    logging.disable(logging.CRITICAL)            # every refusal of a corrupted message is logged
    try:
        with Purity(run.timeline):
            _fly(run, watch)
        broken = watch.broken
    except KeyboardInterrupt:
        raise
    except BaseException as error:   # noqa: BLE001 - a finding: an error in the code of a process
        who = run.timeline.current.owner.name if run.timeline.current else ""
        watch.tell("no code fails", in_words(error), who)
        broken = watch.broken
    finally:
        logging.disable(logging.NOTSET)
        run.close()
    total = run.collector.ledger().total
    return Flown(launch.seed, run.timeline.happened, total.submitted, run.timeline.now_ns / 1e9, watch.guards.covered,
                 broken, story.told(broken.about) if story is not None and broken is not None else [])


def _recorded(run: VirtualRun, watch: Watch) -> Story:
    """The story of a run, recorded below the watch: a message is in it before the watch finds what it breaks."""
    story, watched = Story(run), run.processes.made

    def made(process: VirtualProcess, host: Host) -> None:
        watched(process, host)
        story.watch(process, host)

    run.processes.made = made
    return story


def _fly(run: VirtualRun, watch: Watch) -> None:
    run.begin()
    while run.step() and watch.broken is None:
        watch.after_event()
        if run.timeline.happened > MOST_EVENTS:
            watch.tell("the run ends in order", f"{MOST_EVENTS} events, and no end")
    if watch.broken is None:
        watch.at_end()
