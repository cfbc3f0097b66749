"""Shaped links between real endpoints: what arrives, in which order, and not before its time."""

from __future__ import annotations

import numpy as np
import pytest

from swarm.core.policy.shaped_link import ShapedLink
from swarm.core.policy.trace import RateTrace
from swarm.core.ports import Received
from swarm.core.protocol.messages import Heartbeat, Start
from swarm.core.units import ns
from swarm.net.dialler import Dialled
from swarm.net.lanes import open_endpoint
from swarm.transport.endpoint import Endpoint
from swarm.transport.ports import SEND_QUEUE
from tests.net.harness import Net, connection_of

FAR = RateTrace.of([(0.0, 400.0)])


class Noting(ShapedLink):
    """Notes the time at which each message shall arrive."""

    def __init__(self, delay_s: float) -> None:
        super().__init__(FAR, delay_ns=ns(delay_s))
        self.due: list[int] = []

    def arrives_ns(self, size_bytes: int, now: int) -> int:
        self.due.append(super().arrives_ns(size_bytes, now))
        return self.due[-1]


def shaped(net: Net, link: ShapedLink) -> tuple[Endpoint, Endpoint]:
    """`a`, which has this link to `b`, and `b`, which has none."""
    inbox: list[Received] = net.got.setdefault("a", [])
    a = open_endpoint(net.loop, swarm="s", name="a", role="agent", boot=1, handler=inbox.append,
                      link_to=lambda name: link if name == "b" else None)
    net.endpoints.append(a)
    b = net.endpoint("b")
    a.join([b.member])
    b.join([a.member])
    net.until(lambda: b.send("a", Start()) and a.send("b", Start()))
    return a, b


def test_messages_arrive_in_order_and_none_before_the_link_delivers_it(net: Net) -> None:
    link = Noting(0.02)
    a, b = shaped(net, link)
    net.until(lambda: bool(net.got["b"] and net.got["a"]))
    net.got["b"].clear()
    link.due.clear()
    for number in range(20):
        assert a.send("b", Heartbeat(sequence=number)), number
    net.until(lambda: len(net.got["b"]) == 20)
    assert [message.body for message in net.got["b"]] == [Heartbeat(sequence=n) for n in range(20)]
    assert all(message.at_ns >= due for message, due in zip(net.got["b"], link.due, strict=False))
    assert isinstance(connection_of(b, "a"), Dialled)        # what is not named costs nothing


def test_large_messages_arrive_whole_and_the_sender_measures_the_link(net: Net) -> None:
    a, _ = shaped(net, Noting(0.02))
    net.until(lambda: len(net.got["b"]) == 1)
    tensor = np.arange(600_000, dtype=np.uint8)
    assert a.send("b", Start(), [tensor])
    net.until(lambda: len(net.got["b"]) == 2)
    assert (net.got["b"][1].tensors[0] == tensor).all()
    estimator = a.link("b")
    assert estimator is not None
    net.until(lambda: estimator.quality.rate_samples > 0)
    assert estimator.quality.bytes_per_s < 50e6              # of the link, where loopback carries far more


@pytest.mark.parametrize("before", [True, False])
def test_who_is_not_connected_cannot_be_reached(net: Net, before: bool) -> None:
    link = Noting(3600.0)
    if before:
        a = open_endpoint(net.loop, swarm="s", name="a", role="agent", boot=1, link_to=lambda name: link)
        net.endpoints.append(a)
        stranger = net.endpoint("b").member
        net.endpoints[-1].close()
        a.join([stranger])
    else:
        a, b = shaped(net, link)
        b.close()
        net.until(lambda: not a.send("b", Start()) and len(link.due) < SEND_QUEUE["urgent"])
    taken = len(link.due)
    assert not a.send("b", Start())
    assert len(link.due) == taken
