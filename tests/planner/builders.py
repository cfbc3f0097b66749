"""Problems for tests: canonical teams, and random ones."""

from __future__ import annotations

import random

from swarm.core.policy.link import LinkQuality
from swarm.core.policy.plan import Profile, StageProfile, StreamSpec
from swarm.planner.forecast.simulation.outcome import Simulator
from swarm.planner.options.instance import Assignment, Instance
from swarm.planner.problem import AgentInfo, Problem, StreamOf, in_order


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


def simulated(instance: Instance, assignment: Assignment) -> list[float]:
    """The share on time of each stream of an assignment, by simulation."""
    outcome = Simulator(in_order(instance.problem)).outcome(instance.placements(assignment), 8)
    return [one.on_time for one in outcome.streams]
