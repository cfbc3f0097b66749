"""Which members are connected, and when."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from swarm.core.protocol.messages import Member
from swarm.core.protocol.wire import WireError
from swarm.net.loop import Loop
from swarm.transport.bulk.lane import Bulk
from swarm.transport.members import Members
from tests.clock import FakeClock


class Line:
    """A connection that takes everything."""

    write: Mapping[str, Callable[[Sequence[Any]], bool]] = {
        "urgent": lambda frames: True, "bulk": lambda frames: True}

    def is_ready(self, lane: str) -> bool:
        return True

    def close(self) -> None: ...


class Switchboard:
    """Lanes that note to whom they connect, and refuse some."""

    def __init__(self, *refused: str) -> None:
        self.connected: list[str] = []
        self.refused, self.is_short = refused, False

    def check(self, member: Member) -> None:
        if member.name in self.refused:
            raise WireError("not_enrolled", f"no key of {member.name} is enrolled")

    def connect(self, member: Member, failed: Callable[[WireError], None]) -> Line:
        if self.is_short:
            raise WireError("member", f"{member.name} cannot be connected: too many open files")
        self.connected.append(member.name)
        return Line()


def of(role: str, *refused: str) -> tuple[Members, Switchboard, list[str]]:
    lanes: Any = Switchboard(*refused)
    causes: list[str] = []
    loop = Loop(FakeClock(0))
    bulk = Bulk(loop.clock, loop, lambda *_, **__: True, lambda error: None, lambda *_: None)
    return Members(lanes, "me", role, bulk, lambda error: causes.append(error.cause)), lanes, causes


def member(name: str, role: str = "agent") -> Member:
    return Member(name=name, role=role, urgent="tcp://127.0.0.1:4000", bulk="tcp://127.0.0.1:4001", public_key="")


def test_an_agent_connects_to_another_one_when_it_needs_to_and_to_all_others_at_once() -> None:
    members, lanes, _ = of("agent")
    members.join([member("rover_1"), member("planner", "planner"), member("rover_2"), member("launcher", "launcher")])
    assert lanes.connected == ["planner", "launcher"]
    assert members.peers("agent") == ["rover_1", "rover_2"]
    assert (members.role("rover_1"), members.link("rover_1")) == ("agent", None)
    assert members.reach("rover_2") is not None
    assert members.reach("rover_2") is members.reach("rover_2")
    assert lanes.connected == ["planner", "launcher", "rover_2"]
    assert set(members.links()) == {"planner", "launcher", "rover_2"}
    assert members.reach("stranger") is None


def test_a_planner_connects_to_every_agent_at_once() -> None:
    members, lanes, _ = of("planner")
    members.join([member("rover_1"), member("rover_2")])
    assert lanes.connected == ["rover_1", "rover_2"]


def test_an_agent_that_may_not_be_connected_does_not_join_until_its_key_changes() -> None:
    members, lanes, causes = of("agent", "rover_1")
    members.join([member("rover_1")])
    assert (members.role("rover_1"), members.where("rover_1"), members.peers()) == ("", None, [])
    assert members.reach("rover_1") is None
    assert causes == ["not_enrolled"]
    lanes.refused = ()
    members.keys_changed(frozenset({"rover_1"}))
    assert members.reach("rover_1") is not None


def test_a_member_that_cannot_be_connected_now_stays_one_and_is_connected_later() -> None:
    members, lanes, causes = of("agent")
    members.join([member("rover_1")])
    lanes.is_short = True
    assert members.reach("rover_1") is None
    assert (members.role("rover_1"), causes) == ("agent", ["member"])
    lanes.is_short = False
    assert members.reach("rover_1") is not None
