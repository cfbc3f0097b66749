"""The explorer looks whether guarded requests are on time, and sees where they are not."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from agents.ports import RunOrder
from agents.runtime.emulation import VariantTimes
from agents.scheduling.guards import Guards
from swarm.core.policy.plan import Leg
from swarm.core.protocol.spans import Frame, RequestId, Span
from swarm.core.units import ns
from swarm.virtual.explore.drawing import SMALL, drawn, resolved
from swarm.virtual.explore.explorer import explored
from swarm.virtual.explore.guard_watch import INVARIANT, GuardWatch
from swarm.virtual.runner import TimedRun
from tests.planner.builders import profile


def test_a_guard_that_never_fires_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Guards, "fire", lambda self, request, now: [])
    found = (explored(resolved(drawn(seed, SMALL))).broken for seed in range(200))
    broken = next(broken for broken in found if broken is not None)
    assert broken.invariant == INVARIANT
    assert "was guarded and is" in broken.found


@pytest.mark.parametrize(("took_s", "slow"), [(0.2, True), (0.05, False)])
@pytest.mark.parametrize("aborted", [False, True])
def test_a_fallback_that_takes_longer_than_its_p95_excuses_until_its_end_is_told(
    took_s: float, slow: bool, aborted: bool
) -> None:
    """A late answer ends the request and aborts the fallback in one event, before the executor tells its end."""
    request = RequestId("rover_0", 1, 1)
    run = TimedRun([RunOrder(7, request, [], Frame(0, "s", 1))], Leg("rover_0"), VariantTimes([0.1], []))
    run.model, run.variant = "m", "fp32"
    run.begin(ns(1.0))
    now = ns(1.0 + took_s)
    if aborted:
        run.cut_short(now)
    runner: Any = SimpleNamespace(_current={7: run}, _offer=SimpleNamespace(profiles={"m": [profile("m", 100)]}))
    process: Any = SimpleNamespace(name="rover_0", now_ns=lambda: now)
    span = Span(request=request, stream="s", model="m", priority=0, captured_ns=0, submitted_ns=0, deadline_ns=now,
                sent_ns=ns(0.9), ended_ns=now)
    no_run: Any = None
    assert GuardWatch(no_run, lambda *about: None)._is_excused(span, runner, process, []) == slow
