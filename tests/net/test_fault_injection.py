"""What is lost and what is spoilt on the way is counted and refused, and costs the bulk lane nothing for good."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from swarm.core.protocol.messages import Drain, Happened, InjectedFaults, Start
from swarm.transport.fault_injection import FaultInjection
from tests.net.harness import Net

FRAMES = [b"header" * 20, bytes(1000)]
WELL = InjectedFaults(seed=3)


def ill(**fields: Any) -> FaultInjection:
    fault_injection = FaultInjection("a")
    fault_injection.set_faults(InjectedFaults(seed=3, **fields))
    return fault_injection


def test_the_healthy_are_not_touched() -> None:
    fault_injection = ill()
    assert not fault_injection.active
    assert fault_injection.apply("b", FRAMES) is FRAMES


def test_of_the_deaf_nothing_is_heard_and_of_others_all() -> None:
    fault_injection = ill(deaf_to=["b"])
    assert fault_injection.active
    assert fault_injection.apply("b", FRAMES) is None
    assert fault_injection.apply("c", FRAMES) is FRAMES
    fault_injection.set_faults(WELL)
    assert fault_injection.apply("b", FRAMES) is FRAMES


def test_the_share_that_is_said_vanishes_and_the_share_that_is_said_is_spoilt() -> None:
    fault_injection = ill(lose=0.3, corrupt=0.5)
    got = [fault_injection.apply("b", FRAMES) for _ in range(2000)]
    assert 500 < got.count(None) == fault_injection.dropped < 700
    spoilt = [frames for frames in got if frames is not None and list(frames) != FRAMES]
    assert 600 < len(spoilt) <= fault_injection.corrupted < 800            # a bit may be flipped twice
    assert all([len(frame) for frame in frames] == [len(frame) for frame in FRAMES] for frames in spoilt)
    assert [b"header" * 20, bytes(1000)] == FRAMES


def test_the_same_ills_give_the_same_and_saying_them_again_changes_nothing() -> None:
    one, other = ill(lose=0.5, corrupt=0.5), ill(lose=0.5, corrupt=0.5)
    for i in range(100):
        if i % 10 == 0:
            other.set_faults(InjectedFaults(seed=3, lose=0.5, corrupt=0.5))
        assert one.apply("b", FRAMES) == other.apply("b", FRAMES)


def test_an_empty_frame_stays_empty() -> None:
    assert ill(corrupt=1.0).apply("b", [b""]) == [b""]


# --- over real sockets ---


@pytest.mark.parametrize("ills", [{"lose": 0.3}, {"corrupt": 0.3}, {"lose": 0.2, "corrupt": 0.2}], ids=str)
def test_the_bulk_lane_outlives_a_bad_link_and_is_as_before_after_it(net: Net, ills: dict[str, float]) -> None:
    a, b = net.pair()
    for impaired in (a, b):
        impaired.fault_injection.set_faults(InjectedFaults(seed=5, **ills))
    sizes = (100, 20_000, 700_000)
    taken = i = 0

    def spoilt() -> int:
        return b.fault_injection.dropped + b.fault_injection.corrupted

    while i < 90 or (spoilt() <= 5 and i < 900):                     # a slow host spoils fewer of the first 90
        taken += a.send("b", Happened(what=str(i)), [np.full(sizes[i % 3], i, np.uint8)], budget_s=0.4)
        ended = net.loop.clock.now_ns() + 5_000_000
        net.until(lambda until=ended: net.loop.clock.now_ns() > until)
        i += 1
    came = [m for m in net.got["b"] if isinstance(m.body, Happened)]
    assert 0 < len(came) < taken
    assert len({m.body.what for m in came}) == len(came)             # none twice # pyright: ignore
    assert spoilt() > 5
    if "lose" not in ills:
        assert sum(b.statistics().refused.values()) > 0.3 * b.fault_injection.corrupted
    for impaired in (a, b):
        impaired.fault_injection.set_faults(WELL)

    def all_is_well() -> bool:
        queue, incoming = a.statistics().queues["b"], b._bulk._incoming.get("a")
        return queue.waiting == queue.in_flight_bytes == 0 and not (incoming and incoming.open_bytes)

    for i in range(4):                                               # what came to a stop is pushed out by what follows
        assert a.send("b", Drain(), [np.full(700_000, i, np.uint8)])
        net.until(lambda n=i: sum(m.body == Drain() for m in net.got["b"]) == n + 1)
    net.until(all_is_well)
    assert all((m.tensors[0] == i).all() for i, m in enumerate(m for m in net.got["b"] if m.body == Drain()))
    assert a.statistics().refused.keys() <= {"checksum"}


def test_a_member_out_of_reach_is_not_heard_and_distance_and_faults_add_up(net: Net) -> None:
    b, senders = net.endpoint("b"), {}
    for name, role in (("a", "agent"), ("c", "agent"), ("planner", "planner"), ("launcher", "launcher")):
        senders[name] = net.endpoint(name, role=role)
        senders[name].join([b.member])
        b.join([senders[name].member])

    def heard(**faults: Any) -> set[str]:
        """Those that are heard until the launcher is, which is heard always and sends last."""
        b.fault_injection.set_faults(InjectedFaults(**faults))
        net.got["b"].clear()
        for sender in (senders[name] for name in ("a", "c", "planner", "launcher")):
            dropped = b.fault_injection.dropped + b.statistics().out_of_reach
            net.until(lambda sender=sender: sender.send("b", Start()))
            net.until(lambda sender=sender, before=dropped: before < (
                b.fault_injection.dropped + b.statistics().out_of_reach) or sender.member.name in {
                    m.sender for m in net.got["b"]})
        return {m.sender for m in net.got["b"]}

    assert heard() == {"a", "c", "planner", "launcher"}
    b.hear_only(["a", "planner"])
    assert heard() == {"a", "planner", "launcher"}
    assert heard(deaf_to=["a"]) == {"planner", "launcher"}
    b.hear_only([])
    assert heard(deaf_to=["a"]) == {"launcher"}
    assert b.statistics().out_of_reach == 1 + 1 + 3
    b.hear_only(["a", "c"])
    assert heard() == {"a", "c", "launcher"}


def test_the_test_rig_and_the_body_are_heard_by_the_deafest(net: Net) -> None:
    launcher, world = net.endpoint("launcher", role="launcher"), net.endpoint("world", role="world")
    peer, b = net.endpoint("a"), net.endpoint("b")
    for rig in (launcher, world, peer):
        rig.join([b.member])
    b.join([launcher.member, world.member, peer.member])
    b.fault_injection.set_faults(InjectedFaults(deaf_to=["launcher", "world", "a"], lose=1.0, corrupt=1.0))
    for rig in (peer, launcher, world):
        net.until(lambda rig=rig: rig.send("b", Start()))
    net.until(lambda: {m.sender for m in net.got["b"]} == {"launcher", "world"})
    net.until(lambda: b.fault_injection.dropped > 0)
