"""The door itself: questions that are none, nobody at the door, crowds at it, and that it closes."""

from __future__ import annotations

import zmq

from swarm.net.security import zap
from tests.net.harness import lanes_of
from tests.net.keyed import GREETING, Swarm, greet, still_serves
from tests.patience import HANG_S


def test_questions_that_are_none_are_survived_and_counted(swarm: Swarm) -> None:
    a = swarm.endpoint("a")
    asker = lanes_of(a).context.socket(zmq.DEALER)
    asker.setsockopt(zmq.RCVTIMEO, round(1000 * HANG_S))
    asker.connect(zap.ZAP_ADDRESS)
    whole = [b"", b"1.0", b"1", zap.DOMAIN, b"10.0.0.9", b"", b"CURVE", b"\1" * 32]
    known = zap.z85.decode(swarm.pair("b").public)
    wrong = [[b"?"], [b"", b""], [b"", b"2.0", *whole[2:]], [*whole[:6], b"NULL"], [*whole[:6], b"PLAIN", b"b", b"pw"],
             [*whole[:6], b"PLAIN", known], [*whole[:7], b"\1" * 31], whole[:7], [*whole, b"\1" * 32],
             [b"x" * 100] * 200]
    for frames in wrong:
        asker.send_multipart(frames)
    swarm.until_refused(a, "zap", len(wrong))
    assert all(asker.recv_multipart()[3] == b"300" for _ in range(6))        # those that can be answered
    asker.send_multipart(whole)
    swarm.until_refused(a, "unknown_key")
    assert asker.recv_multipart()[3] == b"300"
    asker.send_multipart([*whole[:7], known])
    swarm.net.until(lambda: asker.poll(0) > 0)
    answer = asker.recv_multipart()
    assert (answer[3], answer[5].decode()) == (b"200", swarm.pair("b").public)
    asker.close(linger=0)
    still_serves(swarm, a)


def test_with_nobody_at_the_door_nobody_gets_in(swarm: Swarm) -> None:
    a = swarm.endpoint("a")
    assert lanes_of(a).auth is not None
    lanes_of(a).auth._zap.unbind(zap.ZAP_ADDRESS)
    swarm.says(swarm.stranger(a, swarm.pair("b")), "b")
    swarm.net.until(lambda: a.statistics().lanes["urgent"].broken_off > 0)
    assert swarm.net.got["a"] == []


def test_a_crowd_at_the_door_does_not_stop_it(swarm: Swarm) -> None:
    """Failed handshakes beyond any queue, while we are busy: measured, a monitor that is full stops ZeroMQ's thread."""
    a = swarm.endpoint("a")
    for _ in range(2300):
        greet(a, GREETING)
    swarm.until_turned_away(a, 2000)
    still_serves(swarm, a)


def test_an_endpoint_leaves_nothing_at_the_door(swarm: Swarm) -> None:
    before = len(swarm.net.loop._callbacks)
    for boot in (1, 2, 3):
        endpoint = swarm.endpoint("a", boot)
        assert len(swarm.net.loop._callbacks) > before
        endpoint.close()
        assert len(swarm.net.loop._callbacks) == before
        assert lanes_of(endpoint).auth is not None
        assert lanes_of(endpoint).auth._reload_timer.callback is None    # a cancelled timer
