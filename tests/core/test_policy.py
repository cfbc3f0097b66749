"""Leases, links, draws and routes: small deterministic parts, tested in one call each."""

from __future__ import annotations

import pytest

from swarm.core.clock import FakeClock, MonotonicClock, ns, process_age_s
from swarm.core.cost import PeerView
from swarm.core.draw import from_quantiles, stream, uniform
from swarm.core.lease import GHOST_LEASES, Leases
from swarm.core.link import LinkEstimator, LinkQuality
from swarm.core.plan import Placement, Profile
from swarm.core.route import Situation, route


def profile(p50_s: float, variant: str = "int8") -> Profile:
    return Profile(
        model="m", variant=variant, p50_s=p50_s, p95_s=p50_s, memory_bytes=0, accuracy=0.9, input_bytes=10_000
    )


def peer(name: str, p50_s: float, wait_s: float = 0.0) -> PeerView:
    link = LinkQuality(rtt_s=0.002, bytes_per_s=1e7)
    return PeerView(name=name, profiles={"m": [profile(p50_s)]}, link=link, wait_s=wait_s)


def situation(policy: str, *peers: PeerView, own_s: float = 0.05, wait_s: float = 0.0, left_s: float = 0.2,
              placement: Placement | None = None) -> Situation:
    return Situation(
        home="me", policy=policy, model="m", left_s=left_s, own=[profile(own_s)] if own_s else [], wait_s=wait_s,
        peers={p.name: p for p in peers}, placement=placement,
    )


def placed(where: str, variant: str = "int8") -> Placement:
    return Placement(agent="me", stream="s", variant=variant, where=[where])


@pytest.mark.parametrize(("given", "where", "rule"), [
    (situation("local", peer("fast", 0.001)), "me", "local"),
    (situation("greedy", peer("fast", 0.001)), "fast", "soonest"),
    (situation("greedy", peer("fast", 0.001, wait_s=1.0)), "me", "local"),
    (situation("greedy", peer("b", 0.01), peer("a", 0.01)), "a", "soonest"),
    (situation("greedy", peer("same", 0.05 - 0.003)), "me", "local"),
    (situation("planner", peer("fast", 0.001), peer("slow", 0.04), placement=placed("slow")), "slow", "planned"),
    (situation("planner", peer("fast", 0.001), placement=placed("me")), "me", "planned"),
    (situation("planner", peer("fast", 0.001), placement=placed("gone")), "fast", "soonest"),
    (situation("planner", peer("fast", 0.001), placement=placed("me", "fp32")), "fast", "soonest"),
    (situation("planner", peer("fast", 0.001), wait_s=0.3, placement=placed("me")), "fast", "soonest"),
    (situation("planner", peer("fast", 0.001)), "fast", "soonest"),
    (situation("greedy", peer("fast", 0.001), own_s=0.0), "fast", "soonest"),
])
def test_routes(given: Situation, where: str, rule: str) -> None:
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


def test_a_lease_is_renewed_ends_and_comes_back() -> None:
    leases = Leases(length_ns=10)
    assert leases.heard("a", boot=1, now=0)
    assert not leases.heard("a", boot=1, now=5)
    assert leases.alive("a", 14)
    assert leases.expire(15) == ["a"]
    assert not leases.alive("a", 15)
    assert leases.heard("a", boot=1, now=16)


def test_an_older_boot_is_no_ghost() -> None:
    leases = Leases(length_ns=10)
    leases.heard("a", boot=2, now=0)
    assert not leases.heard("a", boot=1, now=1)
    assert leases.boot("a") == 2
    assert leases.expire(10) == ["a"]
    assert not leases.heard("a", boot=1, now=11)
    assert not leases.alive("a", 11)
    assert leases.heard("a", boot=3, now=12)
    assert leases.heard("a", boot=1, now=12 + GHOST_LEASES * 10)     # its clock was set back, and it is no ghost


def test_a_link_converges_to_what_is_measured() -> None:
    link = LinkEstimator()
    for _ in range(100):
        link.round_trip(0.010)
        link.transfer(100_000, 0.110)
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
