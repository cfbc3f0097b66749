"""The simulation of a team: cases that can be counted by hand, and the rules that it shares with the agents."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import pytest

from agents.scheduling import admission_budget, due_frames, load_shedding, offloads, peer_requests
from agents.scheduling.queue import margins, preemption, queued_run, run_queue
from swarm.core.policy import cost
from swarm.core.policy.link import LinkQuality
from swarm.core.policy.plan import MOST_AT_ONCE, Placement, Profile, StageProfile
from swarm.core.units import seconds
from swarm.membership import view
from swarm.planner.forecast.simulation import executors, guards, queue, records, requests, routing, simulate, team
from swarm.planner.forecast.simulation.outcome import Outcome, Simulator, StreamOutcome
from swarm.planner.problem import AgentInfo, Problem, StreamOf
from tests.planner.builders import profile, stream

PHASES = 12
AGE_S = sum(simulate.AGE_S) / 2
HANDOFFS_S = 2 * executors.HANDOFF_S


def link(rtt_s: float = 0.010, bytes_per_s: float = 1e7) -> LinkQuality:
    return LinkQuality(rtt_s=rtt_s, bytes_per_s=bytes_per_s, samples=10)


def at(agent: str, name: str, *where: str, variant: str = "fp32") -> Placement:
    return Placement(agent=agent, stream=name, variant=variant, where=list(where))


def steady(model: str, ms: float, stages: int = 0, **more: object) -> Profile:
    """Nineteen of twenty runs take about this long; the others up to 45 % longer, as `run_s` says."""
    plain = profile(model, ms, stages=stages)
    return msgspec.structs.replace(plain, p95_s=plain.p50_s, stages=[
        StageProfile(s.p50_s, s.p50_s, s.input_bytes) for s in plain.stages], **more)


def agent(name: str, *profiles: Profile, executors: int = 1, own_share: float = 0.0) -> AgentInfo:
    return AgentInfo(name=name, profiles=profiles, executors=executors, own_share=own_share)


def outcome(
    agents: Sequence[AgentInfo], streams: Sequence[StreamOf], placements: Sequence[Placement],
    links: dict[tuple[str, str], LinkQuality] | None = None, phases: int = PHASES,
) -> Outcome:
    problem = Problem(agents=tuple(agents), streams=tuple(streams), links=links or {})
    return Simulator(problem).outcome(placements, phases)


def only(made: Outcome) -> StreamOutcome:
    (one,) = made.streams
    return one


def test_a_stream_alone_takes_its_age_its_run_and_two_hand_offs() -> None:
    one = only(outcome([agent("a", steady("m", 40))], [stream("a", "s", "m", 5.0, 0.1, 0)], [at("a", "s", "a")]))
    assert (one.on_time, one.low, one.high, one.away) == (1.0, 1.0, 1.0, 0.0)
    assert one.p50_s == pytest.approx(AGE_S + HANDOFFS_S + 0.040, abs=0.003)
    assert one.mean_s == pytest.approx(one.p50_s, abs=0.003)


def test_a_run_that_is_longer_than_its_deadline_is_never_in_time() -> None:
    one = only(outcome([agent("a", steady("m", 120))], [stream("a", "s", "m", 2.0, 0.1, 0)], [at("a", "s", "a")]))
    assert one.on_time == 0.0
    assert one.mean_s == 0.0                         # what cannot be in time is not begun


def test_transfers_of_one_airtime_take_turns_also_between_different_robots() -> None:
    robots = [agent("c", steady("m", 5), executors=2), *(agent(name, steady("m", 900)) for name in "ab")]
    streams = [stream(name, "s", "m", 10.0, 0.5, 0) for name in "ab"]
    links = {pair: link(0.010, 300_000.0) for pair in (("a", "c"), ("b", "c"))}           # 69 ms a transfer
    plan = [at("a", "s", "c"), at("b", "s", "c")]
    apart = Problem(agents=tuple(robots), streams=tuple(streams), links=links)
    shared = msgspec.structs.replace(apart, airtimes=dict.fromkeys(links, "hall"))
    other = msgspec.structs.replace(apart, airtimes={("a", "c"): "hall", ("b", "c"): "yard"})
    made = [[one.on_time for one in Simulator(problem).outcome(plan, PHASES).streams]
            for problem in (apart, other, shared)]
    assert made[0] == made[1] == [1.0, 1.0]
    assert max(made[2]) < 0.5                        # 138 ms of transfers are due in each 100 ms: the queue grows


def test_an_offload_takes_its_transfer_and_the_way_back() -> None:
    sent = 0.010 + 20_736 / 1e6
    one = only(outcome(
        [agent("a", steady("m", 400)), agent("b", steady("m", 40))], [stream("a", "s", "m", 2.0, 0.3, 0)],
        [at("a", "s", "b")], {("a", "b"): link(0.010, 1e6)}))
    assert (one.on_time, one.away) == (1.0, 1.0)
    assert one.p50_s == pytest.approx(AGE_S + sent + HANDOFFS_S + 0.040, abs=0.004)


def test_a_less_urgent_stream_waits_for_the_urgent_one_of_the_same_camera() -> None:
    both = outcome([agent("a", steady("m", 30))], [stream("a", "high", "m", 5.0, 0.1, 1),
                                                    stream("a", "low", "m", 5.0, 0.1, 0)], [])
    high, low = both.streams
    assert low.p50_s - high.p50_s == pytest.approx(0.030 + HANDOFFS_S, abs=0.006)
    assert (high.on_time, low.on_time) == (1.0, 1.0)


def test_newest_wins_and_load_is_shed_beyond_saturation() -> None:
    """10 frames a second of 150 ms each: every second one runs, since the robot thins the stream; at best 6.7 would."""
    one = only(outcome([agent("a", steady("m", 150))], [stream("a", "s", "m", 10.0, 0.5, 0)], [at("a", "s", "a")]))
    assert 0.48 < one.on_time < 0.667
    assert one.p95_s < 0.5


def test_two_robots_phases_decide_at_a_peer_that_serves_one_of_them_at_a_time() -> None:
    """50 ms each, 60 ms to spare before the deadline: the later one is late, by phase in none or in all of its frames.
    """
    agents = [agent("a"), agent("b"), agent("c", steady("m", 50))]
    links = {(one, "c"): link() for one in "ab"}
    streams = [stream(one, "s", "m", 5.0, 0.09, 0) for one in "ab"]
    first, other = outcome(agents, streams, [at("a", "s", "c"), at("b", "s", "c")], links, 40).streams
    for one in (first, other):
        assert one.low < 0.1
        assert one.high == 1.0
    # the other's frame must be 200 ms apart modulo its 50 ms run: late in about a quarter of the phases
    assert first.on_time + other.on_time == pytest.approx(2.0 - 0.25, abs=0.2)


def test_a_guard_keeps_what_a_peer_cannot_give_in_time() -> None:
    """The peer is kept busy by its own urgent stream, which it says too late: the fallback at home is in time."""
    agents = [agent("a", steady("m", 60)), agent("b", steady("m", 30), steady("long", 450))]
    streams = [stream("a", "s", "m", 2.0, 0.3, 0), stream("b", "own", "long", 2.0, 0.5, 5)]
    s, own = outcome(agents, streams, [at("a", "s", "b"), at("b", "own", "b")], {("a", "b"): link()}).streams
    assert s.on_time > 0.98
    assert own.on_time > 0.85                        # one run in twenty is too long


def test_a_peer_refuses_what_its_own_streams_need() -> None:
    """Half of the peer is its own: of 2 x 400 ms a second that are asked of it, it takes 500 ms."""
    asked = [agent("a"), agent("b", steady("m", 400), own_share=0.5)]
    streams = [stream("a", "s", "m", 2.0, 0.9, 0), stream("b", "own", "m", 1.25, 0.8, 1)]
    s, own = outcome(asked, streams, [at("a", "s", "b"), at("b", "own", "b")], {("a", "b"): link()}).streams
    assert own.on_time > 0.95
    assert s.on_time < 0.75


def test_a_long_run_in_steps_lets_urgent_work_pass_and_a_whole_one_does_not() -> None:
    def urgent(stages: int) -> float:
        agents = [agent("a", steady("fast", 10), steady("slow", 240, stages))]
        streams = [stream("a", "high", "fast", 5.0, 0.06, 1), stream("b", "low", "slow", 1.0, 0.9, 0)]
        return outcome([*agents, agent("b")], streams, [at("a", "high", "a"), at("b", "low", "a")],
                       {("b", "a"): link()}).streams[0].on_time

    assert urgent(8) > 0.99
    assert urgent(8) >= urgent(0)


def test_requests_in_a_batch_share_its_time() -> None:
    """Four requests of one instant, 40 ms each alone and 60 ms together: all are back after one batch and a run."""
    batch = steady("m", 40, batch_s=[0.040, 0.048, 0.054, 0.060])
    streams = [stream("a", f"s{k}", "m", 2.0, 0.5, 0) for k in range(4)]
    together = outcome([agent("a", batch)], streams, [at("a", f"s{k}", "a") for k in range(4)])
    alone = outcome([agent("a", steady("m", 40))], streams, [at("a", f"s{k}", "a") for k in range(4)])
    assert max(one.p95_s for one in together.streams) < max(one.p95_s for one in alone.streams) - 0.03


def test_two_executors_serve_two_at_once() -> None:
    streams = [stream("a", f"s{k}", "m", 5.0, 0.1, 0) for k in range(2)]
    placements = [at("a", f"s{k}", "a") for k in range(2)]
    one = outcome([agent("a", steady("m", 60))], streams, placements)
    two = outcome([agent("a", steady("m", 60), executors=2)], streams, placements)
    assert min(s.on_time for s in two.streams) == 1.0
    assert sum(s.on_time for s in one.streams) < 1.6


def test_a_chain_runs_its_stages_one_after_the_other() -> None:
    agents = [agent("a", steady("m", 200, 4)), agent("b", steady("m", 100, 4))]
    one = only(outcome(agents, [stream("a", "s", "m", 1.0, 0.5, 0)], [at("a", "s", "a", "b", "b", "b")],
                       {("a", "b"): link(0.010, 1e7)}))
    assert (one.on_time, one.away) == (1.0, 1.0)
    assert one.p50_s == pytest.approx(AGE_S + 0.050 + 0.075 + 0.010 + 0.002 + 2 * HANDOFFS_S, abs=0.01)


def test_a_stream_without_a_place_runs_where_it_is_soonest() -> None:
    agents = [agent("a", steady("m", 200)), agent("b", steady("m", 20))]
    one = only(outcome(agents, [stream("a", "s", "m", 2.0, 0.3, 0)], [], {("a", "b"): link()}))
    assert one.away == 1.0


def test_a_stream_that_stays_leaves_its_plan_for_home_only() -> None:
    """The peer refuses what it cannot do in time; another one could, but a stream that stays does not ask it."""
    agents = [agent("a", steady("m", 400)), agent("b", steady("m", 500)), agent("c", steady("m", 40))]
    links = {("a", "b"): link(), ("a", "c"): link()}
    plan = at("a", "s", "b")
    shares = [only(outcome(agents, [stream("a", "s", "m", 10.0, 0.3, 0)], [one], links)).on_time
              for one in (plan, msgspec.structs.replace(plan, stays=True))]
    assert shares[0] > 0.5
    assert shares[1] == 0.0


def test_two_transfers_share_a_link() -> None:
    """Two frames of one picture, 100 ms each on one link: the one that is sent second, by turns, comes 100 ms later."""
    agents = [agent("a"), agent("b", steady("m", 5), executors=2)]
    streams = [stream("a", f"s{k}", "m", 1.0, 0.4, 0) for k in range(2)]
    way = {("a", "b"): link(0.0, 207_360.0)}
    both = outcome(agents, streams, [at("a", f"s{k}", "b") for k in range(2)], way)
    alone = only(outcome(agents, streams[:1], [at("a", "s0", "b")], way))
    assert [one.p95_s - alone.p95_s for one in both.streams] == pytest.approx([0.1, 0.1], abs=0.03)


def test_the_same_plan_has_the_same_outcome_and_phases_are_those_of_the_names() -> None:
    agents = [agent("a", steady("m", 30)), agent("b", steady("m", 30))]
    streams = [stream("a", "s", "m", 5.0, 0.1, 0), stream("b", "t", "m", 5.0, 0.05, 0)]
    links = {("a", "b"): link(), ("b", "a"): link()}
    placements = [at("a", "s", "b"), at("b", "t", "b")]
    first = outcome(agents, streams, placements, links)
    assert first.streams == outcome(agents, streams, placements, links).streams
    turned = outcome(agents[::-1], streams[::-1], placements, links)
    assert [one.on_time for one in turned.streams[::-1]] == [one.on_time for one in first.streams]


def test_guards_that_are_armed_again_and_again_have_one_event_each() -> None:
    """Each new promise moves those of others. With an event for each move there was no room for them."""
    problem = Problem(
        agents=(agent("a", steady("m", 20)), agent("b", steady("m", 120))),
        streams=(stream("a", "s", "m", 10.0, 9.0, 0),), links={("a", "b"): link(), ("b", "a"): link()})
    simulator = Simulator(problem)
    simulator.outcome([at("a", "s", "b")], PHASES)
    assert simulator.overflows == 0


def test_an_empty_team_has_no_outcome() -> None:
    assert outcome([], [], []).streams == []
    assert outcome([agent("a")], [stream("a", "s", "m", 5.0, 0.1, 0)], []).streams[0].on_time == 0.0


def test_its_figures_are_those_of_the_agents() -> None:
    """The planner may not import the agents' rules, so the figures are there twice."""
    assert pytest.approx(seconds(margins.TURN_NS)) == guards.TURN_S
    assert pytest.approx(seconds(margins.START_NS)) == guards.START_S
    assert pytest.approx(seconds(margins.HANDOFF_NS)) == executors.HANDOFF_S
    assert executors.ABORT_S == margins.ABORT_S
    assert executors.MOST_ABORTS == preemption.MAX_STAGE_ABORTS
    assert executors.LONG_S == cost.LONG_S
    assert pytest.approx(seconds(run_queue.AGING_NS)) == queue.AGING_S
    assert pytest.approx(seconds(queued_run.GRACE_NS)) == simulate.GRACE_S
    assert queue.BEAT_S == view.HEARTBEAT_S
    assert routing.BACKOFF_S == offloads.BACKOFF_S
    assert routing.MOST_FOR_PEERS == peer_requests.QUEUE_BOUND
    assert routing.BURST_S == admission_budget.BURST_S
    assert team.EARLY == due_frames.EARLY
    assert pytest.approx(seconds(load_shedding.WINDOW_NS)) == requests.WINDOW_S
    assert (load_shedding.MISS_SHARE, load_shedding.MIN_MISSES) == (requests.MISS_SHARE, requests.MIN_MISSES)
    assert [seconds(load_shedding.CALM_NS), seconds(load_shedding.MAX_CALM_NS)] == pytest.approx(
        [requests.CALM_S, requests.MAX_CALM_S])
    assert pytest.approx(seconds(load_shedding.PROBE_NS)) == requests.PROBE_S
    assert records.MOST_BATCH == MOST_AT_ONCE


