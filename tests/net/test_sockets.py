"""Sockets as we set them, alone."""

from __future__ import annotations

import zmq

from swarm.net import sockets

UNDER_WAY = 8
TURNS = 5000


def test_a_queue_that_others_have_emptied_is_not_taken_for_a_full_one() -> None:
    """ZeroMQ itself refuses about one in a hundred of these, because it looks at the queue too seldom."""
    context = zmq.Context()
    try:
        bound = sockets.bound(context, "urgent")
        ours = sockets.dialling(context, "urgent", "ours")
        sockets.connect(ours, sockets.bind(bound, "urgent", "127.0.0.1"))
        assert ours.poll(5000, zmq.POLLOUT)
        refused = 0
        for _ in range(TURNS):
            for _ in range(UNDER_WAY):
                refused += not sockets.write(ours, [b"x" * 100])
            for _ in range(UNDER_WAY):
                assert bound.poll(5000)
                sockets.read(bound, copy=True)
        assert refused == 0
    finally:
        context.destroy(linger=0)


def test_a_full_queue_refuses_at_once() -> None:
    context = zmq.Context()
    try:
        bound = sockets.bound(context, "bulk")
        ours = sockets.dialling(context, "bulk", "ours")
        sockets.connect(ours, sockets.bind(bound, "bulk", "127.0.0.1"))
        assert ours.poll(5000, zmq.POLLOUT)
        taken = 0
        while sockets.write(ours, [b"x", b"y" * (1 << 20)]):
            taken += 1
        assert sockets.SENDING["bulk"] <= taken < 4 * sockets.SENDING["bulk"]
    finally:
        context.destroy(linger=0)
