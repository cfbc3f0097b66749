"""Problems for tests: canonical teams, random ones, and a small simulation of queues to hold the forecast against."""

from __future__ import annotations

import heapq
import random

from swarm.core.policy.link import LinkQuality
from swarm.core.policy.plan import Profile, StageProfile, StreamSpec
from swarm.planner.options.instance import Assignment, Instance
from swarm.planner.options.option import BACKGROUND_RUN_S, Option
from swarm.planner.problem import AgentInfo, Problem, StreamOf


def profile(
    model: str, ms: float, variant: str = "fp32", accuracy: float = 0.9, input_bytes: int = 20_736, stages: int = 0
) -> Profile:
    return Profile(
        model=model, variant=variant, p50_s=ms / 1e3, p95_s=1.15 * ms / 1e3, memory_bytes=10_000_000,
        accuracy=accuracy, input_bytes=input_bytes,
        stages=[StageProfile(ms / 1e3 / stages, 1.15 * ms / 1e3 / stages, input_bytes) for _ in range(stages)],
    )


def agent(name: str, slow: float, **more: object) -> AgentInfo:
    """An agent on which a detector takes `slow` x 10 ms and a segmenter `slow` x 83 ms."""
    models = (profile("detector", 10 * slow), profile("segmenter", 83 * slow))
    return AgentInfo(name=name, profiles=models, **more)   # type: ignore[arg-type]


def stream(agent: str, name: str, model: str, rate_hz: float, deadline_s: float, priority: int) -> StreamOf:
    spec = StreamSpec(name=name, model=model, rate_hz=rate_hz, deadline_s=deadline_s, priority=priority)
    return StreamOf(agent=agent, spec=spec)


def links(names: list[str], rtt_s: float = 0.004, bytes_per_s: float = 6e6) -> dict[tuple[str, str], LinkQuality]:
    quality = LinkQuality(rtt_s=rtt_s, bytes_per_s=bytes_per_s, samples=10)
    return {(a, b): quality for a in names for b in names if a != b}


def team(weak: int, strong: int, detect_deadline_s: float = 0.12, rtt_s: float = 0.004) -> Problem:
    """Weak boards (30 ms detector, 250 ms segmenter) beside strong ones (8 and 66 ms); all detect, the weak segment."""
    agents = [agent(f"rover_{i}", 3.0) for i in range(weak)] + [agent(f"carrier_{i}", 0.8) for i in range(strong)]
    streams = [stream(a.name, "detect", "detector", 5.0, detect_deadline_s, 2) for a in agents]
    streams += [stream(f"rover_{i}", "segment", "segmenter", 1.0, 0.6, 0) for i in range(weak)]
    return Problem(agents=tuple(agents), streams=tuple(streams), links=links([a.name for a in agents], rtt_s))


def scattered(seed: int, agents: int, streams: int, variants: int = 2, stages: int = 0) -> Problem:
    """Boards, links and streams drawn at random, from idle to overloaded."""
    draw = random.Random(seed)
    names = [f"a{i}" for i in range(agents)]
    infos: list[AgentInfo] = []
    for name in names:
        slow = draw.choice([0.5, 1.0, 2.0, 4.0])
        made = [profile(m, ms * slow * (1.0 - 0.3 * v) * draw.uniform(0.8, 1.2), f"v{v}", 0.9 - 0.04 * v,
                        stages=stages)
                for m, ms in (("small", 10), ("middle", 40), ("large", 120)) for v in range(variants)]
        infos.append(AgentInfo(name=name, profiles=tuple(made), background=draw.choice([0.0, 0.0, 0.2])))
    wanted = [stream(draw.choice(names), f"s{i}", draw.choice(["small", "middle", "large"]),
                     draw.choice([1.0, 2.0, 5.0, 10.0]), draw.choice([0.08, 0.15, 0.3, 0.6]), draw.randrange(3))
              for i in range(streams)]
    paths = {(a, b): LinkQuality(rtt_s=draw.choice([0.002, 0.01, 0.04]), bytes_per_s=draw.choice([5e5, 3e6, 2e7]))
             for a in names for b in names if a != b and draw.random() < 0.9}
    return Problem(agents=tuple(infos), streams=tuple(wanted), links=paths)


def simulate(instance: Instance, assignment: Assignment, seconds: float, seed: int) -> list[float]:
    """Share of results on time per stream, in queues with priorities and periodic sources.

    A run leaves its executor to a more urgent one after each of its steps, and goes on later. Nothing is dropped;
    phases are redrawn every 20 s of the run, so that their average is seen.
    """
    taken = [(one.spec, options[n]) for one, options, n in zip(
        instance.streams, instance.options, assignment, strict=True)]
    assert all(len(option.sources) == 1 for _, option in taken)
    done = [0] * len(taken)
    on_time = [0] * len(taken)
    draw = random.Random(seed)
    for _ in range(max(1, round(seconds / 20.0))):
        for number, info in enumerate(instance.agents):
            arrivals: list[tuple[float, int, int]] = []
            for k, (spec, option) in enumerate(taken):
                if option.agents != (number,):
                    continue
                at_s = draw.random() / spec.rate_hz
                while at_s < 20.0:
                    arrivals.append((at_s, -spec.priority, k))
                    at_s += 1.0 / spec.rate_hz
            at_s = draw.expovariate(info.background / BACKGROUND_RUN_S) if info.background else 99.0
            while at_s < 20.0:
                arrivals.append((at_s, 0, -1))
                at_s += draw.expovariate(info.background / BACKGROUND_RUN_S)
            _serve(sorted(arrivals), info.executors, draw, taken, done, on_time)
    return [good / max(1, n) for good, n in zip(on_time, done, strict=True)]


def _serve(arrivals: list[tuple[float, int, int]], executors: int, draw: random.Random,
           taken: list[tuple[StreamSpec, Option]], done: list[int], on_time: list[int]) -> None:
    free = [0.0] * executors
    waiting: list[tuple[int, float, int, float]] = []            # the last: what is left of a run that has begun
    following = 0
    while following < len(arrivals) or waiting:
        now = heapq.heappop(free)
        if not waiting:
            now = max(now, arrivals[following][0])
        while following < len(arrivals) and arrivals[following][0] <= now:
            at_s, rank, number = arrivals[following]
            heapq.heappush(waiting, (rank, at_s, number, 0.0))
            following += 1
        rank, at_s, number, left_s = heapq.heappop(waiting)
        if number < 0:
            heapq.heappush(free, now + BACKGROUND_RUN_S)
            continue
        spec, option = taken[number]
        source = option.sources[0]
        left_s = left_s or (source.p95_s if draw.random() < 0.1 else source.p50_s)
        ran_s = min(left_s, source.step_s) if source.step_s < source.p50_s else left_s
        end_s = now + ran_s
        heapq.heappush(free, end_s)
        if left_s - ran_s > 1e-9:
            heapq.heappush(waiting, (rank, at_s, number, left_s - ran_s))
            continue
        done[number] += 1
        on_time[number] += end_s - at_s + 0.005 + option.transfer_s <= spec.deadline_s