def chain(*deadlines_s: float, rate_hz: float = 2.0) -> list[StreamOf]:
    """Streams `s0`, `s1`, ... of one robot. Each looks at the outcomes of the one before, and is less urgent."""
    made: list[StreamOf] = []
    for n, deadline_s in enumerate(deadlines_s):
        one = stream("a", f"s{n}", f"m{n}", rate_hz, deadline_s, len(deadlines_s) - n)
        made.append(msgspec.structs.replace(one, spec=msgspec.structs.replace(
            one.spec, source=f"s{n - 1}" if n else "camera")))
    return made


def test_a_stream_that_looks_at_anothers_outcomes_begins_with_them_and_its_deadline_counts_from_the_frame() -> None:
    a = agent("a", steady("m0", 40), steady("m1", 30), steady("m2", 20), executors=3)
    plan = [at("a", f"s{n}", "a") for n in range(3)]
    first, second, third = outcome([a], chain(0.1, 0.2, 0.2), plan).streams
    assert [one.on_time for one in (first, second, third)] == [1.0, 1.0, 1.0]
    assert second.p50_s == pytest.approx(first.p50_s + 0.030 + HANDOFFS_S, abs=0.001)
    assert third.p50_s == pytest.approx(second.p50_s + 0.020 + HANDOFFS_S, abs=0.001)
    # 7 ms of age, 40 and 30 ms of runs: 75 ms hold for the first alone
    first, second, _ = outcome([a], chain(0.1, 0.075, 0.2), plan).streams
    assert (first.on_time, second.on_time < 0.3) == (1.0, True)


def test_a_stream_whose_source_has_no_outcome_misses_as_many() -> None:
    """120 ms are never in time for the source, so that nothing falls due for the other one but its misses."""
    a = agent("a", steady("m0", 120), steady("m1", 10))
    first, second = outcome([a], chain(0.1, 0.5), [at("a", "s0", "a"), at("a", "s1", "a")]).streams
    assert (first.on_time, second.on_time, second.mean_s) == (0.0, 0.0, 0.0)


def test_of_some_streams_alone_a_source_is_simulated_with_its_own() -> None:
    one = agent("a", steady("m0", 40), steady("m1", 30))
    simulator = Simulator(Problem(agents=(one,), streams=tuple(chain(0.1, 0.2)), links={}))
    plan = [at("a", "s0", "a"), at("a", "s1", "a")]
    ways = np.array([simulator.way(n, one) for n, one in enumerate(plan)])
    (alone,) = simulator.local(ways).outcomes(np.array([1]), [{}], PHASES, 0)
    both = simulator.outcome(plan, PHASES)
    assert only(alone).p50_s == pytest.approx(both.streams[1].p50_s, abs=0.001)
