"""Endpoints over real sockets on loopback, driven by the loop itself: nothing sleeps."""

from __future__ import annotations

import msgpack
import msgspec
import numpy as np
import pytest
import zmq

from swarm.core.protocol.messages import Drain, Happened, Scene, Shutdown, Start
from swarm.core.protocol.wire import MAX_HEADER_BYTES, PROTOCOL, with_crc
from swarm.core.settings.errors import BadInput
from swarm.net.lanes import open_endpoint
from tests.net.harness import Net
from tests.patience import HANG_S


def test_messages_and_tensors_arrive_as_sent_on_both_lanes(net: Net) -> None:
    a, b = net.endpoint("a", boot=5), net.endpoint("b")
    a.join([b.member])
    b.join([a.member])
    small, large = np.arange(6, dtype=np.float32), np.arange(300_000, dtype=np.uint8)
    net.until(lambda: a.send("b", Start()))
    net.until(lambda: a.send("b", Drain(), [small, large], budget_s=HANG_S))
    net.until(lambda: len(net.got["b"]) == 2)
    start, drain = sorted(net.got["b"], key=lambda m: len(m.tensors))
    assert (start.sender, start.boot, start.body, start.budget_s) == ("a", 5, Start(), None)
    assert drain.body == Drain()
    assert drain.budget_s is not None
    assert 0.0 < drain.budget_s <= HANG_S                    # what was left when it went
    assert np.array_equal(drain.tensors[0], small)
    assert np.array_equal(drain.tensors[1], large)
    lanes = a.statistics().lanes
    assert lanes["urgent"].sent == 1
    assert lanes["bulk"].sent_bytes > 300_000


def test_the_unknown_and_the_absent_are_unreachable_at_once(net: Net) -> None:
    a, b = net.endpoint("a"), net.endpoint("b")
    assert not a.send("b", Start())
    a.join([b.member])
    net.until(lambda: a.send("b", Start()))
    b.close()
    net.until(lambda: not a.send("b", Start()))
    before = a.statistics().unreachable
    assert before >= 2
    for load in ([], [np.zeros(20_000, np.uint8)], [np.zeros(1 << 20, np.uint8)]):
        assert not a.send("b", Start(), load)
    assert a.statistics().unreachable == before + 3          # each counts once, on either lane


@pytest.mark.parametrize("address", ["tcp://127.0.0.1", "inproc://zeromq.zap.01", "ipc:///tmp/x", "", "tcp://a b:1"])
def test_a_member_that_is_nowhere_is_refused_and_counted(net: Net, address: str) -> None:
    a, b = net.endpoint("a"), net.endpoint("b")
    a.join([msgspec.structs.replace(b.member, name="c", bulk=address), b.member])
    assert (a.peers(), a.statistics().refused) == (["b"], {"member": 1})


def test_a_restarted_peer_takes_its_name_over(net: Net) -> None:
    b = net.endpoint("b")
    first = net.endpoint("a", boot=1)
    first.join([b.member])
    net.until(lambda: first.send("b", Start()))
    net.until(lambda: len(net.got["b"]) == 1)
    second = net.endpoint("a", boot=2)                       # the first is still connected: a half-dead process
    second.join([b.member])
    net.until(lambda: second.send("b", Drain()))
    net.until(lambda: any(m.boot == 2 for m in net.got["b"]))


def test_a_member_with_a_new_address_is_dialled_anew(net: Net) -> None:
    a, old = net.endpoint("a"), net.endpoint("b")
    a.join([old.member])
    net.until(lambda: a.send("b", Start()))
    old.close()
    new = net.endpoint("b", boot=2)
    a.join([new.member])
    net.until(lambda: a.send("b", Shutdown()))
    net.until(lambda: any(isinstance(m.body, Shutdown) for m in net.got["b"]))
    assert a.peers() == ["b"]
    a.leave("b")
    assert a.peers() == []


def test_strangers_impostors_and_noise_are_refused_and_counted(net: Net) -> None:
    b, other = net.endpoint("b"), net.endpoint("x", swarm="another")
    other.join([b.member])
    net.until(lambda: other.send("b", Start()))
    context: zmq.Context = zmq.Context()
    raw = context.socket(zmq.DEALER)
    raw.setsockopt(zmq.LINGER, 0)
    raw.setsockopt_string(zmq.ROUTING_ID, "mallory")
    raw.connect(b.member.urgent)
    raw.send_multipart([with_crc(b"\xc1 noise")])
    forged = {"v": PROTOCOL, "swarm": "s", "sender": "a", "boot": 1, "body": {"kind": "start"}}
    raw.send_multipart([with_crc(msgpack.packb(forged))])
    raw.send_multipart([msgpack.packb(forged)])
    raw.send_multipart([b""])
    nameless = context.socket(zmq.DEALER)
    nameless.connect(b.member.urgent)
    nameless.send_multipart([with_crc(msgpack.packb(forged))])
    net.until(lambda: b.statistics().refused == {"swarm": 1, "header": 1, "sender": 2, "checksum": 2})
    context.destroy(linger=0)
    assert net.got["b"] == []
    a = net.endpoint("a")
    a.join([b.member])
    net.until(lambda: a.send("b", Happened(what="still serving")))
    net.until(lambda: len(net.got["b"]) == 1)


def test_a_port_in_use_is_said_in_one_line(net: Net) -> None:
    first = net.endpoint("a")
    port = first.member.urgent.rpartition(":")[2]
    with pytest.raises(BadInput, match=f"bind: tcp://127.0.0.1:{port}: Address already in use"):
        open_endpoint(net.loop, swarm="s", name="b", role="agent", boot=1, handler=print, bind=f"127.0.0.1:{port}")


def test_a_header_over_its_limit_is_refused_where_it_is_made(net: Net) -> None:
    a, b = net.pair()
    told: list[tuple[str, object, str]] = []
    a.attach(lambda message: None, lambda *what: told.append(what))
    assert a.send("b", Scene(json=bytes(MAX_HEADER_BYTES)), tag="mine")
    net.until(lambda: told == [("b", "mine", "too_long")])
    assert a.statistics().refused == {"own_header": 1}
    net.until(lambda: a.send("b", Scene(json=bytes(MAX_HEADER_BYTES - 200))))
    net.until(lambda: len(net.got["b"]) == 1)
    assert b.statistics().refused == {}
