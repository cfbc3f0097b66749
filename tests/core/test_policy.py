"""Links, draws and routes: small deterministic parts, tested in one call each."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from swarm.core.clock import MonotonicClock, process_age_s
from swarm.core.policy import policies
from swarm.core.policy.cost import PeerView, leg_p50_s, leg_p95_s
from swarm.core.policy.draw import from_quantiles, stream, uniform
from swarm.core.policy.link import LinkEstimator, LinkQuality
from swarm.core.policy.plan import Leg, Placement, Profile, StageProfile
from swarm.core.policy.policies.split import balanced
from swarm.core.policy.route import Choice, Situation
from swarm.core.units import ns
from tests.clock import FakeClock


def profile(p50_s: float, variant: str = "int8", stages: Sequence[tuple[float, int]] = ()) -> Profile:
    """stages: share of the run time, bytes before it."""
    return Profile(
        model="m", variant=variant, p50_s=p50_s, p95_s=p50_s, memory_bytes=0, accuracy=0.9, input_bytes=10_000,
        stages=[StageProfile(p50_s * share, 2 * p50_s * share, size) for share, size in stages],
    )


def peer(name: str, p50_s: float, wait_s: float = 0.0, stages: Sequence[tuple[float, int]] = (),
         rtt_s: float = 0.002) -> PeerView:
    link = LinkQuality(rtt_s=rtt_s, bytes_per_s=1e7)
    return PeerView(name=name, profiles={"m": [profile(p50_s, stages=stages)]}, link=link, wait_s=wait_s)


class Asked(msgspec.Struct):
    """A situation in which a policy is asked."""

    policy: str
    situation: Situation


def situation(policy: str, *peers: PeerView, own_s: float = 0.05, wait_s: float = 0.0, left_s: float = 0.2,
              placement: Placement | None = None, missed: int = 0) -> Asked:
    return Asked(policy, Situation(
        home="me", model="m", left_s=left_s, own=[profile(own_s)] if own_s else [], wait_s=wait_s,
        peers={p.name: p for p in peers}, placement=placement, missed=missed,
    ))


def route(asked: Asked) -> Choice | None:
    return policies.load(asked.policy).route(asked.situation)


def placed(*where: str, variant: str = "int8", stays: bool = False) -> Placement:
    return Placement(agent="me", stream="s", variant=variant, where=list(where), stays=stays)


QUARTERS = [(0.25, 10_000), (0.25, 40_000), (0.25, 30_000), (0.25, 20_000)]
"""Four stages of one length."""


def staged(policy: str, *peers: PeerView, stages: Sequence[tuple[float, int]] = QUARTERS, left_s: float = 0.2,
           placement: Placement | None = None) -> Asked:
    """Home takes 40 ms."""
    own = [profile(0.04, stages=stages), profile(0.1, "fp32")]
    asked = situation(policy, *peers, left_s=left_s, placement=placement)
    return Asked(policy, msgspec.structs.replace(asked.situation, own=own))


def ends(choice: Choice | None) -> list[tuple[str, int, int]]:
    assert choice is not None
    return [(leg.agent, leg.first, leg.last) for leg in choice.route]


@pytest.mark.parametrize(("given", "legs_of"), [
    (staged("split:2", peer("a", 0.04, stages=QUARTERS)), [("me", 0, 2), ("a", 2, 4)]),
    (staged("split:2", peer("a", 0.04 / 3, stages=QUARTERS)), [("me", 0, 1), ("a", 1, 4)]),   # as quick as three
    (staged("split:3", peer("a", 0.04, stages=QUARTERS), peer("b", 0.03, stages=QUARTERS)),
     [("me", 0, 1), ("b", 1, 3), ("a", 3, 4)]),              # soonest first
    (staged("split:4", *(peer(n, 0.04, stages=QUARTERS) for n in "cba")),
     [("me", 0, 1), ("a", 1, 2), ("b", 2, 3), ("c", 3, 4)]),
    (staged("split:2", peer("busy", 0.001, wait_s=1.0, stages=QUARTERS), peer("z", 0.04, stages=QUARTERS)),
     [("me", 0, 2), ("z", 2, 4)]),
    (staged("split:2", peer("a", 0.04, stages=QUARTERS), left_s=0.0), [("me", 0, 2), ("a", 2, 4)]),  # in any case
    (staged("split:2"), [("me", 0, 0)]),
    (staged("split:3", peer("a", 0.04, stages=QUARTERS)), [("me", 0, 0)]),
    (staged("split:5", *(peer(n, 0.04, stages=QUARTERS) for n in "abcd")), [("me", 0, 0)]),
    (staged("split:2", peer("whole", 0.001)), [("me", 0, 0)]),
    (staged("split:2", peer("cut_elsewhere", 0.001, stages=QUARTERS[:2])), [("me", 0, 0)]),
    (staged("split:2", peer("a", 0.04, stages=QUARTERS), stages=[]), [("me", 0, 0)]),
])
def test_a_split_goes_over_home_and_the_best_peers_or_stays(given: Asked, legs_of: list) -> None:
    assert ends(route(given)) == legs_of


def test_of_splits_that_are_about_as_balanced_the_one_with_fewest_bytes_is_taken() -> None:
    nearly = [(0.24, 10_000), (0.25, 40_000), (0.02, 30_000), (0.49, 20_000)]     # 0.49 | 0.51 or 0.51 | 0.49
    assert balanced([profile(1.0, stages=nearly)] * 2) == (3,)
    assert balanced([profile(1.0, stages=QUARTERS)] * 3) == (2, 3)


@pytest.mark.parametrize(("given", "legs_of", "rule"), [
    (placed("me", "me", "a", "a"), [("me", 0, 2), ("a", 2, 4)], "planned"),
    (placed("a", "b", "b", "b"), [("a", 0, 1), ("b", 1, 4)], "planned"),
    (placed("a", "a", "a", "a"), [("a", 0, 0)], "planned"),
    (placed("a", "b", "b", "a"), [("b", 0, 0)], "soonest"),                        # an agent twice
    (placed("a", "a", "me", "me"), [("b", 0, 0)], "soonest"),                      # back home
    (placed("me", "a", "a"), [("b", 0, 0)], "soonest"),                            # of a variant with three stages
    (placed("me", "me", "me", "a", "a"), [("b", 0, 0)], "soonest"),
    (placed("me", "me", "gone", "gone"), [("b", 0, 0)], "soonest"),
    (placed("me", "a", "a", "a", variant="fp32"), [("b", 0, 0)], "soonest"),       # has no stages
])
def test_a_plan_may_lay_a_chain(given: Placement, legs_of: list, rule: str) -> None:
    peers = [peer("a", 0.04, stages=QUARTERS), peer("b", 0.01, stages=QUARTERS)]
    choice = route(staged("planner", *peers, placement=given))
    assert choice is not None
    assert (ends(choice), choice.rule) == (legs_of, rule)


def test_a_chain_is_expected_to_take_its_legs_its_waits_and_its_ways() -> None:
    peers = [peer("a", 0.08, wait_s=0.005, stages=QUARTERS), peer("b", 0.02, stages=QUARTERS, rtt_s=0.01)]
    choice = route(staged("planner", *peers, placement=placed("me", "a", "b", "b")))
    assert choice is not None
    to_a, a_to_b = 0.002 + 0.004, 0.01 + 0.003               # between peers as bad as the worse of our own links
    assert choice.way_s == pytest.approx(to_a + a_to_b)
    assert choice.predicted_s == pytest.approx(0.01 + choice.way_s + 0.005 + 0.02 + 0.01)


def test_a_leg_is_as_slow_as_its_stages_together() -> None:
    given = profile(0.04, stages=QUARTERS)
    assert leg_p50_s(given, Leg("a")) == 0.04
    assert leg_p50_s(given, Leg("a", 1, 3)) == pytest.approx(0.02)
    assert leg_p95_s(given, Leg("a", 1, 3)) == pytest.approx(0.04)


@pytest.mark.parametrize(("given", "where", "rule"), [
    (situation("local", peer("fast", 0.001)), "me", "local"),
    (situation("greedy", peer("fast", 0.001)), "fast", "soonest"),
    (situation("greedy", peer("fast", 0.001, wait_s=1.0)), "me", "local"),
    (situation("greedy", peer("b", 0.01), peer("a", 0.01)), "a", "soonest"),
    (situation("greedy", peer("same", 0.05 - 0.003)), "me", "local"),
    (situation("planner", peer("fast", 0.001), peer("slow", 0.04), placement=placed("slow")), "slow", "planned"),
    (situation("planner", peer("fast", 0.001), placement=placed("me")), "me", "planned"),
    (situation("planner", peer("fast", 0.001), placement=placed("gone")), "fast", "soonest"),
    (situation("planner", peer("fast", 0.001), placement=placed("me", variant="fp32")), "fast", "soonest"),
    (situation("planner", peer("fast", 0.001), wait_s=0.3, placement=placed("me"), missed=1), "me", "planned"),
    (situation("planner", peer("fast", 0.001), wait_s=0.3, placement=placed("me"), missed=2), "fast", "soonest"),
    (situation("planner", peer("fast", 0.001), placement=placed("me"), missed=2), "me", "planned"),
    (situation("planner", peer("fast", 0.001), placement=placed("gone"), missed=2), "fast", "soonest"),
    (situation("planner", peer("fast", 0.001), wait_s=0.3, placement=placed("me", stays=True), missed=2), "me",
     "planned"),
    (situation("planner", peer("fast", 0.001), placement=placed("gone", stays=True)), "me", "local"),
    (situation("planner", peer("fast", 0.001)), "fast", "soonest"),
    (situation("greedy", peer("fast", 0.001), own_s=0.0), "fast", "soonest"),
])
def test_routes(given: Asked, where: str, rule: str) -> None:
    choice = route(given)
    assert choice is not None
    assert (choice.agent, choice.rule) == (where, rule)


def test_no_route_where_nobody_has_the_model() -> None:
    assert route(situation("local", own_s=0.0)) is None
    assert route(situation("greedy", own_s=0.0)) is None


def test_a_route_predicts_transfer_wait_and_run() -> None:
    choice = route(situation("greedy", peer("fast", 0.010, wait_s=0.005), own_s=1.0))
    assert choice is not None
    assert choice.predicted_s == pytest.approx(0.002 + 0.001 + 0.005 + 0.010)


def test_a_link_converges_to_what_is_measured() -> None:
    link = LinkEstimator()
    for _ in range(100):
        link.round_trip(0.010)
        link.delivered(100_000, 0.100)
    assert link.quality.rtt_s == pytest.approx(0.010)
    assert link.quality.bytes_per_s == pytest.approx(1e6, rel=0.01)
    assert link.quality.transfer_s(100_000) == pytest.approx(0.110, rel=0.01)


def test_draws_depend_on_seed_and_name_alone() -> None:
    assert uniform(1, "run", "a") == uniform(1, "run", "a")
    assert len({uniform(1, "run", "a"), uniform(2, "run", "a"), uniform(1, "run", "b"), uniform(1, "runa")}) == 4
    assert stream(3, "x").random() == stream(3, "x").random()
    mean = sum(uniform(0, i) for i in range(2000)) / 2000
    assert mean == pytest.approx(0.5, abs=0.03)


def test_draws_follow_their_quantiles() -> None:
    quantiles = [1.0, 2.0, 4.0]
    assert [from_quantiles(quantiles, u) for u in (0.0, 0.25, 0.5, 0.75)] == [1.0, 1.5, 2.0, 3.0]
    assert from_quantiles(quantiles, 1.0 - 1e-12) == pytest.approx(4.0)


def test_clocks() -> None:
    clock = FakeClock()
    assert clock.advance(0.5) == ns(0.5) == clock.now_ns()
    real = MonotonicClock()
    assert real.now_ns() <= real.now_ns()
    assert process_age_s() > 0
