"""A made-up run, seeded: requests with plausible paths, a robot that is killed, a map, poses and plans."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import msgspec

from swarm.core.policy import draw
from swarm.core.policy.faults import Fault, expand
from swarm.core.policy.plan import Placement, Plan
from swarm.core.protocol.messages import AgentNews, Ended, Gone, PlannerNews, Submitted, WorldNews
from swarm.core.protocol.scene import SHARE, Measure, Mission
from swarm.core.protocol.spans import Frame, LegRun, RequestId, Span
from swarm.core.settings.boards import Board
from swarm.core.settings.launch_file import FaultSpec, FleetSpec, LaunchFile, StreamOn
from swarm.telemetry.figures.agents import AgentBook
from swarm.telemetry.figures.planner import PlanHistory
from swarm.telemetry.figures.recovery.fault_records import FaultDone
from swarm.telemetry.figures.summary import summarise
from swarm.telemetry.file_types import SeriesRecord
from swarm.telemetry.ledger import Ledger
from swarm.telemetry.recorder import RunFolder

NS = 1_000_000_000
T0 = 5 * NS                          # the streams begin; the command began at 0
BOARDS = {
    "orin_nano": Board(speed={"fp32": 0.15, "int8": 0.15}, memory_mb=8192, power_w=15, source="made up"),
    "agx_orin": Board(speed={"fp32": 0.5, "int8": 0.5}, memory_mb=32768, power_w=40, source="made up"),
}
RUN_S = {("orin_nano", "detector"): 0.11, ("agx_orin", "detector"): 0.026,
         ("orin_nano", "segmenter"): 0.3, ("agx_orin", "segmenter"): 0.08}


def launch(**changes: Any) -> LaunchFile:
    """Six rovers and two carriers for a minute; one rover is killed."""
    settings: dict[str, Any] = {
        "version": 1, "scenario": "search_rescue", "seed": 7, "duration_s": 60.0,
        "fleet": [FleetSpec(name="rover", count=6, board="orin_nano"),
                  FleetSpec(name="carrier", count=2, board="agx_orin")],
        "streams": [
            StreamOn(name="detect", on=["rover", "carrier"], model="detector", rate_hz=5, deadline_s=0.15, priority=2),
            StreamOn(name="segment", on=["rover"], model="segmenter", rate_hz=1, deadline_s=0.6)],
        "faults": [FaultSpec(at_s=20.1, kill="rover_2"), FaultSpec(at_s=35, kill="carrier_1")],
        "accept": {"on_time_ratio": ">= 0.9", "lost": "== 0"}, **changes,
    }
    return LaunchFile(**settings)


def robots(of: LaunchFile) -> dict[str, str]:
    return {name: fleet.board for fleet in of.fleet for name in fleet.robots()}


def kills(of: LaunchFile) -> list[Fault]:
    """Of a launch that has no other faults, nor any at a rate."""
    return expand(of.faults, of.seed, of.duration_s, {fleet.name: fleet.robots() for fleet in of.fleet})


def span(of: LaunchFile, agent: str, stream: StreamOn, sequence: int, at_ns: int, dead: dict[str, int]) -> Span:
    """One request's path: rovers ask a carrier under the planner's policy, all stay at home under `local`."""
    rng = draw.stream(of.seed, of.policy, agent, stream.name, sequence)
    board = robots(of)[agent]
    age = round(rng.uniform(0.002, 0.012) * NS)
    s = Span(request=RequestId(agent, 1, sequence), stream=stream.name, model=stream.model, priority=stream.priority,
             captured_ns=at_ns - age, submitted_ns=at_ns, deadline_ns=at_ns - age + round(stream.deadline_s * NS),
             variant="int8")
    carriers = [n for n in ("carrier_0", "carrier_1") if n in robots(of) and dead.get(n, 1 << 62) > at_ns - NS // 5]
    at = at_ns + round(rng.expovariate(1 / 0.0006) * NS)
    if board == "orin_nano" and of.policy != "local" and carriers and rng.random() < 0.8:
        peer = carriers[int(agent[-1]) % len(carriers)]
        s.offloaded_to, s.guarded, s.sent_ns = peer, stream.name == "segment", at
        link = 0.004 + rng.expovariate(1 / 0.004)
        wait = rng.expovariate(1 / 0.018)
        run = RUN_S["agx_orin", stream.model] * rng.lognormvariate(0, 0.12)
        if dead.get(peer, 1 << 62) > at:
            s.ran_on, s.run_s, s.peer_held_s = peer, run, wait + run
            s.received_ns = at + round(link * 0.7 * NS)
            s.started_ns = s.received_ns + round(wait * NS)
            s.finished_ns = s.started_ns + round(run * NS)
            s.returned_ns = at + round((link + wait + run) * NS)
            s.ended_ns = s.returned_ns + 200_000
            s.predicted_s = 0.05 + RUN_S["agx_orin", stream.model]
            return ending(s) if stream.name == "detect" else ending(chain(s, carriers))
        s.guard_fired, at = True, at + round(0.25 * NS)
    s.queued_ns = at
    s.started_ns = at + round(rng.expovariate(1 / 0.012) * NS)
    s.run_s = RUN_S[board, stream.model] * rng.lognormvariate(0, 0.15)
    s.batch = 1 + sequence % 3 if stream.name == "detect" else 1
    s.preempted, s.aside_s = (2, 0.06) if stream.name == "segment" and sequence % 3 == 0 else (0, 0.0)
    s.finished_ns = s.started_ns + round((s.run_s + s.aside_s) * NS)
    s.ran_on, s.overrun = agent, rng.random() < 0.002
    s.ended_ns, s.predicted_s = s.finished_ns + 300_000, RUN_S[board, stream.model]
    if rng.random() < 0.01:
        return ending(s, "superseded")
    return ending(s)


def chain(s: Span, carriers: list[str]) -> Span:
    """Every third of those on a peer ran as a chain instead: a leg at home before it was sent, then two on carriers."""
    if s.request.sequence % 3 or len(carriers) < 2:
        return s
    way_ns = s.received_ns - s.sent_ns
    here_s, there_s, gap_ns = 0.4 * s.run_s, 0.3 * s.run_s, 3_000_000
    stages = ((s.request.agent, here_s), *((name, there_s) for name in carriers))
    held_s = there_s + 0.001
    s.legs = [LegRun(agent=name, first=k, last=k + 1, run_s=run_s, waited_s=0.0 if k == 0 else 0.001,
                     held_s=0.0 if k == 0 else held_s) for k, (name, run_s) in enumerate(stages)]
    s.queued_ns, s.sent_ns = s.submitted_ns, s.submitted_ns + gap_ns + round(here_s * NS)
    s.received_ns = s.sent_ns + way_ns
    s.started_ns = s.received_ns + 1_000_000
    s.finished_ns = s.received_ns + 2 * round(held_s * NS) + way_ns
    s.returned_ns = s.finished_ns + way_ns
    s.ended_ns, s.run_s, s.peer_held_s = s.returned_ns + 200_000, 2 * there_s, 2 * held_s
    s.offloaded_to = s.ran_on = carriers[-1]
    return s


def ending(s: Span, reason: str = "") -> Span:
    """How it ended, by its own times."""
    s.ending, s.reason = ("failed", reason) if reason else ("completed" if s.ended_ns <= s.deadline_ns else "late", "")
    if reason:
        s.ran_on = ""
    return s


def news(of: LaunchFile) -> list[tuple[int, int, Submitted | Ended | Gone]]:
    """All that the collector hears, in order of time: (when, tie-break, message)."""
    dead = {f.target: T0 + round(f.at_s * NS) for f in kills(of)}
    heard: list[tuple[int, int, Submitted | Ended | Gone]] = [(at, 0, Gone(name=n, boot=1)) for n, at in dead.items()]
    for agent in robots(of):
        sequence = 0
        for stream in of.streams:
            if agent.rpartition("_")[0] not in stream.on:
                continue
            for k in range(int(of.duration_s * stream.rate_hz)):
                sequence += 1
                at = T0 + round((k / stream.rate_hz + draw.uniform(of.seed, agent) / stream.rate_hz) * NS)
                if at >= dead.get(agent, 1 << 62):
                    break
                s = span(of, agent, stream, sequence, at, dead)
                heard.append((at + 300_000, 1, Submitted(
                    request=s.request, frame=Frame(1, stream.name, k), due_s=(s.captured_ns - T0) / NS)))
                if s.ended_ns < dead.get(agent, 1 << 62):
                    heard.append((s.ended_ns + 300_000, 2, Ended(span=s)))
    return sorted(heard, key=lambda h: h[:2])


def ledger(of: LaunchFile) -> Ledger:
    """The ledger at the end of the run, still open."""
    book = Ledger(0, {s.name: s.model for s in of.streams})
    book.started(T0)
    for at, _, message in news(of):
        book.handle(message, at)
    return book


def agents(of: LaunchFile) -> AgentBook:
    """A report a second and what became of each."""
    book = AgentBook()
    for k in range(int(of.duration_s)):
        for name in robots(of):
            book.handle(name, 1, AgentNews(
                rss_bytes=(90 + k % 7) << 20, runs=6 * k, overruns=k // 50, busy_s=0.4 * k, available_s=1.0 * k,
                refused_in=0, duplicates=0, control_bytes=900 * k))
    dead = {f.target for f in kills(of)}
    for name in robots(of):
        book.set_status(name, 1, "killed" if name in dead else "ended")
    return book


def plans(of: LaunchFile) -> list[tuple[float, Plan]]:
    """Three epochs: the first, after the rover's death, after the carrier's."""
    made = []
    for epoch, (at, gone) in enumerate(((0.4, set()), (20.6, {"rover_2"}), (35.7, {"rover_2", "carrier_1"})), 1):
        placements = []
        for name, board in robots(of).items():
            for s in of.streams:
                if name in gone or name.rpartition("_")[0] not in s.on:
                    continue
                carrier = f"carrier_{int(name[-1]) % 2 if 'carrier_1' not in gone else 0}"
                where = carrier if board == "orin_nano" else name
                why = (f"{where} runs {s.model}/int8 in 26 ms and the link adds 8 ms; at home it takes 110 ms"
                       if where != name else "at home is quickest")
                placements.append(Placement(agent=name, stream=s.name, variant="int8", where=[where],
                                            predicted_s=0.058 if where != name else 0.027, predicted_on_time=0.9,
                                            low=0.8, high=1.0, why=why))
        made.append((at, Plan(epoch=epoch, lease_s=3.0, placements=placements, solver="greedy", solve_s=0.018)))
    return made


MISSION = Mission(headline="found", measures=[
    Measure(name="found", value=5.0, text="targets that a robot has claimed rightly"),
    Measure(name="coverage", value=0.83, unit=SHARE, text="share of the floor that was seen"),
    Measure(name="collisions", value=2.0)])


def scene() -> dict[str, Any]:
    """A building of two rooms with six targets, in the keys of swarm.core.protocol.scene.Scene."""
    boxes = [[0, -9.93, 10, 0.07], [0, 9.93, 10, 0.07], [-9.93, 0, 0.07, 9.86], [9.93, 0, 0.07, 9.86],
             [0.5, -5, 0.07, 4.9], [0.5, 6, 0.07, 3.9], [-6, 2, 3.9, 0.07], [6, -1, 2.9, 0.07]]
    things = [[-7, -6, 0.4, 0.3], [3, 4, 0.5, 0.5], [7, 7, 0.2, 0.9], [-3, 6, 0.3, 0.3], [5, -6, 0.6, 0.3]]
    walls, clutter = ([{"layer": layer, "shape": "box", "x_m": x, "y_m": y, "hx_m": hx, "hy_m": hy, "yaw_rad": yaw,
                        "colour": "#888888"}
                       for x, y, hx, hy in some]
                      for some, yaw, layer in ((boxes, 0.0, "wall"), (things, 0.4, "clutter")))
    clutter[1]["shape"] = "circle"
    labels = ("casualty", "beacon", "hazard") * 2
    targets = [{"label": label, "x_m": 7 * math.cos(i * 1.1 + 0.3), "y_m": 7 * math.sin(i * 1.1 + 0.3),
                "done_by": f"rover_{i}" if i != 4 else None, "done_at_s": 9.5 * i + 4 if i != 4 else None}
               for i, label in enumerate(labels)]
    return {"scenario": "search_rescue", "seed": 7, "size_m": 20.0, "time_s": 60.0, "robots": [],
            "shapes": [*walls, *clutter], "marks": targets, "mark": "target", "done": "found", "spawns": []}


def poses(of: LaunchFile, time_s: float) -> dict[str, list[float]]:
    """Every robot on a curve of its own, until its end."""
    dead = {f.target: f.at_s for f in kills(of)}
    found = {}
    for i, name in enumerate(robots(of)):
        t = min(time_s, dead.get(name, math.inf)) / 60 * 6 + i
        r = 2 + 6.5 * time_s / 60 * (0.6 + 0.4 * math.sin(i * 2.0))
        if time_s <= dead.get(name, math.inf):
            found[name] = [r * math.cos(t), r * math.sin(t * (1 + i / 10)), t]
    return found


def seconds(of: LaunchFile) -> list[dict[str, Any]]:
    """The lines of `series.jsonl`: the carriers are busier than the rovers, and the plan is right about detect."""
    dead = {f.target: f.at_s for f in kills(of)}
    return [{
        "at_s": float(k),
        "agents": {name: {"busy": 0.3 + 0.4 * name.startswith("carrier") + 0.1 * math.sin(k + i), "queue": (k + i) % 3,
                          "links": {"carrier_0": {"rtt_ms": 4.0, "mbit_s": 20.0}}}
                   for i, name in enumerate(robots(of)) if k <= dead.get(name, math.inf)},
        "streams": {f"{name}/{s.name}": {
            "due": int(s.rate_hz), "ended": int(s.rate_hz), "on_time": int(s.rate_hz), "mean_ms": 60.0 + 5 * (k % 4),
            "p95_ms": 90.0, "predicted_ms": 58.0, "predicted_p95_ms": 88.0, "predicted_on_time": 0.97}
            for name in robots(of) for s in of.streams if name.rpartition("_")[0] in s.on},
    } for k in range(1, int(of.duration_s) + 1)]


def summary(of: LaunchFile, book: Ledger) -> dict[str, Any]:
    """The summary of the closed ledger."""
    rows = book.close()
    made_plans = plans(of) if of.policy == "planner" else []
    world = WorldNews(time_s=of.duration_s, steps=14400, real_time_factor=0.998, lag_ms_p99=7.5,
                      mission=MISSION, poses={})
    history = PlanHistory()
    for at_s, plan in made_plans:
        history.handle(at_s, msgspec.structs.replace(plan, lease_s=of.duration_s))
    planner = [PlannerNews(epoch=p.epoch, took_s=p.solve_s, solver=p.solver, refined=p.epoch > 1, end="adopted")
               for _, p in made_plans]
    return msgspec.to_builtins(summarise(
        launch=of, boards=BOARDS, rows=rows, ledger=book.statistics(), agents=agents(of), world=world, slips=[],
        planner=planner, planner_starts=min(len(planner), 1), plans=history,
        faults=[FaultDone(fault=f, done_s=f.at_s) for f in kills(of)], losses=[], ran_s=of.duration_s))


def write_run(out: Path, of: LaunchFile) -> dict[str, Any]:
    """A complete run folder. Returns the summary."""
    folder = RunFolder(out)
    folder.manifest({"launch": json.loads(json.dumps(to_plain(of))), "boards": to_plain(BOARDS), "seed": of.seed,
                     "renderer": "tiny", "command": ["swarm", "launch"], "started_unix_s": 1.7e9,
                     "versions": {"python": "3.11.7", "numpy": "2.4.6"}, "revision": "0123456789ab",
                     "host": {"cores": 2, "processor": "Made-up CPU", "machine": "x86_64", "memory_mb": 16000,
                              "system": "Linux"}})
    folder.event(0.0, "launcher", "start", {})
    book = ledger(of)
    made = summary(of, book)
    for at_s, plan in plans(of) if of.policy == "planner" else []:
        folder.plan(at_s, plan)
    for f in kills(of):
        folder.event(f.at_s + 0.01, "launcher", "killed", {"name": f.target})
    for k in range(int(of.duration_s)):
        folder.series(SeriesRecord(at_s=k + 1.0, agents={}, streams={}))
    for k in range(int(of.duration_s * 5)):
        folder.pose(k / 5, poses(of, k / 5))
    folder.scene(json.dumps(scene()).encode())
    folder.processes([{"role": "agent", "name": n, "pid": 100 + i} for i, n in enumerate(robots(of))])
    folder.requests(book.close())
    folder.summary(made)
    (out / "series.jsonl").write_text("".join(f"{json.dumps(second)}\n" for second in seconds(of)))
    folder.close()
    assert folder.trouble == ""
    return made


def to_plain(of: Any) -> Any:
    return msgspec.to_builtins(of)
