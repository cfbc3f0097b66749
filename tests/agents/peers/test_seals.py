"""Seals: an ask that is passed on counts only if its owner has sent it along this way."""

from __future__ import annotations

import msgspec

from agents.peers.seals import Seals
from swarm.core.policy.plan import Leg
from swarm.core.protocol.messages import StageAsk
from swarm.core.protocol.messages.requests import SEAL_BYTES
from swarm.core.protocol.spans import Frame, RequestId

REQUEST = RequestId("mule", 7, 1)
ROUTE = [Leg("ox", 0, 1), Leg("yak", 1, 2), Leg("rover", 2, 3)]


def ask(seals: bytes) -> StageAsk:
    return StageAsk(request=REQUEST, frame=Frame(1, "detect", 0), model="m", variant="int8", priority=0, first=2,
                    last=3, seals=seals)


def test_each_leg_but_the_first_has_a_seal_of_its_own_that_its_agent_alone_can_check() -> None:
    owner, rover = Seals("mule", b"secret"), Seals("rover", b"other")
    rover.learn("mule", owner.key_for("rover"))
    seals = owner.of_route(REQUEST, "m", "int8", ROUTE)
    to_yak, to_rover = seals[:SEAL_BYTES], seals[SEAL_BYTES:]
    assert (len(to_yak), len(to_rover)) == (SEAL_BYTES, SEAL_BYTES)
    assert rover.is_from_owner(ask(to_rover), "yak")
    assert owner.of_route(REQUEST, "m", "int8", ROUTE) == seals          # a seal does not change the next one
    for forged, sender in ((to_yak, "yak"), (to_rover, "ox"), (b"", "yak")):
        assert not rover.is_from_owner(ask(forged), sender)
    changed = msgspec.structs.replace(ask(to_rover), request=RequestId("mule", 7, 2))
    assert not rover.is_from_owner(changed, "yak")


def test_who_has_given_no_key_can_be_nobodys_owner() -> None:
    """Anybody could make seals of an empty key."""
    rover, anybody = Seals("rover", b"other"), Seals("mule", b"secret")
    anybody.key_for = lambda peer: b""                       # type: ignore[method-assign]
    forged = ask(anybody.of_route(REQUEST, "m", "int8", ROUTE)[SEAL_BYTES:])
    assert not rover.is_from_owner(forged, "yak")            # no advert has come
    rover.learn("mule", b"")
    assert not rover.is_from_owner(forged, "yak")
