"""Behaviours in a world, without the runtime: what a robot's camera shows whole is told rightly 0.1 s later."""

from __future__ import annotations

import heapq
from collections.abc import Callable

from agents import behaviours
from agents.behaviours import Heard, Note, Output, Verdict
from sim_worlds.engine import Engine
from sim_worlds.sensors.true_view import TrueView
from swarm.core.protocol.world import Act, Detection, Detections, Observation, Perceived, Report

PERIOD_S, LATE_S = 0.1, 0.1
Sees = Callable[[TrueView], Detections]


def all_that_counts(view: TrueView) -> Detections:
    return Detections([Detection(box.label, 0.9, box.x0_px, box.y0_px, box.x1_px, box.y1_px)
                       for box in view.boxes() if box.counts])


def fly(world: Engine, behaviour: str, seconds: float, *, seed: int = 0, sees: Sees = all_that_counts,
        until: Callable[[], bool] = lambda: False) -> None:
    """Let all robots of a world follow a behaviour: observations at 10 Hz, detections at 5 Hz, notes at once."""
    robots = {name: behaviours.load(behaviour)(name, world.names, seed, world.sensors(name)) for name in world.names}
    waiting: list[tuple[float, int, str, behaviours.Event]] = []
    count = 0

    def give(name: str, event: behaviours.Event, at_s: float) -> None:
        nonlocal count
        count += 1
        heapq.heappush(waiting, (at_s, count, name, event))

    def perform(name: str, outputs: list[Output]) -> None:
        for output in outputs:
            if isinstance(output, Act):
                world.act(name, output)
            elif isinstance(output, Report):
                give(name, Verdict(output, world.judge(name, output)), world.time_s)
            elif isinstance(output, Note):
                for mate in output.to or [other for other in world.names if other != name]:
                    give(mate, Heard(name, output.topic, output.data), world.time_s)

    every = round(PERIOD_S / world.dt_s)
    for step in range(round(seconds / world.dt_s)):
        while waiting and waiting[0][0] <= world.time_s:
            _, _, name, event = heapq.heappop(waiting)
            perform(name, robots[name].on(event, round(world.time_s * 1e9)))
        for k, name in enumerate(world.names if step % every == 0 else ()):
            seen: Observation = world.observe(name, frame=False)
            perform(name, robots[name].on(seen, round(world.time_s * 1e9)))
            if (step // every + k) % 2 == 0:
                view = world.view(name)
                give(name, Perceived(stream="detect", outcome=sees(view), pose=view.pose, age_s=LATE_S),
                     world.time_s + LATE_S)
        world.step()
        if step % every == 0 and until():
            return
