"""Links some seconds ahead: a steady fall goes on, noise and single steps mean nothing, and nothing becomes better."""

from __future__ import annotations

import random
from collections.abc import Callable
from math import exp

import pytest

from swarm.core.policy.link import UNMEASURED_BYTES_PER_S
from swarm.core.units import ns
from swarm.planner.observed.link_trends import LEAST, SAMPLES, Trail
from swarm.planner.observed.team_links import STEADY, TeamLinks


def share_left(value: Callable[[float], float], seconds: int = SAMPLES, ahead_s: float = 6.0) -> float:
    trail = Trail()
    for at_s in range(seconds):
        trail.add(float(at_s), value(float(at_s)))
    return trail.share_left(ahead_s)


def test_a_steady_fall_goes_on_at_its_rate() -> None:
    assert share_left(lambda at_s: 1e6 * exp(-0.1 * at_s)) == pytest.approx(exp(-0.6))
    assert share_left(lambda at_s: 1e6 * exp(-0.1 * at_s), ahead_s=3.0) == pytest.approx(exp(-0.3))
    bumpy = share_left(lambda at_s: 1e6 * exp(-0.1 * at_s) * (1.03 if at_s % 2 else 1.0))
    assert bumpy == pytest.approx(exp(-0.6), rel=0.03)


@pytest.mark.parametrize("value", [
    lambda at_s: 1e6,
    lambda at_s: 1e6 * exp(0.1 * at_s),                      # it becomes better
    lambda at_s: 1e6 if at_s < 6 else 3e5,                   # one step: as measured is all that is known
    lambda at_s: 1e6 * exp(-0.03 * at_s),                    # by less than a third over all measurements
    lambda at_s: 1e6 * (0.5 if at_s % 2 else 1.0),           # it flaps
], ids=["steady", "rising", "step", "little", "flapping"])
def test_what_does_not_fall_steadily_stays_as_measured(value: Callable[[float], float]) -> None:
    assert share_left(value) == 1.0


@pytest.mark.parametrize(("spread", "most"), [(0.1, 0), (0.3, 1)])
def test_noise_alone_changes_nothing(spread: float, most: int) -> None:
    """Of 300 links whose rate varies by 10 %, none; of 30 % as many as the test lets through: one in a thousand."""
    draws = [random.Random(seed) for seed in range(300)]
    assert sum(share_left(lambda at_s, draw=draw: 1e6 * exp(draw.gauss(0.0, spread))) < 1.0 for draw in draws) <= most


def test_a_fall_is_extended_by_so_much_at_most_and_needs_all_measurements() -> None:
    assert share_left(lambda at_s: 1e6 * exp(-at_s)) == LEAST
    assert share_left(lambda at_s: 1e6 * exp(-at_s), seconds=SAMPLES - 1) == 1.0


def test_measurements_that_follow_at_once_do_not_count() -> None:
    trail = Trail()
    for k in range(100):
        trail.add(0.01 * k, exp(-k))
    assert trail.share_left(6.0) == 1.0


# --- links of a team ---


def told(rate: Callable[[float], float], rtt_s: Callable[[float], float] = lambda at_s: 0.01, *, seconds: int = 20,
         ahead_s: float = 6.0, every: int = 1) -> tuple[float, float]:
    """Round trip and rate of a link that is reported once in so many seconds."""
    links = TeamLinks(ahead_s)
    for at_s in range(seconds):
        news = {"b": (rtt_s(float(at_s)), rate(float(at_s)))} if at_s % every == 0 else {}
        links.reported("a", news, ns(float(at_s)))
    quality = links.of(["a", "b"])["a", "b"]
    return quality.rtt_s, quality.bytes_per_s


def test_a_link_that_falls_is_told_as_it_will_be_and_others_as_measured() -> None:
    falls = told(lambda at_s: 1e6 * exp(-0.1 * at_s))
    assert 1e6 * exp(-0.1 * 25) <= falls[1] <= STEADY * 1e6 * exp(-0.1 * 25) * 1.0001     # 19 s and 6 s ahead
    assert falls[0] == 0.01
    slows = told(lambda at_s: 1e6, lambda at_s: 0.01 * exp(0.1 * at_s))
    assert 0.01 * exp(2.5) / STEADY * 0.9999 <= slows[0] <= 0.01 * exp(2.5)
    assert slows[1] == 1e6


def test_reports_of_next_to_nothing_are_ignored() -> None:
    assert told(lambda at_s: 1e6 * 0.5 ** at_s if at_s < 12 else 1e-310, seconds=16)[1] > 0.0
    links = TeamLinks()
    links.reported("a", {"b": (0.01, 5e-324)}, 0)
    assert ("a", "b") not in links.of(["a", "b"])


def test_a_link_that_becomes_better_is_told_as_measured() -> None:
    def better(ahead_s: float) -> tuple[float, float]:
        return told(lambda at_s: 1e6 * exp(0.1 * at_s), lambda at_s: 0.3 * exp(-0.1 * at_s), ahead_s=ahead_s)

    assert better(6.0) == better(0.0)


def test_a_link_in_use_is_told_as_it_will_be_when_the_next_plan_can_leave_it() -> None:
    links = TeamLinks(ahead_s=6.0, renewed_s=1.0)
    for at_s in range(20):
        rate = 1e6 * exp(-0.1 * at_s)
        links.reported("a", {"b": (0.01, rate), "c": (0.01, rate)}, ns(float(at_s)))
    told_now = links.of(["a", "b", "c"], used={("a", "b")})
    assert 1e6 * exp(-2.0) <= told_now["a", "b"].bytes_per_s <= STEADY * 1e6 * exp(-2.0) * 1.0001
    assert 1e6 * exp(-2.5) <= told_now["a", "c"].bytes_per_s <= STEADY * 1e6 * exp(-2.5) * 1.0001


def test_a_link_that_is_not_reported_again_is_as_before() -> None:
    """An agent reports a link when it has changed: a fall in steps is one, and it ends when reports end."""
    falls = told(lambda at_s: 1e6 * exp(-0.1 * at_s), every=2)
    assert falls[1] < 1e6 * exp(-0.1 * 18)
    links = TeamLinks(6.0)
    for at_s in range(40):
        links.reported("a", {"b": (0.01, 1e6 * exp(-0.1 * at_s))} if at_s < 20 else {}, ns(float(at_s)))
    settled = links.of(["a", "b"])["a", "b"].bytes_per_s
    assert settled >= 1e6 * exp(-1.9) / STEADY               # the last report, or the slower trend of all


def test_a_guess_gives_way_to_the_first_measurement_and_a_change_that_is_told_once_is_followed_to_its_end() -> None:
    links = TeamLinks()
    links.reported("a", {"b": (0.01, UNMEASURED_BYTES_PER_S), "c": (0.01, 1e7)}, 0)
    links.reported("a", {"b": (0.01, 5e5), "c": (0.01, 1e6)}, ns(1.0))
    told_now = links.of(["a", "b", "c"])
    assert told_now["a", "b"].bytes_per_s == 5e5
    assert 7e6 < told_now["a", "c"].bytes_per_s < 1e7            # a measurement moves slowly
    for at_s in range(2, 20):
        links.reported("a", {}, ns(float(at_s)))
    assert links.of(["a", "c"])["a", "c"].bytes_per_s == pytest.approx(1e6, rel=0.11)
