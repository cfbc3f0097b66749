"""Gives what the director orders to be recorded to the collector: the same for every host."""

from __future__ import annotations

from swarm.run import events as ev
from swarm.telemetry.collector import Collector


def record(command: ev.Record, collector: Collector, now: int) -> None:
    """now: the clock of the collector's process, nanoseconds."""
    match command:
        case ev.StreamsStarted():
            collector.started(now)
        case ev.StreamsEnded():
            collector.streams_ended(now)
        case ev.ProcessLost(name, boot, how, planned):
            collector.process_lost(name, boot, how, planned, now)
        case ev.ProcessStopped(name, boot):
            collector.process_stopped(name, boot)
        case ev.RobotJoined(name):
            collector.robot_joined(name, now)
        case ev.RobotLeft(name, boot):
            collector.robot_left(name, boot, now)
        case ev.RobotEmpty(name):
            collector.robot_empty(name, now)
        case ev.Respawned(name, crashes):
            collector.respawned(name, crashes, now)
        case ev.NotStarted(name, why):
            collector.not_started(name, why, now)
        case ev.FaultInjected(fault):
            collector.fault_injected(fault, now)
        case ev.FaultCleared(fault):
            collector.fault_cleared(fault, now)
        case ev.DiskFull(full):
            collector.disk_full(full)
        case _:
            raise TypeError(f"{command} is no record of a run")
