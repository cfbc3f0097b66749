"""The planner's state: when it solves, what it adopts, what it publishes, and that it does not flap."""

from __future__ import annotations

import math
import random
from itertools import pairwise

import pytest
from msgspec.structs import replace

from swarm.core.policy.plan import Plan
from swarm.core.protocol.messages import Advert, Feedback, Heartbeat, PlannerNews
from swarm.core.protocol.messages.presence import StreamSeen
from swarm.core.units import ns
from swarm.membership.events import Failed, Joined
from swarm.planner.events import Command, Event, Heard, Publish, Report, Solve, Solved, SolveEnded, Tick
from swarm.planner.problem import Problem
from swarm.planner.solvers.budget import CountedBudget
from swarm.planner.solvers.place import choices, place
from swarm.planner.state import PlannerState
from tests.planner.builders import profile, stream, team


class Drive:
    """A team that talks to a planner; solves are done at once, or held back."""

    def __init__(self, problem: Problem, hold: bool = False) -> None:
        self.state = PlannerState(lease_s=3.0, every_s=1.0)
        self.problem, self.hold = problem, hold
        self.alive = {a.name: 1 for a in problem.agents}
        self.now = ns(10)
        self.published: list[Plan] = []
        self.reports: list[str] = []
        self.ends: list[PlannerNews] = []
        self.held: list[Solve] = []
        self.beats = 0

    def do(self, event: Event) -> None:
        self.perform(self.state.handle(event, now=self.now))

    def perform(self, commands: list[Command]) -> None:
        for command in commands:
            if isinstance(command, Publish):
                self.published.append(command.plan)
            elif isinstance(command, Report):
                self.reports.append(command.what)
            elif isinstance(command, SolveEnded):
                self.ends.append(command.news)
            elif self.hold or command.refine:
                self.held.append(command)
            else:
                self.solve(command)

    def solve(self, command: Solve) -> None:
        solution = place(command.problem, command.previous, CountedBudget(0.05), limit_churn=command.limit_churn)
        self.do(Solved(command.basis, solution, 0.01, refined=command.refine))

    def advertise(self) -> None:
        for a in self.problem.agents:
            if a.name in self.alive:
                self.do(Joined(a.name, self.alive[a.name], back=False))
                streams = [s.spec for s in self.problem.streams if s.agent == a.name]
                advert = Advert(board="b", executors=a.executors, profiles=list(a.profiles), streams=streams)
                self.do(Heard(a.name, self.alive[a.name], advert))

    def pass_time(self, seconds: float, noise: random.Random | None = None) -> None:
        """Heartbeats four times a second, links once a second, ticks ten times a second."""
        for step in range(round(seconds * 20)):
            self.now += ns(0.05)
            self.beats += step % 5 == 0
            for name, boot in self.alive.items():
                if step % 5 == 0:
                    busy_s = 0.0 if noise is None or noise.random() < 0.6 else 0.1
                    self.do(Heard(name, boot, Heartbeat(sequence=self.beats, busy_s=busy_s)))
                if step % 20 == 10:
                    shake = noise.uniform(0.5, 2.0) if noise else 1.0
                    links = {b: (q.rtt_s * shake, q.bytes_per_s / shake) for (a, b), q in self.problem.links.items()
                             if a == name and b in self.alive}
                    self.do(Heard(name, boot, Feedback(links=links)))
            if step % 2 == 0:
                self.do(Tick())


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
    for number in range(2, 200):
        drive.do(Heard(drive.problem.agents[0].name, 1, replace(advert, number=number)))
    drive.solve(first)                                   # stale: the team grew since
    (again, *_), drive.held = drive.held, []
    for number in range(200, 400):
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
    drive.pass_time(60.0, noise)
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


def seen(drive: Drive, agent: str, name: str, ended: int, on_time: int) -> None:
    """An agent reports a stream under its placement in force."""
    placed = next(p for p in drive.published[-1].placements if (p.agent, p.stream) == (agent, name))
    drive.do(Heard(agent, 1, Feedback(streams=[StreamSeen(
        stream=name, variant=placed.variant, where=placed.where, ended=ended, on_time=on_time)])))


def test_what_is_observed_corrects_the_next_forecast_within_two_seconds() -> None:
    drive = Drive(team(1, 0))                              # nowhere else to go
    drive.advertise()
    drive.pass_time(2.0)
    before = drive.published[-1]
    detect = next(p for p in before.placements if p.stream == "detect")
    seen(drive, "rover_0", "detect", 10, 0)
    drive.pass_time(2.0)
    after = drive.published[-1]
    now = next(p for p in after.placements if p.stream == "detect")
    assert after.epoch == before.epoch                     # no placement has changed, but what it promises has
    assert now.where == detect.where
    assert now.predicted_on_time < detect.predicted_on_time - 0.5
    for _ in range(8):
        seen(drive, "rover_0", "detect", 10, 9)
        drive.pass_time(1.0)
    settled = next(p for p in drive.published[-1].placements if p.stream == "detect")
    assert settled.predicted_on_time > 0.75


def test_a_stream_leaves_a_peer_that_serves_it_worse_than_forecast() -> None:
    drive = Drive(team(2, 2))
    drive.advertise()
    drive.pass_time(5.0)
    first = next(p for p in drive.published[-1].placements if (p.agent, p.stream) == ("rover_0", "segment"))
    assert first.where[0].startswith("carrier")
    seen(drive, "rover_0", "segment", 10, 0)
    drive.pass_time(2.0)
    moved = next(p for p in drive.published[-1].placements if (p.agent, p.stream) == ("rover_0", "segment"))
    assert moved.where != first.where


def test_forecasts_that_come_true_change_nothing() -> None:
    drive = Drive(team(3, 2))
    drive.advertise()
    drive.pass_time(5.0)
    epoch, ends = drive.state.plan.epoch, len(drive.ends)
    for _ in range(10):
        for placed in drive.published[-1].placements:
            seen(drive, placed.agent, placed.stream, 5, 5)
        drive.pass_time(1.0)
    assert drive.state.plan.epoch == epoch
    assert len(drive.ends) <= ends + 1                     # the same problem is solved again when nothing is held


@pytest.mark.parametrize("period_s", [0.2, 1.0, 3.0, 10.0])
def test_a_link_that_flaps_moves_a_stream_once_in_ten_seconds_at_most(period_s: float) -> None:
    drive = Drive(team(3, 2))
    drive.advertise()
    drive.pass_time(6.0)
    before, moved = choices(drive.state.plan.placements), dict[tuple[str, str], list[int]]()
    quick = drive.problem
    slow = replace(quick, links={pair: replace(q, rtt_s=1.5) if "carrier_0" in pair else q
                                 for pair, q in quick.links.items()})
    for step in range(round(40 / max(period_s / 2, 0.1))):
        drive.problem = slow if step % 2 else quick
        drive.pass_time(max(period_s / 2, 0.1))
        after = choices(drive.state.plan.placements)
        for key in before:
            if after.get(key) != before[key]:
                moved.setdefault(key, []).append(drive.now)
        before = after
    assert all(later - earlier >= ns(10.0) for times in moved.values() for earlier, later in pairwise(times))


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
