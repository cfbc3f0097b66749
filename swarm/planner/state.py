"""The planner's state: its knowledge of the team, the time of the next plan, and the plan in force.

Events in, commands out; deterministic. Rules, in order:
1. An agent is in the team while it is present (`membership/view.py`) and its advert is known. A new, restarted or lost
   agent makes a new plan due at once, and so does one that is throttled or low on battery from now on. The next plan
   uses a changed advert. Placements that need an agent that has left the team leave the plan before the search: their
   robots decide alone until it ends.
2. Otherwise a new plan is due every `every_s`.
3. One solve at a time: a plan that falls due during a solve is solved after it. A problem whose solution is in force
   is not solved again: the same search would find the same plan.
4. For `SETTLING_S` after a change of the team plans may change freely; from then on a change must be worth its churn,
   and a stream that moves stays for `HOLD_S`.
5. A solution is adopted if the team and the plan that it was made for have not changed. The epoch grows only when a
   placement changes; otherwise the same plan is published again, with newer forecasts, which renews its lease.
6. A plan is refined once, with more effort, if there is a refiner.
7. While another planner leads (`leadership.py`), nothing is solved or published. Epochs are above all that agents told.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from swarm.core.policy.plan import Plan
from swarm.core.protocol.messages import Advert, Body, Feedback, Heartbeat, HeartbeatAck, PlannerNews
from swarm.core.protocol.messages.telemetry import SolveEnd
from swarm.core.units import ns
from swarm.membership.events import Failed, Joined
from swarm.planner import causes
from swarm.planner.events import (
    Command,
    Event,
    Heard,
    PlannerStatistics,
    Publish,
    Report,
    Solve,
    Solved,
    SolveEnded,
    Tick,
)
from swarm.planner.leadership import Leadership
from swarm.planner.observed.busy_shares import BusyShares
from swarm.planner.observed.conditions import Strains, strain
from swarm.planner.observed.streams import StreamRecords
from swarm.planner.observed.team_links import TeamLinks
from swarm.planner.observed.team_problem import problem_of
from swarm.planner.ports import Foresight
from swarm.planner.problem import Held, Problem
from swarm.planner.shards.sharded import is_large
from swarm.planner.solvers.place import choices

SETTLING_S = 3.0                     # after a change of the team its links are still being measured
HOLD_S = 10.0                        # a stream that has moved stays for so long, whatever a link does meanwhile


class PlannerState:
    """Deterministic: time is an argument, solving is a command."""

    def __init__(self, *, lease_s: float, every_s: float, me: tuple[str, int] = ("planner", 0),
                 foresight: Foresight | None = None, airtimes: Mapping[str, str] | None = None) -> None:
        """me: name and boot. foresight: None where links are as measured. airtimes: as in the planner's file."""
        self._foresight = foresight
        self._every_ns = ns(every_s)
        self._renew_ns = ns(min(1.5 * every_s, lease_s / 2))
        self._present: dict[str, int] = {}           # boot of each agent that is present
        self._adverts: dict[str, tuple[int, Advert]] = {}
        self._links = TeamLinks(every_s + HOLD_S / 2, every_s, airtimes)
        self._busy, self._strains = BusyShares(), Strains()
        self._records = StreamRecords()
        self._leadership = Leadership(me)
        self._plan = Plan(epoch=0, lease_s=lease_s, placements=[])
        self._team = 0                               # grows with every change of the team
        self._moved_ns: dict[tuple[str, str], int] = {}      # when a stream that had a placement got another one
        self._stands_by = False
        self._repair_due = self._due = False
        self._solving = False
        self._asked: Solve | None = None             # the newest
        self._planned_for: Problem | None = None     # what the plan in force was adopted for
        self._kept: Solve | None = None              # the newest whose solution is the plan that it began with
        self._refined: tuple[int, int] | None = None
        self._solve_ns = self._publish_ns = self._changed_ns = 0
        self._solves = self._refinements = self._adopted = self._stale = 0

    @property
    def plan(self) -> Plan:
        return self._plan

    def handle(self, *events: Event, now: int) -> list[Command]:
        """Handle events that happen together at `now` (ns), and only then see what is due. Returns commands."""
        out: list[Command] = []
        for event in events:
            self._on(event, now, out)
        self._act(now, out)
        return out

    def _on(self, event: Event, now: int, out: list[Command]) -> None:
        match event:
            case Heard(sender=sender, boot=boot, body=body):
                self._heard(sender, boot, body, now, out)
            case Joined(name=name, boot=boot):
                self._present[name] = boot
                self._join_team(name, now, out)
            case Failed(name=name):
                planned = self._is_member(name)
                self._present.pop(name, None)
                if planned:
                    self._team_changed(name, now)
                    out.append(Report("agent_lost", {"agent": name}))
            case Tick():
                self._due |= now - self._solve_ns >= self._every_ns
            case Solved():
                self._solved(event, now, out)

    def _act(self, now: int, out: list[Command]) -> None:
        """Repair, solve or publish what is due, unless another planner leads."""
        if self._leadership.stands_by(now) != self._stands_by:
            self._stands_by = not self._stands_by
            self._due = not self._stands_by
            rival = self._leadership.rival
            out.append(Report("stands_by", {"leads": rival}) if self._stands_by
                       else Report("leads", {"instead_of": rival}))
        if self._stands_by:
            return
        if self._repair_due:
            self._repair(now, out)
        if self._plan.epoch and self._leadership.epoch >= self._plan.epoch:
            self._plan = msgspec.structs.replace(self._plan, epoch=self._leadership.epoch + 1)
            self._publish(now, out)
        if self._due and not self._solving and self._members():
            self._due, self._solve_ns = False, now
            problem, basis = self.problem(), (self._team, self._plan.epoch)
            solve = Solve(problem, self._plan.placements, basis, limit_churn=not self._settles(now),
                          held=self._held(now), turn=self._solves if is_large(problem) else 0)
            if solve == self._kept:
                self._publish(now, out)
            else:
                self._solving, self._asked = True, solve
                out.append(solve)
        elif self._plan.epoch and now - self._publish_ns >= self._renew_ns:
            self._publish(now, out)                  # a long solve must not cost the lease

    def problem(self) -> Problem:
        """The problem by the present knowledge."""
        return problem_of(
            self._members(), self._links, self._busy, self._records, self._plan.placements, self._foresight)

    def advert_of(self, agent: str) -> int:
        """Number of the newest advert of an agent's present boot; 0: none."""
        boot, advert = self._adverts.get(agent, (0, None))
        return advert.number if advert is not None and boot == self._present.get(agent) else 0

    def statistics(self) -> PlannerStatistics:
        return PlannerStatistics(
            len(self._members()), self._solves, self._refinements, self._adopted, self._stale, self._plan.epoch)

    # --- the team ---

    def _heard(self, sender: str, boot: int, body: Body, now: int, out: list[Command]) -> None:
        match body:
            case Advert():
                self._advertised(sender, boot, body, now, out)
            case Heartbeat(busy_s=busy_s) | HeartbeatAck(busy_s=busy_s):
                self._busy.add_sample(sender, busy_s)
            case Feedback(links=links, streams=streams, plan=followed):
                if followed is not None:
                    self._leadership.heard(followed, self._plan.epoch, now)
                self._links.reported(sender, links, now)
                self._records.reported(sender, streams, self._adverts.get(sender))
            case _:
                pass

    def _advertised(self, sender: str, boot: int, advert: Advert, now: int, out: list[Command]) -> None:
        """Store the advert of a new agent, or a newer advert of a known one."""
        known_boot, known = self._adverts.get(sender, (0, None))
        if known is not None and known_boot == boot and advert.number <= known.number:
            return
        new = known_boot != boot or not self._is_member(sender)
        self._adverts[sender] = boot, advert
        if new:                                      # otherwise the next plan uses it, unless its board needs relief
            self._join_team(sender, now, out)
        elif self._is_member(sender):
            self._look_at_board(sender, advert, now, out)

    def _look_at_board(self, name: str, advert: Advert, now: int, out: list[Command]) -> None:
        if why := self._strains.began(name, strain(advert), now):
            self._due = True
            out.append(Report("agent_strained", {"agent": name, "why": why}))

    def _join_team(self, name: str, now: int, out: list[Command]) -> None:
        """Add an agent to the team, if it is present and its advert is known."""
        if self._is_member(name):
            self._team_changed(name, now)
            out.append(Report("agent_joined", {"agent": name}))
            self._look_at_board(name, self._adverts[name][1], now, out)

    def _team_changed(self, name: str, now: int) -> None:
        """The team has changed by this agent: discard its measurements, and make a plan due."""
        self._team += 1
        self._repair_due = self._due = True
        self._changed_ns = now
        self._moved_ns.clear()
        self._links.forget(name)
        self._records.forget(name)
        self._busy.forget(name)

    def _is_member(self, name: str) -> bool:
        known = self._adverts.get(name)
        return known is not None and self._present.get(name) == known[0]

    def _members(self) -> dict[str, Advert]:
        """The agents of the team, by name."""
        return {name: advert for name, (boot, advert) in sorted(self._adverts.items())
                if self._present.get(name) == boot}

    # --- plans ---

    def _repair(self, now: int, out: list[Command]) -> None:
        """Publish the plan without the placements that need an agent outside the team."""
        self._repair_due = False
        members = self._members()
        kept = [p for p in self._plan.placements if members.keys() >= {p.agent, *p.where}]
        gone = {name for p in self._plan.placements for name in (p.agent, *p.where)} - members.keys()
        if len(kept) < len(self._plan.placements):
            self._plan = msgspec.structs.replace(
                self._plan, epoch=max(self._plan.epoch, self._leadership.epoch) + 1, placements=kept, solver="repair",
                solve_s=0.0, why=causes.joined(causes.lost(gone)))
            self._publish(now, out)

    def _solved(self, event: Solved, now: int, out: list[Command]) -> None:
        if event.refined:
            self._refinements += 1
        else:
            self._solving = False
            self._solves += 1
        if event.basis != (self._team, self._plan.epoch) or self._leadership.stands_by(now):
            self._stale += 1
            self._due |= not event.refined
            self._solve_ended(event, "stale", out)
            return
        solution = event.solution
        if solution.failed and not solution.solver:
            out.append(Report("search_failed", {"error": solution.failed}))
            self._solve_ended(event, "kept", out)
            return
        if solution.failed:
            out.append(Report("policy_failed", {"policy": solution.solver, "error": solution.failed}))
        now_chosen = choices(solution.placements)
        moved = now_chosen.items() ^ choices(self._plan.placements).items()
        if event.refined and not self._held(now).isdisjoint(key for key, _ in moved):
            self._stale += 1                         # what it would move has moved just now
            self._solve_ended(event, "stale", out)
            return
        self._records.expect({key: (now_chosen[key], share) for key, share in solution.expected.items()
                              if key in now_chosen})
        if moved:
            if not self._settles(now):
                before = choices(self._plan.placements)
                self._moved_ns |= {key: now for key, _ in moved if key in before and key in now_chosen}
            self._adopted += 1
            assert self._asked is not None           # what is solved was asked for
            reason = causes.why(self._planned_for, self._asked.problem, causes.concerned(
                self._plan.placements, solution.placements), event.refined)
            self._planned_for = self._asked.problem
            self._plan = msgspec.structs.replace(
                self._plan, epoch=max(self._plan.epoch, self._leadership.epoch) + 1, placements=solution.placements,
                solver=solution.solver, solve_s=event.solve_s, why=reason)
            self._busy.clear()
            out.append(Report("planned", {
                "epoch": self._plan.epoch, "moved": len({key for key, _ in moved}), "solver": solution.solver,
                "on_time": round(solution.on_time, 4), "unplaced": len(solution.unplaced), "why": reason}))
        elif not event.refined:
            self._plan = msgspec.structs.replace(self._plan, placements=solution.placements)     # newer forecasts
        if not event.refined and not moved:
            self._kept = self._asked
        self._solve_ended(event, "adopted" if moved else "kept", out)
        if not event.refined or moved:
            self._publish(now, out)
        basis = (self._team, self._plan.epoch)
        if not event.refined and basis != self._refined:
            self._refined = basis
            out.append(Solve(self.problem(), self._plan.placements, basis, refine=True, held=self._held(now)))

    def _solve_ended(self, event: Solved, end: SolveEnd, out: list[Command]) -> None:
        out.append(SolveEnded(PlannerNews(
            epoch=self._plan.epoch, took_s=event.solve_s, solver=event.solution.solver, refined=event.refined, end=end,
        )))

    def _held(self, now: int) -> Held:
        """The streams (agent, name) that stay where they are."""
        return frozenset(key for key, moved_ns in self._moved_ns.items() if now - moved_ns < ns(HOLD_S))

    def _settles(self, now: int) -> bool:
        """Whether the team has just changed."""
        return now - self._changed_ns <= ns(SETTLING_S)

    def _publish(self, now: int, out: list[Command]) -> None:
        self._publish_ns = now
        out.append(Publish(self._plan))
