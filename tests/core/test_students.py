"""Routes among a family: accuracy is kept where time allows, and a student runs where its teacher would be late."""

from __future__ import annotations

import msgspec
import pytest

from swarm.core.policy import policies
from swarm.core.policy.cost import PeerView, by_speed, faithful, usual
from swarm.core.policy.link import LinkQuality
from swarm.core.policy.plan import Placement, Profile
from swarm.core.policy.route import Situation, cheaper


def form(variant: str, p50_s: float, network: float) -> Profile:
    return Profile(model="m", variant=variant, p50_s=p50_s, p95_s=1.5 * p50_s, memory_bytes=0, accuracy=network - 0.005,
                   input_bytes=1000, network_accuracy=network)


FAMILY = by_speed([
    form("fp32", 0.3, 0.94), form("int8", 0.1, 0.94), form("student", 0.04, 0.93), form("small", 0.01, 0.9)])


def situation(left_s: float, wait_s: float = 0.0, peer: list[Profile] | None = None, peer_wait_s: float = 0.0,
              **more: object) -> Situation:
    peers = {"p": PeerView(name="p", profiles={"m": peer}, link=LinkQuality(rtt_s=0.002, bytes_per_s=1e7),
                           wait_s=peer_wait_s)} if peer else {}
    return Situation(home="me", model="m", left_s=left_s, own=FAMILY, wait_s=wait_s, peers=peers,
                     **{"placement": None} | more)    # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(("left_s", "wait_s", "variant"), [
    (1.0, 0.0, "int8"),              # the fastest form of the teacher, though there is time for fp32
    (0.16, 0.0, "int8"), (0.14, 0.0, "student"), (0.16, 0.05, "student"), (0.05, 0.0, "small"),
    (0.001, 0.0, "small"),           # nothing is in time: the fastest
])
def test_at_home_the_most_accurate_network_that_is_in_time_runs(left_s: float, wait_s: float, variant: str) -> None:
    choice = policies.load("local").route(situation(left_s, wait_s))
    assert choice is not None
    assert choice.variant == variant


def test_while_load_is_shed_the_fastest_form_runs() -> None:
    choice = policies.load("local").route(cheaper(situation(1.0)))
    assert choice is not None
    assert choice.variant == "small"


def test_a_placement_with_one_variant_is_followed_unless_load_is_shed() -> None:
    placed = situation(1.0, placement=Placement(agent="me", stream="s", variant="student", where=["me"]))
    for given, variant in ((placed, "student"), (cheaper(placed), "small")):
        choice = policies.load("planner").route(given)
        assert choice is not None
        assert choice.variant == variant


def test_a_peer_keeps_the_accuracy_that_home_has_no_time_for() -> None:
    twice_as_fast = [msgspec.structs.replace(p, p50_s=p.p50_s / 2, p95_s=p.p95_s / 2) for p in FAMILY]
    choice = policies.load("greedy").route(situation(0.12, peer=twice_as_fast))
    assert choice is not None
    assert (choice.agent, choice.variant) == ("p", "int8")


def test_a_student_at_home_goes_before_a_teacher_that_is_late_on_a_peer() -> None:
    choice = policies.load("greedy").route(situation(0.12, peer=FAMILY[-1:]))
    assert choice is not None
    assert (choice.agent, choice.variant) == ("me", "student")


def test_a_student_that_beats_its_teacher_always_runs() -> None:
    better = by_speed([form("int8", 0.1, 0.94), form("student", 0.04, 0.95)])
    assert [p.variant for p in faithful(better)] == ["student"]
    assert usual(better, 1.0).variant == "student"


def test_the_ladder_has_one_form_of_each_network() -> None:
    assert [p.variant for p in faithful(FAMILY)] == ["int8", "student", "small"]
    assert faithful([]) == []
