"""Members that open connection after connection: they are refused, and their address is slowed before a handshake."""

from __future__ import annotations

import pytest

from swarm.core.units import NS, ns
from swarm.net.security import accept_pace
from swarm.net.security.accept_pace import MOST_SLOWED, SLOW_BURST, SLOWED_NS, AcceptPace
from tests.net.keyed import Swarm, still_serves
from tests.patience import HANG_S

HERE, THERE = "10.0.0.1", "10.0.0.2"


def pace(member: str = "b", address: str = HERE) -> AcceptPace:
    """Of which a member has had all that it may have at once, and one more."""
    pace = AcceptPace(lambda name: True)
    assert [pace.admits(member, address, 0) for _ in range(17)] == 16 * [True] + [False]
    return pace


def test_a_member_has_few_connections_at_once_and_some_more_each_second() -> None:
    of_b = pace()
    assert [of_b.admits("b", HERE, NS) for _ in range(3)] == [True, True, False]
    assert of_b.admits("c", HERE, NS)                        # another one has its own


def test_of_an_address_that_is_slowed_few_are_let_in_until_it_is_quiet() -> None:
    of_b = pace()
    assert [of_b.lets_in(HERE, 0) for _ in range(6)] == int(SLOW_BURST) * [True] + 2 * [False]
    assert of_b.lets_in(HERE, NS // 10)                      # others have this address, too
    assert all(of_b.lets_in(THERE, 0) for _ in range(100))
    of_b.admits("b", HERE, SLOWED_NS - 1)                    # within its means again: that slows nothing
    assert all(of_b.lets_in(HERE, SLOWED_NS) for _ in range(100))


def test_it_stays_slowed_while_too_many_come_and_remembers_few_addresses() -> None:
    of_b = pace()
    assert sum(of_b.lets_in(HERE, 0) for _ in range(9)) == SLOW_BURST
    assert not of_b.admits("b", HERE, 1)
    assert sum(of_b.lets_in(HERE, 2) for _ in range(9)) == 0             # that gives it no new start
    for k in range(3 * MOST_SLOWED):
        of_b.admits("b", f"10.1.0.{k}", 3)
    assert len(of_b._slowed) == MOST_SLOWED


def test_a_member_that_opens_too_many_is_cut_before_its_handshake_and_others_are_served(
    swarm: Swarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accept_pace, "MOST_SESSIONS", 2.0)
    monkeypatch.setattr(accept_pace, "SESSIONS_PER_S", 0.2)    # b may try again, if its handshake took too long
    monkeypatch.setattr(accept_pace, "SLOW_BURST", 1.0)
    monkeypatch.setattr(accept_pace, "SLOWED_NS", ns(HANG_S))
    swarm.folder.enrol(swarm.folder.new("c").key)
    a = swarm.endpoint("a")
    crowd = [swarm.stranger(a, swarm.pair("c"), "c") for _ in range(3)]
    swarm.until_refused(a, "sessions")
    crowd += [swarm.stranger(a, swarm.pair("c"), "c") for _ in range(3)]
    swarm.until_refused(a, "slowed", 2)
    for socket in crowd:
        socket.close(linger=0)                               # else b, whose address is the same, waits longer
    still_serves(swarm, a)
