"""What `summary.json` must say of a fault of a planted run, counted frame by frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from swarm.bench.figures.by_hand import came_back, ended_ms, offered, wilson
from swarm.bench.figures.scene import WAY_MS, Planted, PlantedFault, Scene


def fault_truth(scene: Scene, planted: PlantedFault) -> dict[str, Any]:
    fault = planted.fault
    record: dict[str, Any] = {
        "at_s": fault.at_s, "kind": fault.kind, "target": fault.target, "sensor": "", "groups": fault.groups,
        "for_s": fault.for_s or None, "done_s": None, "ended_s": None, "hit": None, "verdict": planted.verdict,
        "before": None, "worst": None, "after": None, "recover_s": None, "n": 0, "together": 0, "left_out": []}
    if planted.begin_ms is None:
        return record
    left_out = [robot for robot in scene.robots
                if any(gone.robot == robot for gone in scene.gone) and not came_back(scene, robot)]
    kept = sorted((f for f in scene.frames if f.robot not in left_out), key=lambda f: f.result_due_ms)
    end_ms = kept[-1].result_due_ms + 1 if kept else 0
    together = [f for f in scene.faults if f.begin_ms is not None and f.low_ms == planted.low_ms
                and f.verdict == planted.verdict and planted.together > 1] or [planted]
    from_ms = together[0].begin_ms or 0
    later = [f.begin_ms for f in scene.faults if f.begin_ms is not None and f not in together and f.begin_ms > from_ms]
    until_ms = min([*later, end_ms])
    back_ms = [next(f.result_due_ms for f in kept if f.result_due_ms >= fault.low_ms[1])
               for fault in scene.faults if fault.low_ms and fault.low_ms[1] < from_ms]
    since_ms = max([0, from_ms - 30_000, *back_ms])
    record |= {
        "done_s": planted.begin_ms / 1e3, "ended_s": planted.end_ms and planted.end_ms / 1e3,
        "hit": _hit(scene, planted), "together": planted.together, "left_out": left_out,
        "n": sum(from_ms <= f.result_due_ms < until_ms for f in kept), "before": _level(kept, since_ms, from_ms),
        "after": _level(kept, from_ms, until_ms), "recover_s": 0.0 if planted.verdict == "not_hit" else None}
    if planted.low_ms:
        first_ms = next(f.result_due_ms for f in kept
                        if f.result_due_ms >= planted.low_ms[0] and f.ending != "completed")
        last_ms = next((f.result_due_ms for f in kept if f.result_due_ms >= planted.low_ms[1]), end_ms)
        record["worst"] = record["after"] = _level(kept, first_ms, last_ms)
        if planted.verdict == "recovered":
            record |= {"after": _level(kept, last_ms, until_ms), "recover_s": (last_ms - from_ms) / 1e3}
    return record


def _level(kept: Sequence[Planted], from_ms: int, to_ms: int) -> dict[str, Any]:
    there = [f for f in kept if from_ms <= f.result_due_ms < to_ms]
    hits = sum(f.ending == "completed" for f in there)
    return {"from_s": from_ms / 1e3, "to_s": to_ms / 1e3, "share": hits / len(there) if there else 0.0,
            "interval": wilson(hits, len(there)), "n": len(there)}


def _hit(scene: Scene, planted: PlantedFault) -> dict[str, int] | None:
    """Of a fault with a target: its own requests and those sent to it that were open during the fault."""
    target, from_ms = planted.fault.target, planted.begin_ms or 0
    if not target:
        return None
    until_ms = from_ms + 2000 if planted.end_ms is None else planted.end_ms + 500
    there = [f for f in offered(scene.frames) if f.due_ms + WAY_MS <= until_ms and ended_ms(scene, f) >= from_ms]
    own = [f for f in there if f.robot == target]
    peers = [f for f in there if f.robot != target and f.ending != "lost" and f.reason != "agent_lost"
             and target in [f.peer, *f.legs]]
    losses = {agent for at_ms, agent, peer in scene.lost_peers if peer == target and from_ms <= at_ms <= until_ms}
    return {"own": len(own), "own_missed": sum(f.ending != "completed" for f in own), "peers": len(peers),
            "peers_missed": sum(f.ending != "completed" for f in peers), "lost_by": len(losses)}
