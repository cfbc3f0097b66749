"""What `summary.json` must say of a planted run, counted frame by frame; no formula of the product is used."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import msgspec

from swarm.bench.figures.by_hand import came_back, ended_ms, offered, quantile, wilson
from swarm.bench.figures.fault_truth import fault_truth
from swarm.bench.figures.scene import COMMANDED_NS, MISSION, MS, START_NS, Planted, Scene

RESULTS = ("completed", "late")
COUNTERS = ("runs", "overruns", "refused_in", "duplicates", "control_bytes", "carried", "carried_bytes", "broken_off",
            "behaviour_missed", "behaviour_nonsense", "loads", "unloads")
LARGEST = ("loop_late_ms_p99", "loop_late_ms_max", "behaviour_ms_p99")


def truth(scene: Scene) -> dict[str, Any]:
    """The figures, in the shape of `summary.json`."""
    of, frames = scene.launch, scene.frames
    told = [f for f in offered(frames) if f.ending != "lost" and f.reason != "agent_lost"]
    away = [f for f in told if f.peer or f.legs]
    results = [f for f in told if f.ending in RESULTS]
    aside = sorted(f.aside_ms for f in told if f.preempted)
    batches = [f.batch for f in told if f.batch > 1]
    runs, overruns, carried, carried_bytes = (sum(_agent(scene, robot)[name] for robot in scene.robots)
                                              for name in ("runs", "overruns", "carried", "carried_bytes"))
    overloaded = _overloaded(scene, runs, overruns)
    rules = [(key, rule, value) for key, (rule, value) in _rules(scene, frames).items()]
    return {
        "scenario": of.scenario, "seed": of.seed, "clock": "real", "network": "loopback", "policy": of.policy,
        "behaviour": of.behaviour, "perception": of.perception,
        "robots": 6, "duration_s": of.duration_s, "ran_s": of.duration_s,
        "first_result_s": min((ended_ms(scene, f) / 1e3 + (START_NS - COMMANDED_NS) / MS / 1e3 for f in results),
                              default=None),
        "requests": _counts(frames), **_shares(frames), "after_warmup": _after_warmup(scene, frames),
        "offload": {
            "share": _offload_share(frames), "guarded": sum(f.guarded for f in away),
            "peers": len({peer for f in told if f.ending == "completed" and f.from_peer
                          for peer in (f.legs or [f.peer]) if peer != f.robot}),
            "unguarded": sum(not f.guarded for f in away), "guard_fired": sum(f.fired for f in away)},
        "preempted": {"requests": len(aside), "times": sum(f.preempted for f in told),
                      "aside_ms_p95": quantile(aside, 0.95)[0]},
        "batched": {"requests": len(batches), "largest": max(batches, default=1)},
        "planner": _planner(scene), "forecast": {},
        "forecast_intervals": {"pairs": 0, "covered": 0, "covered_share": None, "left_out": 0},
        **{name: max((getattr(r, name) for of in scene.reports.values() for r in dict(of).values()), default=0.0)
           for name in LARGEST},
        "loops": _loops(scene),
        "world": {name: getattr(scene.world, name) if scene.world else 0
                  for name in ("steps", "real_time_factor", "lag_ms_p99")} | {
                      "out_of_reach": scene.world.out_of_reach if scene.world else None},
        "mission": {"headline": "found", "found": 3.0, "ground": 0.75} if scene.world else {},
        "measures": {m.name: {"unit": m.unit, "text": m.text} for m in MISSION.measures} if scene.world else {},
        "host_overloaded": bool(overloaded), "overloaded_by": overloaded, "interrupted": False,
        "overlapped": None, "faults": [fault_truth(scene, fault) for fault in scene.faults],
        "streams": {s.name: {
            **_counts(own := [f for f in frames if f.stream is s]), **_shares(own),
            "offload_share": _offload_share(own), "after_warmup": _after_warmup(scene, own),
            "deadline_ms": s.deadline_s * 1e3} for s in of.streams},
        "agents": {robot: {
            **_agent(scene, robot), "board": fleet.board, "role": fleet.name,
            "due": len(own := [f for f in frames if f.robot == robot]), "submitted": len(offered(own)),
            "missed": _counts(own)["missed"],
            "on_time_ratio": _shares(own)["on_time_ratio"],
            "offload_share": _offload_share(own), "battery": None} for robot, fleet in scene.robots.items()},
        "energy_j": dict.fromkeys(("compute", "radio", "motion", "charged")),
        "charge": {"least": None, "mean": None, "robots_empty": 0},
        "ledger": {"ended_twice": sum(how == "ended" and f.reason != "agent_lost" for f, how in scene.again),
                   "submitted_twice": sum(how == "submitted" for _, how in scene.again), "overtaken": 0,
                   "after_gone": sum(how == "ended" and f.reason == "agent_lost" for f, how in scene.again),
                   "after_close": 0, "not_theirs": 0, "not_an_ending": 0},
        "tool": {"emulated_boards": True},
        "accept": [{"key": key, "rule": rule, "value": value, "holds": holds} for key, rule, (value, holds) in rules],
        "accepted": all(holds for _, _, (_, holds) in rules), "unwritten": {},
        "transport": {"security": "plaintext", "messages": carried, "bytes": carried_bytes},
        "state_hash": None,
    }


def _counts(frames: Sequence[Planted]) -> dict[str, Any]:
    counts: dict[str, Any] = {"due": 0, "missed": {"body": 0, "world": 0, "agent": 0}, "submitted": 0, "completed": 0,
                              "late": 0, "failed": 0, "lost": 0, "failed_by": {}}
    for f in frames:
        counts["due"] += 1
        if f.ending == "missed":
            counts["missed"][f.reason] += 1
            continue
        counts["submitted"] += 1
        counts[f.ending] += 1
        if f.ending == "failed":
            counts["failed_by"][f.reason] = counts["failed_by"].get(f.reason, 0) + 1
    return counts


def _shares(frames: Sequence[Planted]) -> dict[str, Any]:
    """On-time ratio and latency, with their intervals."""
    on_time = sum(f.ending == "completed" for f in frames)
    results = sorted(f.latency_ms for f in frames if f.ending in RESULTS)
    every = results + [math.inf] * (len(frames) - len(results))
    latency: dict[str, Any] = {}
    for name, values, q in (("p50", results, 0.5), ("p95", results, 0.95), ("p99", results, 0.99),
                            ("p95_all", every, 0.95), ("p99_all", every, 0.99)):
        latency[name], latency[f"{name}_interval"] = quantile(values, q)
    return {"on_time_ratio": on_time / len(frames) if frames else 0.0, "on_time_interval": wilson(on_time, len(frames)),
            "latency_ms": latency}


def _after_warmup(scene: Scene, frames: Sequence[Planted]) -> dict[str, Any]:
    kept = [f for f in frames if f.due_ms >= scene.launch.warmup_s * 1e3]
    return {"from_s": scene.launch.warmup_s, "due": len(kept), **_shares(kept)}


def _middle(values: list[float]) -> float | None:
    return sorted(values)[len(values) // 2] if values else None      # scenes have an odd number


def _offload_share(frames: Sequence[Planted]) -> float:
    done = [f for f in frames if f.ending == "completed"]
    return sum(f.from_peer for f in done) / len(done) if done else 0.0


def _agent(scene: Scene, robot: str) -> dict[str, Any]:
    reports = scene.reports.get(robot, [])
    last = dict(reports)
    dead = [gone for gone in scene.gone if gone.robot == robot and not came_back(scene, robot)]
    how = {True: "killed", False: "crashed"}[dead[-1].planned] if dead else "ended"
    busy_s, available_s = sum(r.busy_s for r in last.values()), sum(r.available_s for r in last.values())
    return {**{name: sum(getattr(report, name) for report in last.values()) for name in COUNTERS},
            "rss_bytes_max": max((report.rss_bytes for _, report in reports), default=0),
            "starts": _starts(scene, robot), "status": how,
            **{name: max((getattr(report, name) for report in last.values()), default=0.0) for name in LARGEST},
            "busy_share": busy_s / available_s if last else 0.0}


def _starts(scene: Scene, robot: str) -> int:
    """Starts that reported, or whose end was seen. Scenes end the last start of every robot that lives as boot 9."""
    ends = [gone.boot for gone in scene.gone if gone.robot == robot]
    return len({*(boot for boot, _ in scene.reports.get(robot, [])), *ends,
                *([9] if not ends or came_back(scene, robot) else [])})


def _planner(scene: Scene) -> dict[str, Any]:
    solved = [p.took_s * 1e3 for p in scene.plans if not p.refined]
    refined = [p.took_s * 1e3 for p in scene.plans if p.refined]
    return {"solves": len(solved), "refined": len(refined), "adopted": sum(p.end == "adopted" for p in scene.plans),
            "stale": sum(p.end == "stale" for p in scene.plans), "epoch": scene.plans[-1].epoch if scene.plans else 0,
            "solve_ms_p50": _middle(solved), "refine_ms_p50": _middle(refined),
            "solver": scene.plans[-1].solver if scene.plans else "", "ray": bool(refined),
            "starts": 1 if scene.plans else 0}


def _loops(scene: Scene) -> dict[str, Any]:
    """The launcher of these runs has no loop, so it is never late."""
    told = {"planner": scene.plans[-1] if scene.plans else None, "world": scene.world}
    return {"launcher": {"late_ms_p99": 0.0, "late_ms_max": 0.0}, **{
        name: {"late_ms_p99": last.loop_late_ms_p99, "late_ms_max": last.loop_late_ms_max}
        for name, last in told.items() if last}}


def _overloaded(scene: Scene, runs: int, overruns: int) -> list[str]:
    """Over 1 % overruns, 1 % of time lost, 3 % not submitted, or a robot that missed 3 % and a second's frames."""
    def percent(part: int, whole: int) -> str:
        return f"{100 * part / whole:.1f} %"

    reasons = []
    if overruns * 100 > runs:
        reasons.append(f"{percent(overruns, runs)} of the emulated runs took longer than on their board")
    lost_s = sum(slip.lost_s for slip in scene.world.slips) if scene.world else 0.0
    if lost_s * 100 > scene.launch.duration_s:
        reasons.append(f"simulated time lost {lost_s:.1f} s on real time")
    due, short = len(scene.frames), [f for f in scene.frames if f.ending == "missed" and not _excused(scene, f)]
    if len(short) * 100 > due * 3:
        reasons.append(f"{percent(due - len(short), due)} of the due frames were submitted")
    for robot in sorted(scene.robots):
        own, gap = sum(f.robot == robot for f in scene.frames), sum(f.robot == robot for f in short)
        if gap * 100 > own * 3 and gap >= own / max(scene.launch.duration_s, 1.0):
            reasons.append(f"{robot} submitted {percent(own - gap, own)} of its due frames")
    return reasons


