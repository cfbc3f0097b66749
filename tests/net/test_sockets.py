"""Sockets as we set them, alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import zmq

from swarm.net import sockets
from tests.patience import HANG_S

UNDER_WAY = 8
TURNS = 5000
HANG_MS = round(1000 * HANG_S)


Pair = tuple[zmq.Socket[Any], zmq.Socket[Any]]


@pytest.fixture
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    """A bound socket of the lane, and one that is connected to it."""
    context: zmq.Context[Any] = zmq.Context()
    bound = sockets.bound(context, request.param)
    ours = sockets.dialling(context, request.param, "ours")
    sockets.connect(ours, sockets.bind(bound, request.param, "127.0.0.1"))
    assert ours.poll(HANG_MS, zmq.POLLOUT)
    yield bound, ours
    context.destroy(linger=0)


@pytest.mark.parametrize(("pair", "frames"), [("urgent", [b"x" * 100]), ("urgent", [b"x" * 100] * 3)],
                         ids=["one frame", "three frames"], indirect=["pair"])
def test_a_queue_that_others_have_emptied_is_not_taken_for_a_full_one(pair: Pair, frames: list[bytes]) -> None:
    """ZeroMQ itself refuses about one in a hundred of these, because it looks at the queue too seldom."""
    bound, ours = pair
    refused = 0
    for _ in range(TURNS):
        for _ in range(UNDER_WAY):
            refused += not sockets.write(ours, frames)
        for _ in range(UNDER_WAY):
            assert bound.poll(HANG_MS)
            assert sockets.read(bound, copy=True)[1] == frames
    assert refused == 0


@pytest.mark.parametrize("pair", ["bulk"], indirect=True)
def test_a_full_queue_refuses_at_once_and_takes_whole_messages_alone(pair: Pair) -> None:
    bound, ours = pair
    frames = [b"x", b"y" * (1 << 20)]
    taken = 0
    while sockets.write(ours, frames):
        taken += 1
    assert sockets.SEND_QUEUE["bulk"] <= taken < 4 * sockets.SEND_QUEUE["bulk"]
    for _ in range(taken):
        assert bound.poll(HANG_MS)
        assert sockets.read(bound, copy=True)[1] == frames
    assert not bound.poll(0)


class Closing:
    """A socket whose connection ends between the look at its queue and what is sent then."""

    def __init__(self, takes: list[bool]) -> None:
        self._takes = iter(takes)
        self.sent: list[bytes] = []

    def send(self, frame: bytes, flags: int, copy: bool) -> None:
        if not next(self._takes):
            raise zmq.Again
        self.sent.append(frame)

    def poll(self, timeout: int, flags: int) -> int:
        return zmq.POLLOUT


@pytest.mark.parametrize(("takes", "gone"), [
    ([False, False], False), ([False, True, False], False), ([True, False, False], False),
    ([False, True, True], True), ([True, False, True, True], True),
])
def test_a_connection_that_ends_just_then_is_no_error(takes: list[bool], gone: bool) -> None:
    """And what is sent again is sent from its first frame on."""
    socket: Any = Closing(takes)
    assert sockets.write(socket, [b"header", b"tensor"]) is gone
    if gone:
        assert socket.sent[-2:] == [b"header", b"tensor"]


@pytest.mark.parametrize("pair", sockets.LANES, indirect=True)
def test_no_socket_sends_heartbeats_of_its_own_and_the_kernel_looks_after_vanished_hosts(pair: Pair) -> None:
    for socket in pair:
        assert (socket.getsockopt(zmq.HEARTBEAT_IVL), socket.getsockopt(zmq.TCP_KEEPALIVE)) == (0, 1)
