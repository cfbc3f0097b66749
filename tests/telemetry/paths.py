"""Single requests with every stamp said outright, in milliseconds since their capture."""

from __future__ import annotations

from typing import Any

from swarm.core.protocol.spans import LegRun, RequestId, Span
from swarm.telemetry import table
from swarm.telemetry.ledger import Row

CAPTURED_NS = 10**9
STAMPS = ("submitted", "deadline", "queued", "sent", "received", "started", "finished", "returned", "ended")


def span(sequence: int = 1, **said: Any) -> Span:
    """A request of rover_0's stream `detect` that ran at home, but for what is said."""
    stamps: dict[str, Any] = {"submitted": 5, "queued": 5, "started": 20, "finished": 60, "ended": 61, "deadline": 100,
                              **{name: said.pop(name) for name in STAMPS if name in said}}
    at = {f"{name}_ns": CAPTURED_NS + round(ms * 1e6) for name, ms in stamps.items() if ms is not None}
    given: dict[str, Any] = {"stream": "detect", "model": "detector", "variant": "int8", "priority": 0,
                             "ending": "completed", "ran_on": "rover_0", "run_s": 0.04, **said}
    return Span(request=RequestId("rover_0", 1, sequence), captured_ns=CAPTURED_NS, **at, **given)


def at_home_preempted() -> Span:
    return span(started=20, finished=90, ended=92, run_s=0.04, preempted=2, aside_s=0.03)


def on_a_peer() -> Span:
    return span(queued=None, sent=6, received=10, started=25, finished=67, returned=73, ended=74, run_s=0.04,
                peer_held_s=0.057, offloaded_to="carrier_0", ran_on="carrier_0")


def fell_back(*, guard: bool) -> Span:
    return span(sent=6, queued=50, started=52, finished=92, ended=93, offloaded_to="carrier_0", guarded=guard,
                guard_fired=guard)


def chain() -> Span:
    """A leg at home, preempted for a while, and one on each of two carriers; each way takes 4 ms."""
    legs = [LegRun(agent="rover_0", first=0, last=1, run_s=0.01),
            LegRun(agent="carrier_0", first=1, last=3, run_s=0.02, waited_s=0.003, held_s=0.024),
            LegRun(agent="carrier_1", first=3, last=4, run_s=0.005, waited_s=0.0, held_s=0.005)]
    return span(queued=5, sent=24, received=28, started=31, finished=61, returned=65, ended=66, run_s=0.025,
                peer_held_s=0.029, preempted=1, aside_s=0.006, legs=legs, offloaded_to="carrier_1", ran_on="carrier_1")


def expired(*, away: bool) -> Span:
    """The deadline came while it waited: at home, or for a peer."""
    sent: dict[str, Any] = {"sent": 6, "queued": None, "offloaded_to": "carrier_0"} if away else {}
    return span(started=None, finished=None, ended=100, ending="failed", reason="expired", ran_on="", run_s=0.0, **sent)


def columns(*spans: Span) -> table.Columns:
    """As `table.read` would give them."""
    return table.arrays([Row(span=s, at_s=0.1 * i, due_s=0.1 * i) for i, s in enumerate(spans)], table.empty())
