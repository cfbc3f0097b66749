"""Who is there: seeded schedules of faults on a network with time of its own, and what holds in all of them."""

from __future__ import annotations

import random

import pytest

from swarm.core.units import ns, seconds
from swarm.membership import ring
from swarm.membership import view as ms
from swarm.membership.events import Failed
from swarm.membership.ring import NEIGHBOURS
from swarm.membership.view import HEARTBEAT_S
from tests.membership.crowd import LATEST_S, QUIET_S, TOLD_S, Crowd

MANY = [f"rover_{i}" for i in range(32)]
FAULTS = ("kill", "restart", "stop", "partition", "loss", "join")
NEWCOMERS_S = 0.8
ENOUGH_NS = ns(QUIET_S + TOLD_S + 2 * LATEST_S)


def strike(crowd: Crowd, fault: str, name: str, draws: random.Random) -> None:
    """A fault, or the end of one."""
    life = crowd.lives[name]
    match fault:
        case "kill" if not life.ended_ns and len(crowd.running()) > 2:
            crowd.kill(name)
        case "restart":
            crowd.kill(name)
            crowd.start(name, clock_back=draws.random() < 0.2)
        case "stop" if not life.ended_ns:
            (crowd.go_on if life.stopped else crowd.stop)(name)
        case "partition":
            crowd.groups = {} if crowd.groups else {other: draws.randint(0, 1) for other in crowd.names}
        case "loss":
            crowd.loss = 0.0 if crowd.loss else 0.3
        case "join" if not crowd.groups:
            crowd.join(f"late_{len(crowd.names)}")
        case _:
            pass


def agree(crowd: Crowd) -> None:
    """Everybody's view is the truth, and only those that run would be given work."""
    assert crowd.split() == []
    running = {life.name for life in crowd.running()}
    if len(crowd.names) <= ring.CONTACTS:
        assert all(life.usable(crowd.now) <= running for life in crowd.running())


def schedule(seed: int, sizes: tuple[int, ...] = (2, 3, 3, 4, 5, 7, 9, 16), neighbours: int = NEIGHBOURS) -> int:
    """Faults at random for some seconds; whenever nothing has changed for three heartbeats all views must be true."""
    draws = random.Random(seed)
    size = draws.choice(sizes)
    crowd = Crowd(seed, [f"rover_{i}" for i in range(size)], neighbours)
    faults = draws.sample(FAULTS, draws.randint(1, 4))
    crowd.run_until(2 * NEWCOMERS_S)
    agree(crowd)
    struck_ns, looks = crowd.now, 1
    while crowd.now < ns(2 * NEWCOMERS_S + 2.0):
        crowd.run_until(seconds(crowd.now) + draws.choice((0.05, 0.4, 1.2)) * draws.uniform(0.5, 1.5))
        crowd.engage(draws.choice(crowd.names))
        if crowd.now - struck_ns > ENOUGH_NS and not crowd.loss and not crowd.groups:
            agree(crowd)
            looks += 1
        strike(crowd, draws.choice(faults), draws.choice(crowd.names), draws)
        struck_ns = crowd.now
    crowd.loss, crowd.groups = 0.0, {}
    for life in [life for life in crowd.lives.values() if life.stopped and not life.ended_ns]:
        crowd.go_on(life.name)
    crowd.run_until(seconds(crowd.now + ENOUGH_NS))
    agree(crowd)
    crowd.run_until(seconds(crowd.now) + 2 * HEARTBEAT_S)            # those that came back are given work again
    running = {life.name for life in crowd.running()}
    assert all(life.usable(crowd.now) >= running & set(life.view.contacts()) for life in crowd.running())
    if len(crowd.names) <= ring.CONTACTS:
        assert all(life.usable(crowd.now) == running - {life.name} for life in crowd.running())
    return looks


@pytest.fixture
def not_new_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Newcomers are asked at every heartbeat for a second only, so that what follows is seen."""
    monkeypatch.setattr(ms, "NEW_S", NEWCOMERS_S)


@pytest.mark.parametrize("seeds", [range(25), pytest.param(range(25, 200), marks=pytest.mark.long)], ids=str)
@pytest.mark.usefixtures("not_new_for_long")
def test_after_three_quiet_heartbeats_there_is_one_view_and_it_is_true(seeds: range) -> None:
    assert sum(map(schedule, seeds)) > 1.5 * len(seeds)


@pytest.mark.usefixtures("not_new_for_long")
def test_in_a_large_swarm_the_same_holds_of_the_contacts_of_each_member(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ring, "CONTACTS", 6)
    monkeypatch.setattr(ring, "REACH", 1)
    crowd = Crowd(1, MANY[:16], neighbours=4)
    crowd.run_until(1.0)
    assert {len(life.view.contacts()) for life in crowd.running()} == {6}
    assert sum(len(life.usable(crowd.now)) for life in crowd.running()) < 0.8 * 16 * 15
    assert sum(schedule(seed, sizes=(12, 16, 20), neighbours=4) for seed in range(16)) > 16


@pytest.mark.long
@pytest.mark.parametrize("block", range(20))
@pytest.mark.usefixtures("not_new_for_long")
def test_ten_thousand_schedules(block: int) -> None:
    for seed in range(1000 + 500 * block, 1500 + 500 * block):
        schedule(seed)


def lossy(seed: int, size: int, run_s: float) -> Crowd:
    crowd = Crowd(seed, MANY[:size])
    crowd.run_until(1.0)
    crowd.loss = 0.3
    crowd.run_until(1.0 + run_s)
    return crowd


def test_nobody_is_lost_where_three_messages_in_ten_are() -> None:
    crowd = lossy(1, 8, 20.0)
    assert not [c for _, _, c in crowd.log if isinstance(c, Failed)]


@pytest.mark.long
@pytest.mark.parametrize("size", [8, 32])
def test_nobody_is_lost_in_ten_minutes_where_three_messages_in_ten_are(size: int) -> None:
    crowd = lossy(2, size, 600.0)
    assert not [c for _, _, c in crowd.log if isinstance(c, Failed)]


@pytest.mark.parametrize("loss", [0.0, 0.3])
@pytest.mark.parametrize(("size", "seeds"), [(8, 5), (32, 1)])
def test_a_dead_one_is_lost_to_all_within_three_heartbeats(size: int, seeds: int, loss: float) -> None:
    for seed in range(seeds):
        crowd = Crowd(seed, MANY[:size])
        crowd.run_until(7.0 + 0.05 * seed)
        crowd.loss = loss
        crowd.kill(MANY[3])
        crowd.run_until(seconds(crowd.now) + QUIET_S)
        assert sorted(set(crowd.lost_by(MANY[3]))) == sorted(set(MANY[:size]) - {MANY[3]})


def test_a_large_swarm_that_was_parted_finds_itself_again_within_three_heartbeats() -> None:
    crowd = Crowd(3, MANY)
    crowd.run_until(1.0)
    crowd.groups = {name: i % 2 for i, name in enumerate(MANY)}
    crowd.run_until(3.0)
    assert {sum(life.view.state(n) == "lost" for n in MANY) for life in crowd.running()} == {16}
    crowd.groups = {}
    crowd.run_until(3.0 + QUIET_S)
    agree(crowd)
