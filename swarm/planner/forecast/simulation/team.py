"""Turns a problem into the arrays of a simulation; a plan then only sets a few numbers of each stream."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from swarm.core.policy import draw
from swarm.core.policy.cost import by_speed, fastest, in_steps, leg_bytes, leg_p50_s, leg_p95_s, named, step_p95_s
from swarm.core.policy.plan import Leg, Placement, Profile, legs
from swarm.planner.forecast.chains import Chains
from swarm.planner.forecast.simulation.guards import START_S, TURN_S
from swarm.planner.forecast.simulation.records import (
    AGENT,
    CHEAPER,
    LEG,
    MOST_BATCH,
    NONE,
    SHED,
    STEP,
    STREAM,
    State,
    Team,
    new_state,
    rows_of,
)
from swarm.planner.forecast.simulation.requests import ladder
from swarm.planner.options.own_share import reserved
from swarm.planner.problem import Problem, StreamOf, in_turns

ENDLESS_S = 1e6
Way = tuple[int, int, int, int]      # legs [first, last), the fastest variant's on the same agent, whether it stays
NOWHERE = NONE, NONE, NONE, 0
ROUNDS = 20                          # then more urgent streams are taken to leave no time
SIDES: tuple[Literal["left"], Literal["right"]] = "left", "right"
EARLY = 10                           # due_frames.EARLY


class TeamArrays:
    """The arrays of one problem. All its streams and agents are in them, in the order of the problem."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._agents = {agent.name: n for n, agent in enumerate(problem.agents)}
        self._profiles = {agent.name: agent.profiles for agent in problem.agents}
        self._links = in_turns(problem)
        self._variants: dict[tuple[str, str, str], int] = {}
        self._batches: list[list[float]] = []
        self._batched = np.zeros((0, MOST_BATCH))            # when last asked, and a row of none
        self._legs: list[tuple[float, ...]] = []             # those after the legs on peers
        self._is_whole: list[bool] = []                      # whether the leg is a whole run
        self._steps: list[tuple[float, float]] = []
        self._known: dict[tuple[object, ...], int] = {}
        self._ways: dict[tuple[object, ...], Way] = {}
        self._sorted: dict[tuple[str, str], list[Profile]] = {}          # by agent and model
        self._step_rows = np.zeros(0, STEP)                  # of the legs known when last asked
        self._runs: dict[tuple[object, ...], tuple[float, ...]] = {}     # what is the same of a leg for all streams
        self._numbers = {stream.key: n for n, stream in enumerate(problem.streams)}
        self._owned: dict[str, list[tuple[int, StreamOf]]] = {agent: [] for agent in self._agents}
        for n, stream in enumerate(problem.streams):
            self._owned[stream.agent].append((n, stream))
        self._leg_rows, self._others = self._describe_peers()            # the legs known when last asked; see there
        self._first, self._whole_rows = len(self._leg_rows), np.ones(len(self._leg_rows), bool)
        self._streams = np.zeros(len(problem.streams), STREAM)
        self.chains = Chains(problem.streams)
        self.chains.write(self._streams)
        for n, stream in enumerate(problem.streams):
            self._describe(n, stream)
        self._agent_rows, self._ladders = self._describe_agents()
        self._streams["above_s"] = [self._above_s(n, stream) for n, stream in enumerate(problem.streams)]

    def ways(self, placements: Sequence[Placement]) -> NDArray[np.int64]:
        """The way of each stream. A stream without a placement runs wherever it is expected soonest."""
        ways: list[Way] = [NOWHERE] * len(self._streams)
        for placement in placements:
            n = self._numbers.get((placement.agent, placement.stream))
            if n is not None:
                ways[n] = self.way(n, placement)
        return np.array(ways, np.int64).reshape(-1, 4)

    def team(self, ways: NDArray[np.int64]) -> Team:
        """The team with these ways of its streams."""
        streams = self._streams.copy()
        streams["first"], streams["last"], streams["cheap"], streams["stays"] = ways.T
        return Team(
            streams, self._in_steps(streams), self._step_rows, self._agent_rows, self._ladders, self._batch_rows())

    def changed(self, team: Team, changes: Mapping[int, Way]) -> Team:
        """A team in which some streams have other ways. Whether runs go in steps stays as it is."""
        streams = team.streams.copy()
        for n, way in changes.items():
            row = streams[n]
            row["first"], row["last"], row["cheap"], row["stays"] = way
        rows, steps, batches_s = team.legs, team.steps, team.batches_s
        if self._first + len(self._legs) > len(rows):
            rows = np.concatenate([rows, rows_of(self._legs[len(rows) - self._first:], LEG)])
            steps = np.concatenate([steps, rows_of(self._steps[len(steps):], STEP)])
            batches_s = self._batch_rows()
        return team._replace(streams=streams, legs=rows, steps=steps, batches_s=batches_s)

    def _batch_rows(self) -> NDArray[np.float64]:
        if len(self._batched) <= len(self._batches):
            self._batched = np.array([*self._batches, [0.0] * MOST_BATCH])
        return self._batched

    def way(self, n: int, placement: Placement) -> Way:
        """The way of a placement of a stream."""
        key = (n, placement.stays, placement.variant, *placement.where)
        if key not in self._ways:
            self._ways[key], stream = NOWHERE, self._problem.streams[n]
            if self._can_run(stream, placement):
                route, cheap = legs(placement.where), NONE
                first, last = self._route(stream, placement.variant, route)
                own = fastest(self._of(placement.where[0], stream.spec.model)) if route[0].whole else None
                if own is not None:
                    cheap = self._route(stream, own.variant, route)[0]
                self._ways[key] = first, last, cheap, int(placement.stays)
        return self._ways[key]

    def _in_steps(self, streams: NDArray[np.void]) -> NDArray[np.void]:
        """The legs. Whole runs go in steps where their agent has loaded the stages of the variant, for a run of it that
        more urgent work may have to preempt; the others do not."""
        known = len(self._leg_rows) - self._first
        if known < len(self._legs) or len(self._step_rows) < len(self._steps):
            self._leg_rows = np.concatenate([self._leg_rows, rows_of(self._legs[known:], LEG)])
            self._step_rows = np.concatenate([self._step_rows, rows_of(self._steps[len(self._step_rows):], STEP)])
            self._whole_rows = np.concatenate([self._whole_rows, np.array(self._is_whole[known:], bool)])
        rows = self._leg_rows.copy()
        urgent = np.full(len(self._agents), np.iinfo(np.int64).min)
        np.maximum.at(urgent, streams["owner"], streams["priority"])
        count = np.where(streams["first"] == NONE, 0, streams["last"] - streams["first"])
        leg = np.repeat(streams["first"] - (np.cumsum(count) - count), count) + np.arange(count.sum())
        has_home = streams["home"] != NONE
        leg = np.concatenate([leg, streams["home"][has_home]])
        priority = np.concatenate([np.repeat(streams["priority"], count), streams["priority"][has_home]])
        np.maximum.at(urgent, rows["agent"][leg], priority)
        staged = np.zeros(len(self._batches) + 1, bool)
        staged[rows["variant"][leg[priority < urgent[rows["agent"][leg]]]]] = True
        whole = (rows["whole"] == 0) & ~staged[rows["variant"]] & self._whole_rows
        rows["step"][whole] += rows["steps"][whole]          # the step of the whole run follows those of its stages
        rows["steps"][whole] = rows["whole"][whole] = 1
        rows["longest_s"][whole] = rows["p95_s"][whole]
        return rows

    def state(self, horizon_s: float) -> State:
        """A state that is large enough for any simulation of this team up to this horizon."""
        requests = sum(ceil(self._problem.streams[n].spec.rate_hz * horizon_s) + 2 for n in self.chains.root)
        executors = max((agent.executors for agent in self._problem.agents), default=1)
        return new_state(len(self._streams), len(self._agents), executors, len(self._links) + 1, requests)

    # --- streams ---

    def _describe(self, n: int, stream: StreamOf) -> None:
        spec, row = stream.spec, self._streams[n]
        owner = self._agents[stream.agent]
        row["key"] = _key(stream.agent, spec.name)
        row["owner"], row["priority"], row["period_s"], row["deadline_s"] = (
            owner, spec.priority, 1.0 / spec.rate_hz, spec.deadline_s)
        row["camera_s"] = min(1.0 / other.spec.rate_hz for _, other in self._owned[stream.agent])
        row["level"] = self._levels(stream.agent).index(spec.priority)
        own = fastest(self._of(stream.agent, spec.model))
        row["home"] = NONE
        if own is not None:
            row["home"] = self._route(stream, own.variant, [Leg(stream.agent)])[0]
            row["can_hold"] = own.p95_s <= spec.deadline_s
        row["others"], row["others_end"] = self._others[stream.agent, spec.model]

    def _describe_peers(self) -> tuple[NDArray[np.void], dict[tuple[str, str], tuple[int, int]]]:
        """The legs of the fastest variant on each peer, and where those of an owner and a model are: [first, end)."""
        agents, every = self._problem.agents, self._agents
        links = np.array(sorted(
            (every[owner], every[peer], self._links[owner, peer], link.bytes_per_s, link.rtt_s)
            for (owner, peer), link in self._problem.links.items() if owner in every and peer in every)).reshape(-1, 5)
        owner, peer, number = links[:, :3].astype(np.int64).T
        legs, places = np.zeros(0, LEG), dict[tuple[str, str], tuple[int, int]]()
        for model in sorted({stream.spec.model for stream in self._problem.streams}):
            own = [fastest(self._of(agent.name, model)) for agent in agents]
            runs = np.zeros(len(agents), LEG)
            for n, profile in enumerate(own):
                if profile is not None:
                    runs[n] = (*self._run(profile, Leg(agents[n].name)), 0, profile.input_bytes, 0, 0)
            there = np.array([profile is not None for profile in own], bool)[peer]
            rows = runs[peer[there]]
            rows["link"], rows["send_s"] = number[there], rows["send_s"] / links[there, 3]
            rows["delay_s"] = rows["back_s"] = links[there, 4] / 2
            first, end = (len(legs) + np.searchsorted(owner[there], range(len(agents)), side) for side in SIDES)
            places |= {(agent.name, model): (int(first[n]), int(end[n])) for n, agent in enumerate(agents)}
            legs = np.concatenate([legs, rows])
        return legs, places

    def _of(self, agent: str, model: str) -> list[Profile]:
        key = agent, model
        if key not in self._sorted:
            self._sorted[key] = by_speed(profile for profile in self._profiles[agent] if profile.model == model)
        return self._sorted[key]

    def _levels(self, agent: str) -> list[int]:
        return sorted({stream.spec.priority for _, stream in self._owned[agent]})

    def _can_run(self, stream: StreamOf, placement: Placement) -> bool:
        """Whether all agents are there, with the variant, and with links to them."""
        return all(
            leg.agent in self._agents and named(self._of(leg.agent, stream.spec.model), placement.variant) is not None
            and (leg.agent == stream.agent or (stream.agent, leg.agent) in self._links)
            for leg in legs(placement.where))

    def _route(self, stream: StreamOf, variant: str, route: Sequence[Leg]) -> tuple[int, int]:
        """The numbers [first, last) of these legs."""
        key = (stream.key, variant, *((leg.agent, leg.first, leg.last) for leg in route))
        if key not in self._known:
            self._known[key] = self._first + len(self._legs)
            before = stream.agent
            for leg in route:
                profile = named(self._of(leg.agent, stream.spec.model), variant)
                assert profile is not None           # `_can_run`
                self._append(stream, profile, leg, before)
                before = leg.agent
        return self._known[key], self._known[key] + len(route)

    def _append(self, stream: StreamOf, profile: Profile, leg: Leg, before: str) -> None:
        """Add a leg, whose input comes from the agent `before`."""
        size, link, back = leg_bytes(profile, leg), None, None
        if leg.agent != before:
            link = self._problem.links.get((before, leg.agent)) or self._problem.links[stream.agent, leg.agent]
        if leg.agent != stream.agent:
            back = self._problem.links[stream.agent, leg.agent]
        self._legs.append((
            *self._run(profile, leg), self._links.get((before, leg.agent), len(self._links)),
            size / link.bytes_per_s if link else 0.0, link.rtt_s / 2 if link else 0.0, back.rtt_s / 2 if back else 0.0,
        ))
        self._is_whole.append(leg.whole)

    def _run(self, profile: Profile, leg: Leg) -> tuple[float, ...]:
        """Of a leg: its agent, variant, steps and times."""
        key = leg.agent, leg.first, leg.last, profile.model, profile.variant
        if key not in self._runs:
            steps = [(profile.p50_s, profile.p95_s)]
            if in_steps(profile, leg):
                steps = [(s.p50_s, s.p95_s) for s in profile.stages[leg.first:leg.last or None]]
            p50_s, p95_s = leg_p50_s(profile, leg), leg_p95_s(profile, leg)
            self._runs[key] = (
                self._agents[leg.agent], self._variant(leg.agent, profile), len(self._steps), len(steps),
                not in_steps(profile, leg), p50_s, p95_s, max(p95_s, sum(step_s for _, step_s in steps)),
                step_p95_s(profile, leg))
            self._steps += steps
            if len(steps) > 1:
                self._steps.append((p50_s, p95_s))
        return self._runs[key]

    def _variant(self, agent: str, profile: Profile) -> int:
        key = agent, profile.model, profile.variant
        if key not in self._variants:
            self._variants[key] = len(self._batches)
            together = profile.batch_s if not in_steps(profile, Leg(agent)) else []
            self._batches.append([*together, *[0.0] * (MOST_BATCH - len(together))])
        return self._variants[key]

    # --- agents ---

    def _describe_agents(self) -> tuple[NDArray[np.void], NDArray[np.void]]:
        rows, ladders = np.zeros(len(self._agents), AGENT), [(CHEAPER, 0, 1)]
        kept = reserved(self._problem)
        for n, agent in enumerate(self._problem.agents):
            rows[n]["key"], rows[n]["executors"] = _key(agent.name), agent.executors
            rows[n]["reserved_s"] = kept[agent.name]
            levels = len(self._levels(agent.name))
            rows[n]["ladder"], rows[n]["levels"] = len(ladders), levels
            if levels:
                ladders += ladder(levels)
            rows[n]["ladder_end"] = len(ladders)
        return rows, rows_of(ladders, SHED)

    def _above_s(self, n: int, stream: StreamOf) -> float:
        """The most time of the robot's more urgent streams while a fallback of this one is done, without aborts.
        See `agents/scheduling/queue/interference.py`."""
        home, priority = int(self._streams[n]["home"]), stream.spec.priority
        above = [(self._legs[own - self._first][6], other.spec.deadline_s, 1.0 / other.spec.rate_hz)
                 for k, other in self._owned[stream.agent]
                 if other.spec.priority > priority and (own := int(self._streams[k]["home"])) != NONE]
        if not above or home == NONE:
            return 0.0
        window_s = self._legs[home - self._first][6] + TURN_S + START_S
        total_s = 0.0
        for _ in range(ROUNDS):
            more_s = 0.0
            for run_s, deadline_s, period_s in above:
                jitter_s = max(0.0, deadline_s - run_s) + period_s / EARLY
                more_s += (run_s + TURN_S) * ceil((window_s + total_s + jitter_s) / period_s)
            if more_s <= total_s:
                return total_s
            total_s = more_s
        return ENDLESS_S


def _key(*names: str) -> int:
    return int(2**32 * draw.uniform(0, "simulation", *names))
