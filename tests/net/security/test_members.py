"""Members that were taken over, over real sockets with keys: what one sends is bounded, whatever it is."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from swarm.core.policy.allowance import Allowance, Allowances
from swarm.core.protocol.messages import Drain, Happened, Introduction, Scene, Start
from swarm.core.protocol.wire import TensorHeader
from swarm.core.units import NS, ns
from swarm.net import lanes
from swarm.net.security import zap
from tests.net.harness import Net
from tests.net.keyed import Swarm, message
from tests.net.raw import RawPeer
from tests.transport.test_members import member


def test_a_member_that_floods_is_dropped_and_then_cut_off_and_others_are_served(
    swarm: Swarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "BURST_S", 50.0)
    monkeypatch.setattr(lanes, "MOST_DROPPED", 50)
    monkeypatch.setattr(lanes, "PER_S", 1.0)
    monkeypatch.setattr(zap, "BARRED_NS", ns(0.2))
    a = swarm.endpoint("a")
    flood = swarm.stranger(a, swarm.pair("b"))
    swarm.folder.enrol(swarm.folder.new("c").key)
    for k in range(200):
        flood.send_multipart(message("b", k))
    swarm.until_refused(a, "rate", 50)
    swarm.until_refused(a, "cut_off")
    assert len([m for m in swarm.net.got["a"] if m.sender == "b"]) in (50, 51)
    c = swarm.endpoint("c")
    c.join([a.member])
    swarm.net.until(lambda: c.send("a", Start()))
    swarm.net.until(lambda: any(m.sender == "c" for m in swarm.net.got["a"]))


def test_a_long_header_counts_as_several_messages_and_tensors_do_not(
    swarm: Swarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "BURST_S", 4000.0)
    monkeypatch.setattr(lanes, "PER_S", 0.01)
    a, b = swarm.joined()
    for k in range(10):
        swarm.net.until(lambda: b.send("a", Drain(), [np.zeros(200_000, np.uint8)]))
        swarm.net.until(lambda k=k: len(swarm.net.got["a"]) == 2 + k)
    assert a.statistics().refused == {}
    swarm.net.until(lambda: b.send("a", Scene(json=bytes(30_000))))
    swarm.until_refused(a, "rate")


def test_an_allowance_refills_and_is_of_one_sender() -> None:
    one = Allowance(2.0, 10.0, 0)
    assert not one.take(0, 3.0)
    assert [one.take(0) for _ in range(3)] == [True, True, False]
    assert [one.take(NS // 10), one.take(NS // 10)] == [True, False]
    assert [one.take(100 * NS) for _ in range(3)] == [True, True, False]     # no more than its size
    kept = {"a", "b"}
    each = Allowances(1.0, 0.0, kept.__contains__)
    assert [each.take("a", 0), each.take("a", 0), each.take("b", 0)] == [True, False, True]
    kept.remove("a")
    each.take("c", 0)
    assert "a" not in each._of


def test_who_is_not_enrolled_is_neither_admitted_nor_remembered(swarm: Swarm) -> None:
    a, b = swarm.joined()
    known = len(a._members._known)
    strangers = [member(f"stranger_{k}") for k in range(100)]
    assert not any(a.admits(one) for one in strangers)
    assert a.admits(b.member)
    assert not a.admits(msgspec.structs.replace(b.member, public_key=swarm.pair("a").public))
    assert not a.admits(msgspec.structs.replace(b.member, urgent="nowhere"))
    assert len(a._members._known) == known
    assert b.send("a", Introduction(members=strangers))


def test_transfers_that_are_open_are_bounded_for_one_peer_and_for_all_together(net: Net) -> None:
    b = net.endpoint("b")
    b.limit_transfers(1000, 1500)
    heads = [TensorHeader("uint8", [600])]
    for k, name in enumerate(("p", "q", "r")):
        raw = RawPeer(b, name)
        b.join([raw.member])
        raw.say("urgent", Happened(what="here"))
        net.until(lambda name=name: any(m.sender == name for m in net.got["b"]))
        raw.say("bulk", Drain(), number=1, transfer=1, tensors=heads)
        if k < 2:
            net.until(lambda name=name: name in b.statistics().receivers)
        if k == 0:                                           # its second is too much for it
            raw.say("bulk", Drain(), number=2, transfer=2, tensors=heads)
            net.until(lambda: b.statistics().refused == {"transfer": 1})
        if k == 2:                                           # its first is too much for us
            net.until(lambda: b.statistics().refused == {"transfer": 2})
    assert sum(receiver.bytes for receiver in b.statistics().receivers.values()) == 1200


def test_a_key_binds_a_role_as_well_as_a_name(swarm: Swarm) -> None:
    """Whoever holds the key of an agent cannot be announced as what may end processes."""
    a, b = swarm.endpoint("a"), swarm.endpoint("b")
    for k, role in enumerate(("launcher", "planner", "world", "collector")):
        promoted = msgspec.structs.replace(b.member, role=role)
        assert not a.admits(promoted)
        a.join([promoted])
        swarm.until_refused(a, "role", k + 1)
        assert a.where("b") is None
    a.join([b.member])
    assert a.role("b") == "agent"
    chief = swarm.folder.new("chief", role="planner")
    swarm.folder.enrol(chief.key)
    swarm.net.until(lambda: a.admits(member("chief", role="planner")))
    assert not a.admits(member("chief"))
