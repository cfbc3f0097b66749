"""The planner's state: when it solves, what it adopts, what it publishes, and that it does not flap."""

from __future__ import annotations

import math
import random

import pytest
from msgspec.structs import replace

from swarm.core.protocol.messages import Advert, Feedback
from swarm.core.units import ns
from swarm.membership.events import Failed, Joined
from swarm.planner.events import Heard, Solved, Tick
from swarm.planner.solvers.budget import CountedBudget
from swarm.planner.solvers.place import choices, place
from tests.planner.builders import profile, stream, team
from tests.planner.drive import Drive


def test_a_plan_follows_the_adverts_at_once_and_its_lease_is_renewed() -> None:
    drive = Drive(team(3, 1))
    drive.advertise()
    first = drive.published[-1]
    assert {(p.agent, p.stream) for p in first.placements} == {s.key for s in drive.problem.streams}
    epoch, count = first.epoch, len(drive.published)
    drive.pass_time(5.0)
    assert drive.published[-1].epoch == epoch
    assert choices(drive.published[-1].placements) == choices(first.placements)
    assert 4 <= len(drive.published) - count <= 7    # once per second, with the same epoch


def test_a_lost_agent_is_planned_around_until_it_is_back() -> None:
    drive = Drive(team(3, 2))
    drive.advertise()
    drive.pass_time(2.0)
    epoch = drive.state.plan.epoch
    del drive.alive["carrier_0"]
    drive.do(Failed("carrier_0", 1))
    drive.pass_time(0.2)
    plan = drive.published[-1]
    assert plan.epoch > epoch
    assert all(p.agent != "carrier_0" and "carrier_0" not in p.where for p in plan.placements)
    assert "agent_lost" in drive.reports
    drive.do(Joined("carrier_0", 1, back=True))            # with the advert that is known of this start
    drive.pass_time(0.2)
    assert any("carrier_0" in p.where for p in drive.published[-1].placements)
    drive.do(Failed("carrier_0", 1))
    drive.do(Joined("carrier_0", 2, back=False))           # of the next one nothing is known yet
    assert "carrier_0" not in {a.name for a in drive.state.problem().agents}


def test_agents_that_are_lost_together_leave_the_plan_at_once_and_are_planned_around_by_one_search() -> None:
    drive = Drive(team(3, 2))
    drive.advertise()
    drive.pass_time(5.0)
    before = drive.state.plan
    drive.hold = True
    drive.held.clear()
    drive.published.clear()
    lost = {"carrier_0", "carrier_1"}
    drive.now += ns(2.0)                                   # a lease is due to be renewed, too
    drive.perform(drive.state.handle(*(Failed(name, 1) for name in sorted(lost)), now=drive.now))
    (solve,) = drive.held
    assert {a.name for a in solve.problem.agents} == {"rover_0", "rover_1", "rover_2"}
    (repaired,) = drive.published
    assert repaired.epoch == before.epoch + 1
    assert repaired.placements == [p for p in before.placements if not lost & {p.agent, *p.where}]
    assert len(repaired.placements) < len(before.placements)
    drive.solve(solve)
    assert not any(lost & {p.agent, *p.where} for p in drive.published[-1].placements)


def test_a_changed_advert_is_planned_with_and_what_was_measured_stays() -> None:
    drive = Drive(team(3, 2))
    drive.advertise()
    drive.pass_time(2.0)
    links = drive.state.problem().links
    slow = [replace(p, p50_s=p.p50_s * 9, p95_s=p.p95_s * 9) for p in drive.problem.agents[-1].profiles]
    name = drive.problem.agents[-1].name
    used = sum(name in p.where for p in drive.published[-1].placements)
    assert used
    drive.do(Heard(name, 1, Advert(number=2, board="b", executors=1, profiles=slow, streams=[])))
    assert drive.state.problem().links == links
    drive.pass_time(5.0)
    assert sum(name in p.where for p in drive.published[-1].placements) < used
    drive.do(Heard(name, 1, Advert(number=1, board="b", executors=1, profiles=[], streams=[])))      # overtaken
    assert next(a for a in drive.state.problem().agents if a.name == name).profiles


