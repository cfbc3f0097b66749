"""The faults of a launch file are injected, cleared and recorded; with dummies for the processes, which takes long.

`tests/virtual/test_faults.py` shows the same in whole swarms in virtual time.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from swarm.core.policy.faults import Fault
from swarm.core.protocol.messages import InjectedFaults
from swarm.core.units import seconds
from swarm.run import events as ev
from swarm.run.faults import FaultSchedule
from swarm.telemetry import table
from tests.launcher.test_run import events, summary
from tests.launcher.world import Flight, nobody_left, pids, wait_until, write_launch


def flown(folder: Path, faults: list[dict[str, Any]], *arguments: str, until: Callable[[Path], bool]) -> Path:
    """A run with these faults that went well; it is interrupted when what it was flown for has happened."""
    settings = (f"faults={json.dumps(faults)}", "duration_s=600", "streams.1.deadline_s=0.1")
    given = [word for setting in settings for word in ("--set", setting)]
    with Flight(write_launch(folder), folder / "out", *given, *arguments) as flight:
        wait_until(lambda: until(flight.out) or flight.process.poll() is not None)
        flight.process.send_signal(signal.SIGINT)
        code, _, told = flight.end()
        assert code == 128 + signal.SIGINT, told
        assert nobody_left(pids(flight.out))
    assert summary(flight.out)["requests"]["lost"] == 0
    return flight.out


def count(out: Path, what: str, who: str) -> int:
    """How often that has happened so far."""
    if not (out / "events.jsonl").exists():
        return 0
    return sum(f'"who":"{who}","what":"{what}"' in line for line in (out / "events.jsonl").read_text().splitlines())


def are_over(faults: int) -> Callable[[Path], bool]:
    return lambda out: count(out, "fault_over", "launcher") >= faults


def begun(robot: str, times: int) -> Callable[[Path], bool]:
    return lambda out: count(out, "roster", robot) >= times


def heard(out: Path, what: str) -> list[tuple[str, str]]:
    """Who told of it, of whom."""
    return [(e["who"], e["detail"]["name"]) for e in events(out) if e["what"] == what]


def told_faults(out: Path, name: str) -> list[InjectedFaults]:
    return [msgspec.json.decode(e["detail"]["ills"], type=InjectedFaults) for e in events(out)
            if e["what"] == "afflicted" and e["who"] == name]


def boots(out: Path, robot: str) -> list[int]:
    """In the order in which their requests came."""
    requests = table.read(out / "requests.parquet")
    mine = (requests["agent"] == robot) & (requests["ending"] != "missed")
    return list(dict.fromkeys(int(boot) for boot in requests["boot"][mine]))


@pytest.mark.long
def test_a_restarted_robot_takes_part_again_even_with_its_clock_set_back(tmp_path: Path) -> None:
    out = flown(tmp_path, [{"at_s": 0.6, "clock": "rover_1", "by_s": -3600},
                           {"at_s": 0.8, "lose": "rover_1", "share": 0.5, "for_s": 6000},
                           {"at_s": 1.0, "restart": "rover_1", "after_s": 0.1}], until=begun("rover_1", 2))
    clock, lose, restart = summary(out)["faults"]
    assert 1.0 <= restart["done_s"] < restart["done_s"] + 0.099 <= restart["ended_s"] < summary(out)["ran_s"]
    assert clock["ended_s"] is None
    assert lose["ended_s"] >= summary(out)["ran_s"]          # the streams' end is its end
    before, after = boots(out, "rover_1")
    assert 0 < before - after < 3600e6
    own = [f for f in table.read(out / "requests.parquet")["reason"] if f == "agent_lost"]
    assert len(own) <= 5                                     # of the old boot, that were open; none of the new one
    assert summary(out)["agents"]["rover_1"]["status"] == "ended"
    assert heard(out, "heard_gone") == heard(out, "heard_back") == [("world", "rover_1")]
    at_once = InjectedFaults(lose=0.5, clock_step_s=-3600, seed=7)
    assert told_faults(out, "rover_1")[:3] == [InjectedFaults(clock_step_s=-3600, seed=7), at_once, at_once]
    assert told_faults(out, "rover_1")[-1] == InjectedFaults(seed=7)
    assert [p["name"] for p in json.loads((out / "processes.json").read_text())].count("rover_1") == 2


@pytest.mark.long
def test_a_stopped_process_goes_on_and_at_the_end_at_the_latest(tmp_path: Path) -> None:
    out = flown(tmp_path, [{"at_s": 0.8, "stop": "rover_0", "for_s": 0.5},
                           {"at_s": 0.9, "stop": "carrier_0", "for_s": 6000},
                           {"at_s": 0.9, "stop": "planner", "for_s": 0.3}], "--set", "policy=planner",
                until=are_over(2))
    ran_s = summary(out)["ran_s"]
    short, long, planner = sorted(summary(out)["faults"], key=lambda f: f["target"] != "rover_0")
    assert short["done_s"] + 0.499 <= short["ended_s"] <= ran_s <= long["ended_s"]
    assert planner["ended_s"] <= ran_s
    requests = table.read(out / "requests.parquet")
    heard_s = np.sort(requests["at_s"][requests["agent"] == "rover_0"])
    assert np.diff(heard_s).max() > 0.3                      # of the half second; its last words may have taken a while
    assert heard_s[0] < short["done_s"] < short["ended_s"] < heard_s[-1]
    assert {name: a["status"] for name, a in summary(out)["agents"].items()} == dict.fromkeys(
        ("rover_0", "rover_1", "carrier_0"), "ended")


def test_all_faults_of_a_process_are_told_together_at_each_change() -> None:
    due = [Fault(at_s=0.2, kind="partition", groups=[["rover_0", "rover_1"], ["carrier_0"]], for_s=1.8),
           Fault(at_s=0.6, kind="slow", target="carrier_0", factor=4, for_s=0.6),
           Fault(at_s=0.9, kind="corrupt", target="carrier_0", share=0.5, for_s=0.7)]
    cut = {"deaf_to": ["rover_0", "rover_1"], "seed": 7}
    everybody = ["rover_0", "rover_1", "carrier_0"]
    orders: list[Any] = []
    faults = FaultSchedule(due, 7, ready=lambda: everybody, running=lambda: everybody, order=orders.append)
    faults.schedule(0)
    told: list[tuple[str, Any]] = []
    cleared_at_s: list[float] = []
    while waiting := [order for order in orders if isinstance(order, ev.Wake)]:
        wake = min(waiting, key=lambda order: order.at_ns)
        orders[:] = [order for order in waiting if order is not wake]
        if isinstance(wake.event, ev.FaultDue):
            faults.inject(wake.event.fault, wake.at_ns)
        elif isinstance(wake.event, ev.FaultExpired):
            faults.clear(wake.event.fault)
        told += [(order.name, order.body) for order in orders if isinstance(order, ev.Tell)]
        cleared_at_s += [seconds(wake.at_ns) for order in orders if isinstance(order, ev.FaultCleared)]
    assert [body for name, body in told if name == "carrier_0"] == [
        InjectedFaults(**cut), InjectedFaults(**cut, slow=4.0), InjectedFaults(**cut, slow=4.0, corrupt=0.5),
        InjectedFaults(**cut, corrupt=0.5), InjectedFaults(**cut), InjectedFaults(seed=7)]
    assert [body for name, body in told if name == "rover_1"] == [
        InjectedFaults(deaf_to=["carrier_0"], seed=7), InjectedFaults(seed=7)]
    assert cleared_at_s == [pytest.approx(at_s) for at_s in (1.2, 1.6, 2.0)]
