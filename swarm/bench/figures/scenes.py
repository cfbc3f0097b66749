"""The planted runs. Each function is one scene: it changes the fate of frames of the base scene."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from swarm.bench.figures.scene import MISSION, WAY_MS, Gone, Planted, PlantedFault, Scene, base
from swarm.core.policy.faults import Fault, FaultKind
from swarm.core.protocol import messages as msg


def news(**changes: Any) -> msg.AgentNews:
    """An agent's report with some of its figures changed."""
    figures: dict[str, Any] = {
        "rss_bytes": 90 << 20, "overruns": 0, "busy_s": 0.5, "available_s": 1.0, "queue": 1, "loop_late_ms_p99": 1.5,
        "refused_in": 1, "duplicates": 2, "control_bytes": 1000, "carried": 40, "carried_bytes": 5000, "broken_off": 1}
    return msg.AgentNews(**{**figures, **changes})


def all_on_time() -> Scene:
    return base("all on time", accept={"on_time_ratio": ">= 0.9", "requests.lost": "== 0"})


def late_and_failed() -> Scene:
    """Every 9th frame is late, every 7th other one failed; over 5 % have no result."""
    scene = base("late and failed", accept={"on_time_ratio": ">= 0.9"})
    for k, f in enumerate(scene.frames):
        if k % 9 == 0:
            f.ending, f.latency_ms = "late", round(f.stream.deadline_s * 1e3) + 1 + k % 50
        elif k % 7 == 0:
            f.ending, f.reason = "failed", ("expired", "superseded", "refused")[k % 3]
    return scene


def lost() -> Scene:
    scene = base("lost", accept={"on_time_ratio": ">= 0.9", "requests.lost": "== 0"})
    for f in scene.frames[5::40]:
        f.ending = "lost"
    return scene


def offloaded() -> Scene:
    """Rovers ask carriers; every 5th offload falls back, guarded or not."""
    scene = base("offloaded")
    for k, f in enumerate(f for f in scene.frames if f.robot.startswith("rover")):
        f.peer, f.guarded, f.from_peer = f"carrier_{k % 2}", k % 3 > 0, k % 5 > 0
        f.fired = f.guarded and not f.from_peer
    return scene


def chains() -> Scene:
    """Segments run at home, then on both carriers; some chains fail."""
    scene = base("chains")
    for k, f in enumerate(f for f in scene.frames if f.stream.name == "segment"):
        f.legs, f.from_peer = [f.robot, "carrier_1", "carrier_0"], True
        if k % 10 == 3:
            f.ending, f.reason, f.from_peer = "failed", "refused", False
    return scene


def batches_and_preemption() -> Scene:
    """The interruptions of 100 requests bear a 95th percentile."""
    scene = base("batches and preemption")
    for k, f in enumerate(scene.frames):
        f.batch = 1 + k % 4
    for k, f in enumerate(f for f in scene.frames if f.stream.name == "segment" and f.number < 25):
        f.preempted, f.aside_ms = 1 + k % 2, 10 + k
    return scene


def killed() -> Scene:
    """A rover is killed and another crashes; nobody else is hit."""
    scene = base("killed")
    kill(scene, "rover_1", 10_050)
    kill(scene, "rover_2", 20_050, planned=False)
    scene.faults = [
        PlantedFault(fault=Fault(at_s=10.05, kind="kill", target="rover_1"), begin_ms=10_050, verdict="not_hit"),
        PlantedFault(fault=Fault(at_s=20.05, kind="crash", target="rover_2"), begin_ms=20_050, verdict="not_hit")]
    return scene


def restarted() -> Scene:
    """A carrier comes back after 2 s; meanwhile those who asked it fail, and then all is as before."""
    scene = base("restarted")
    for f in scene.frames:
        if f.robot in ("rover_0", "rover_1"):
            f.peer, f.from_peer = "carrier_0", True
    kill(scene, "carrier_0", 12_050, back_ms=14_050)
    lose(scene, 12_100, 14_300)
    scene.lost_peers = [(12_400, "rover_0", "carrier_0"), (12_500, "rover_1", "carrier_0"), (12_600, "rover_1", "x"),
                        (19_000, "rover_2", "carrier_0")]
    scene.faults = [PlantedFault(
        fault=Fault(at_s=12, kind="restart", target="carrier_0"), begin_ms=12_050, end_ms=14_050, verdict="recovered",
        low_ms=(12_100, 14_300))]
    return scene


def lasting() -> Scene:
    """A fault after which every other frame is late to the end; every 25th was late before."""
    scene = base("lasting")
    for f in scene.frames[::25]:
        late(f)
    for k, f in enumerate(f for f in scene.frames if f.result_due_ms >= 15_100):
        if k % 2 == 0:
            late(f)
    scene.faults = [PlantedFault(fault=Fault(at_s=15, kind="slow", target="rover_0", for_s=1.0), begin_ms=15_000,
                                 end_ms=16_000, verdict="lasting", low_ms=(15_000, 31_000))]
    return scene