def _excused(scene: Scene, frame: Planted) -> bool:
    """A planted fault that ends processes, of this robot, explains it: from 1 s before it to 1 s after its end."""
    return any(
        planted.fault.target == frame.robot and planted.fault.kind in ("kill", "crash", "restart", "stop")
        and planted.begin_ms is not None and frame.due_ms >= planted.begin_ms - 1000
        and (planted.end_ms is None or frame.due_ms <= planted.end_ms + 1000) for planted in scene.faults)


def _rules(scene: Scene, frames: Sequence[Planted]) -> dict[str, tuple[str, tuple[Any, bool]]]:
    """The rules that scenes have."""
    ratio, lost = _shares(frames)["on_time_ratio"], sum(f.ending == "lost" for f in frames)
    known = {"on_time_ratio": (ratio, ratio >= 0.9), "requests.lost": (lost, lost == 0)}
    return {key: (rule, known[key]) for key, rule in scene.launch.accept.items()}


def flat(value: Any, path: str = "") -> dict[str, Any]:
    """The leaves of nested data by their dotted path; numbers in a path are places in a list."""
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list | tuple):
        items = enumerate(value)
    else:
        return {path: value}
    leaves = {key: leaf for name, inner in items for key, leaf in flat(inner, f"{path}.{name}".strip(".")).items()}
    return leaves or {path: type(value)()}


def differences(summary: dict[str, Any], planted: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Leaves that are not what was planted: what the product says, and the truth."""
    said, true = flat(msgspec.to_builtins(summary)), flat(msgspec.to_builtins(planted))
    return {key: (said.get(key, "absent"), true.get(key, "absent"))
            for key in sorted({*said, *true}) if not _same(said.get(key, "absent"), true.get(key, "absent"))}


def _same(said: Any, true: Any) -> bool:
    if isinstance(said, int | float) and isinstance(true, int | float):
        return math.isclose(said, true, rel_tol=1e-5, abs_tol=2e-6)
    return said == true