def test_one_that_changes_its_advert_all_the_time_keeps_nobody_from_being_planned_for() -> None:
    drive = Drive(team(3, 2), hold=True)
    drive.advertise()
    (first, *_), drive.held = drive.held, []
    advert = Advert(board="b", executors=1, profiles=list(drive.problem.agents[0].profiles), streams=[])
    for number in range(2, 100):
        drive.do(Heard(drive.problem.agents[0].name, 1, replace(advert, number=number)))
    drive.solve(first)                                   # stale: the team grew since
    (again, *_), drive.held = drive.held, []
    for number in range(100, 200):
        drive.do(Heard(drive.problem.agents[0].name, 1, replace(advert, number=number)))
    drive.solve(again)
    assert drive.state.plan.epoch == 1
    assert len(drive.reports) < 20


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf, 0.0, -1.0, 1e300])
def test_figures_that_make_no_sense_do_not_enter_the_problem(odd: float) -> None:
    drive = Drive(team(2, 1))
    drive.advertise()
    advert = Advert(
        number=2, board="b", executors=64,
        profiles=[profile("detector", 10.0), replace(profile("segmenter", 10.0), p50_s=odd),
                  replace(profile("large", 10.0), p95_s=odd)],
        streams=[stream("", "good", "detector", 5.0, 0.1, 1).spec])
    drive.do(Heard("rover_0", 1, advert))
    drive.pass_time(1.2)
    drive.do(Heard("rover_0", 1, Feedback(links={"rover_1": (odd, 6e6), "carrier_0": (0.004, odd)})))
    problem = drive.state.problem()
    mine = next(a for a in problem.agents if a.name == "rover_0")
    assert [p.model for p in mine.profiles] == ["detector"]
    assert [s.spec.name for s in problem.streams if s.agent == "rover_0"] == ["good"]
    for link in problem.links.values():
        assert 0.0 <= link.rtt_s < 1.0
        assert 0.0 < link.bytes_per_s < math.inf
    assert ("rover_0", "good") in {(p.agent, p.stream) for p in drive.published[-1].placements}


def test_one_solve_at_a_time_and_stale_solutions_are_dropped() -> None:
    drive = Drive(team(3, 1), hold=True)
    drive.advertise()
    assert len(drive.held) == 1                      # the first advert's; the rest waits for it
    drive.solve(drive.held.pop())
    assert drive.published == []                     # the team has grown since
    assert drive.state.statistics().stale == 1
    drive.solve(drive.held.pop())
    assert drive.published[-1].epoch == 1
    assert [(one.end, one.epoch, one.refined) for one in drive.ends] == [("stale", 0, False), ("adopted", 1, False)]


def test_a_refinement_counts_only_while_its_plan_holds() -> None:
    drive = Drive(team(3, 2))
    drive.advertise()
    refine = drive.held[-1]
    assert refine.refine
    assert refine.basis[1] == drive.state.plan.epoch
    better = place(refine.problem, [], CountedBudget(0.01))
    swapped = {"carrier_0": "carrier_1", "carrier_1": "carrier_0"}
    other = [p if p.where == [p.agent] else
             type(p)(agent=p.agent, stream=p.stream, variant=p.variant, where=[swapped[p.where[0]]])
             for p in better.placements]
    solution = type(better)(placements=other, score=(), on_time=1.0, solver="test", worked_s=0.0,
                            changed=True)
    epoch = drive.state.plan.epoch
    drive.do(Solved(refine.basis, solution, 0.3, refined=True))
    assert drive.state.plan.epoch == epoch + 1
    drive.do(Solved(refine.basis, better, 0.3, refined=True))
    assert drive.state.plan.epoch == epoch + 1       # made for the plan before
    told = [(one.end, one.epoch) for one in drive.ends if one.refined]
    assert told == [("adopted", epoch + 1), ("stale", epoch + 1)]
    counts = drive.state.statistics()
    assert (counts.refined, counts.adopted) == (2, epoch + 1)


def test_noise_around_equal_peers_does_not_make_plans_flap() -> None:
    drive = Drive(team(6, 3))
    drive.advertise()
    noise = random.Random(4)
    drive.pass_time(5.0, noise)
    settled = drive.state.plan.epoch
    drive.pass_time(30.0, noise)
    assert drive.state.plan.epoch - settled <= 1