def together() -> Scene:
    """Two faults 3 s apart with one loss each are judged together; a third, 10 s later, does nothing."""
    scene = base("together")
    lose(scene, 10_100, 11_000)
    lose(scene, 13_100, 14_000)
    planned: tuple[tuple[int, FaultKind, str], ...] = (
        (10_000, "lose", "recovered"), (13_000, "corrupt", "recovered"), (23_000, "disk_full", "not_hit"))
    for at_ms, kind, verdict in planned:
        hit = verdict == "recovered"
        scene.faults.append(PlantedFault(
            fault=Fault(at_s=at_ms / 1e3, kind=kind, target="rover_3" if hit else "", for_s=0.8), begin_ms=at_ms,
            end_ms=at_ms + 800, verdict=verdict, low_ms=(10_100, 14_000) if hit else None, together=2 if hit else 1))
    return scene


def never_began() -> Scene:
    scene = base("never began")
    scene.faults = [PlantedFault(fault=Fault(at_s=29.0, kind="stop", target="rover_0", for_s=2.0), begin_ms=None)]
    return scene


def too_few() -> Scene:
    """Two seconds bear no p95 of a stream, and no verdict on a fault."""
    scene = base("too few", duration_s=2.0)
    scene.faults = [PlantedFault(fault=Fault(at_s=1.8, kind="stop", target="rover_0", for_s=0.1), begin_ms=1800,
                                 end_ms=1900, verdict="too_few")]
    return scene


def nothing() -> Scene:
    """No frame was ever submitted."""
    scene = base("nothing", accept={"on_time_ratio": ">= 0.9"})
    for f in scene.frames:
        f.ending, f.reason = "missed", "agent"
    return scene


def warmed_up() -> Scene:
    """The first 4 s are late, and cut from comparisons."""
    scene = base("warmed up", warmup_s=4.0)
    for f in scene.frames:
        if f.due_ms < 4000:
            late(f)
    return scene


def missed() -> Scene:
    """The world stands still for 3 s; two agents are too busy now and then."""
    scene = base("missed")
    for f in scene.frames:
        if 9000 <= f.due_ms < 12_000:
            f.ending, f.reason = "missed", "world"
        elif (f.robot == "rover_0" and f.number % 10 == 4) or (f.robot == "carrier_1" and f.number % 20 == 9):
            f.ending, f.reason = "missed", "agent"
    scene.world = msg.WorldNews(
        time_s=27.0, steps=6480, real_time_factor=0.9, lag_ms_p99=9.0, mission=MISSION, poses={}, elapsed_s=30.0,
        slips=[msg.Slip(9.0, 12.0, 3.0)])
    return scene


def overloaded() -> Scene:
    """Planner and world report; 2 % of the emulated runs are overruns; a robot has started twice."""
    scene = base("overloaded", policy="planner")
    for i, robot in enumerate(scene.robots):
        scene.reports[robot] = [(1, news(runs=100 * k, overruns=2 * k, busy_s=0.2 * k, available_s=1.0 * k))
                                for k in range(1, 4 + i % 2)]
    scene.reports["rover_3"] += [(2, news(runs=10, rss_bytes=95 << 20))]
    scene.plans = [msg.PlannerNews(epoch=1 + k // 2, took_s=0.01 * (k + 1), solver="greedy", refined=k == 2, end=end,
                                   loop_late_ms_p99=2.0 - 0.5 * k, loop_late_ms_max=4.0 + k)
                   for k, end in enumerate(("adopted", "kept", "adopted", "stale"))]
    scene.world = msg.WorldNews(time_s=29.4, steps=7056, real_time_factor=0.98, lag_ms_p99=6.5, mission=MISSION,
                                loop_late_ms_p99=0.75, loop_late_ms_max=3.5,
                                poses={}, elapsed_s=30.0)
    return scene


def said_twice() -> Scene:
    """Endings and submissions that come again, and an ending from a process that had died."""
    scene = base("said twice")
    kill(scene, "rover_1", 10_060)
    gone = next(f for f in scene.frames if f.reason == "agent_lost")
    scene.again = [(scene.frames[3], "ended"), (scene.frames[4], "ended"), (scene.frames[5], "submitted"),
                   (gone, "ended")]
    return scene


def kill(scene: Scene, robot: str, at_ms: int, back_ms: int | None = None, planned: bool = True) -> None:
    """End a robot's process: its open requests are failed, and it submits nothing until it is back."""
    scene.gone.append(Gone(robot=robot, at_ms=at_ms, planned=planned))
    for f in (f for f in scene.frames if f.robot == robot):
        if back_ms is not None and f.due_ms >= back_ms:
            f.boot = 2
        elif f.due_ms + WAY_MS >= at_ms:
            f.ending, f.reason = "missed", "agent"
        elif f.due_ms + f.latency_ms >= at_ms:
            f.ending, f.reason = "failed", "agent_lost"


def lose(scene: Scene, from_ms: int, to_ms: int) -> None:
    """No result of the frames whose results fall due in this time, but for those that were missed."""
    for f in scene.frames:
        if from_ms <= f.result_due_ms < to_ms and f.ending == "completed":
            f.ending, f.reason, f.from_peer = "failed", "expired", False


def late(frame: Planted) -> None:
    frame.ending, frame.latency_ms = "late", round(frame.stream.deadline_s * 1e3) + 20


SCENES: tuple[Callable[[], Scene], ...] = (
    all_on_time, late_and_failed, lost, offloaded, chains, batches_and_preemption, killed, restarted, lasting, together,
    never_began, too_few, nothing, warmed_up, missed, overloaded, said_twice)
