"""What a scheduler is told in a test, and what is looked for in its answers."""

from __future__ import annotations

from collections.abc import Sequence

from agents.scheduling import events as ev
from swarm.core.policy.plan import Leg, Placement, Plan, StreamSpec
from swarm.core.protocol.spans import LegTimes
from swarm.core.units import ns
from tests.agents.builders import request


def arrived(sequence: int, spec: StreamSpec, now: int = 0) -> ev.RequestArrived:
    return ev.RequestArrived(
        request=request(sequence), stream=spec, captured_ns=now, deadline_ns=now + ns(spec.deadline_s)
    )


def asked(
    sequence: int, model: str = "detector", deadline_ns: int = ns(0.2), peer: str = "asker", first: int = 0,
    last: int = 0, route: Sequence[Leg] = (), priority: int = 0,
) -> ev.StageAsked:
    return ev.StageAsked(
        request=request(sequence, peer), peer=peer, model=model, variant="int8", priority=priority,
        deadline_ns=deadline_ns, leg=Leg("me", first, last), route=list(route),
    )


def came(sequence: int, peer: str, before: int = 0, run_s: float = 0.01) -> ev.AnswerCame:
    """The answer of a peer, after `before` legs of others."""
    times = LegTimes(run_s=run_s, waited_s=0.0, held_s=run_s)
    return ev.AnswerCame(request=request(sequence), peer=peer, times=times, done=[times] * before)


def plan_for(stream_name: str, *where: str, epoch: int = 1, lease_s: float = 3.0) -> ev.PlanCame:
    placement = Placement(agent="me", stream=stream_name, variant="int8", where=list(where))
    return ev.PlanCame(plan=Plan(epoch=epoch, lease_s=lease_s, placements=[placement]))


def done(work: int, at: int, ran: bool = True) -> ev.StageDone:
    return ev.StageDone(work=work, started_ns=at - 1, finished_ns=at, ran=ran)


def preempted(work: int, began: int, at: int, next_stage: int, mid_stage: bool = False) -> ev.Preempted:
    return ev.Preempted(work=work, started_ns=began, finished_ns=at, next_stage=next_stage, mid_stage=mid_stage)


def of(kind: type, commands: list[ev.Command]) -> list:
    return [c for c in commands if isinstance(c, kind)]


def endings(commands: list[ev.Command]) -> list[tuple[str, str]]:
    return [(d.span.ending, d.span.reason) for d in of(ev.Deliver, commands)]