def test_the_lease_is_renewed_while_a_solve_takes_long() -> None:
    drive = Drive(team(2, 1))
    drive.advertise()
    drive.hold = True
    count = len(drive.published)
    drive.pass_time(4.0)
    assert len(drive.published) - count >= 2         # every 1.5 s, half the lease


def test_a_plan_made_before_links_were_known_is_made_again_when_they_are() -> None:
    drive = Drive(team(6, 2))
    drive.advertise()
    for name in list(drive.alive):                   # at first nobody has measured the way to carrier_1
        drive.do(Heard(name, 1, Feedback(links={"carrier_0": (0.004, 6e6)})))
    drive.pass_time(0.4)
    drive.pass_time(4.0)
    segments = [p.where[0] for p in drive.state.plan.placements if p.stream == "segment"]
    assert min(segments.count("carrier_0"), segments.count("carrier_1")) >= 2


def test_an_empty_policy_and_a_search_that_fails_leave_the_planner_alive() -> None:
    drive = Drive(team(2, 1), hold=True)
    drive.advertise()
    (solve, *_) = drive.held
    nothing = replace(place(solve.problem), placements=[])           # forecasts of streams that nobody placed
    drive.do(Solved(drive.held[-1].basis, nothing, 0.01))
    drive.do(Tick())
    failed = replace(nothing, failed="it hangs", solver="", placements=solve.previous)
    drive.pass_time(2.0)
    drive.do(Solved(drive.held[-1].basis, failed, 5.0))
    assert "search_failed" in drive.reports
    drive.pass_time(2.0)
    assert drive.held[-1].problem.streams            # it is searched again


def strained(drive: Drive, name: str, number: int, **known: object) -> Heard:
    """The news that an agent's board has changed."""
    info = next(a for a in drive.problem.agents if a.name == name)
    streams = [s.spec for s in drive.problem.streams if s.agent == name]
    return Heard(name, 1, Advert(number=number, board="b", executors=info.executors, profiles=list(info.profiles),
                                 streams=streams, **known))      # type: ignore[arg-type]


@pytest.mark.parametrize("known", [{"throttled": True}, {"battery": 0.1}])
def test_a_strained_agent_is_relieved_at_once_where_this_costs_no_result(known: dict[str, object]) -> None:
    both = team(1, 2)
    drive = Drive(replace(both, streams=tuple(one for one in both.streams if one.spec.name == "segment")))
    drive.advertise()
    drive.pass_time(15.0)                            # no plan may change freely any more
    (used,) = drive.state.plan.placements[0].where
    solves = drive.state.statistics().solves
    drive.do(strained(drive, used, 2, **known))
    assert drive.state.statistics().solves == solves + 1
    assert drive.reports.count("agent_strained") == 1
    (now,) = drive.state.plan.placements[0].where
    assert now != used
    drive.do(strained(drive, used, 3, **known))
    assert drive.reports.count("agent_strained") == 1


def test_an_agent_that_is_nearly_empty_gets_nothing_of_others_and_keeps_its_own() -> None:
    drive = Drive(team(1, 1))
    drive.advertise()
    drive.pass_time(15.0)
    assert any(p.agent == "rover_0" and "carrier_0" in p.where for p in drive.state.plan.placements)
    drive.do(strained(drive, "carrier_0", 2, battery=0.04))
    drive.pass_time(2.0)
    where = {(p.agent, agent) for p in drive.state.plan.placements for agent in p.where}
    assert ("rover_0", "carrier_0") not in where
    assert all("carrier_0" in p.where for p in drive.state.plan.placements if p.agent == "carrier_0")


def test_an_agent_that_was_strained_before_it_joined_is_named() -> None:
    drive = Drive(team(1, 1))
    drive.do(strained(drive, "carrier_0", 1, throttled=True))
    assert drive.reports == []                       # it is not there yet
    drive.do(Joined("carrier_0", 1, back=False))
    assert drive.reports[:2] == ["agent_joined", "agent_strained"]


def test_a_strained_agent_keeps_what_nobody_else_can_do_in_time() -> None:
    drive = Drive(team(1, 1))
    drive.advertise()
    drive.pass_time(15.0)
    drive.do(strained(drive, "carrier_0", 2, throttled=True))
    drive.pass_time(15.0)
    assert next(p for p in drive.state.plan.placements if p.stream == "segment").where == ["carrier_0"]
