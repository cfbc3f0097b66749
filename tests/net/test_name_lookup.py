"""Members by the names of their hosts, and by IPv6 addresses."""

from __future__ import annotations

import logging
import socket
import sys
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
import zmq

from swarm.core.clock import MonotonicClock
from swarm.core.protocol.messages import Member, Start
from swarm.net import dialler, mdns, sockets
from swarm.net.dialler import LOOK_UP_AGAIN_S, Dialled, Dialler
from swarm.net.lane import Lane
from swarm.net.lanes import open_endpoint
from swarm.net.loop import Loop
from swarm.net.name_lookup import NameLookup, look_up_ipv4
from swarm.transport.bulk.lane import Bulk
from swarm.transport.members import Members
from swarm.transport.ports import LANES, Lanes
from tests.net.harness import Net

FAR = Member(name="rover_1", role="agent", urgent="tcp://rover-1.local:7000", bulk="tcp://rover-1.local:7001")
UNKNOWN = "Name or service not known"


class Names:
    """Look-ups that a test answers."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Callable[[str, str], None]]] = []

    def start(self, host: str, done: Callable[[str, str], None]) -> None:
        self.asked.append((host, done))

    def answer(self, address: str = "", cause: str = "") -> None:
        asked, self.asked = self.asked, []
        for _, done in asked:
            done(address, cause)


class Later:
    """A loop whose timers a test fires; a lane, too, that sends nothing."""

    write = print

    def __init__(self) -> None:
        self.calls: list[Callable[[], None]] = []

    def after(self, delay_ns: int, callback: Callable[[], None]) -> None:
        assert delay_ns == LOOK_UP_AGAIN_S * 1e9
        self.calls.append(callback)

    def fire(self) -> None:
        calls, self.calls = self.calls, []
        for call in calls:
            call()


class NoBulk:
    def join(self, name: str, estimator: object) -> None: ...

    def leave(self, name: str) -> None: ...


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The endpoints that were connected."""
    made: list[str] = []
    monkeypatch.setattr(sockets, "connect", lambda socket, endpoint: made.append(endpoint))
    return made


@pytest.fixture
def team() -> Any:
    context: zmq.Context[Any] = zmq.Context()
    names, later = Names(), Later()
    lanes = {name: cast(Lane, later) for name in LANES}      # nothing is sent
    made: Any = Dialler(context, cast(Loop, later), "own", lanes, None, cast(NameLookup, names))
    made.check = lambda member: None
    yield Members(cast(Lanes, made), "own", "planner", cast(Bulk, NoBulk()), lambda error: None), names, later
    context.destroy(linger=0)


def test_a_host_that_is_not_found_is_told_once_and_looked_up_until_it_is(
    team: Any, connected: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    known, names, later = team
    with caplog.at_level(logging.WARNING, dialler.__name__):
        known.join([FAR])
        assert [host for host, _ in names.asked] == ["rover-1.local"] * 2        # of both lanes
        for _ in range(3):
            names.answer(cause=UNKNOWN)
            later.fire()
        names.answer("10.0.0.7")
    assert [record.getMessage() for record in caplog.records] == [
        f"the host rover-1.local of rover_1 cannot be found ({UNKNOWN}); it is looked up again every 5 s"]
    assert connected == ["tcp://10.0.0.7:7000", "tcp://10.0.0.7:7001"]


def test_a_member_that_left_is_not_looked_up_again(team: Any, connected: list[str]) -> None:
    known, names, later = team
    known.join([FAR])
    names.answer(cause=UNKNOWN)
    known.leave("rover_1")
    later.fire()
    assert names.asked == []
    known.join([FAR])
    known.leave("rover_1")
    names.answer("10.0.0.7")
    assert connected == []


def test_a_host_that_is_reached_no_more_is_looked_up_anew_and_followed(
    team: Any, connected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    known, names, later = team
    gone: list[str] = []
    monkeypatch.setattr(sockets, "disconnect", lambda socket, endpoint: gone.append(endpoint))
    ready = True
    monkeypatch.setattr(Dialled, "is_ready", lambda self, lane: ready)
    known.join([FAR])
    names.answer("10.0.0.7")
    later.fire()
    assert names.asked == []                         # connected: nobody asks
    ready = False
    later.fire()
    names.answer("10.0.0.7")                         # it is off, and has kept its address
    assert len(connected) == 2
    later.fire()
    names.answer("10.0.0.8")
    assert connected[2:] == ["tcp://10.0.0.8:7000", "tcp://10.0.0.8:7001"]
    assert gone == ["tcp://10.0.0.7:7000", "tcp://10.0.0.7:7001"]


def test_numbers_and_this_machine_are_not_looked_up(team: Any, connected: list[str]) -> None:
    known, names, _ = team
    known.join([Member(name=f"r{i}", role="agent", urgent=f"tcp://{host}:1", bulk=f"tcp://{host}:2")
                for i, host in enumerate(("10.0.0.1", "[fe80::1]", "localhost"))])
    assert names.asked == []
    assert len(connected) == 6


@pytest.mark.parametrize("error", [OSError(-2, UNKNOWN), UnicodeError("label too long"), None])
def test_a_look_up_does_not_hold_up_the_loop(error: Exception | None) -> None:
    loop, threads = Loop(MonotonicClock()), []

    def look_up(host: str) -> str:
        threads.append(threading.current_thread())
        if error is not None:
            raise error
        return "10.0.0.7"

    told: list[tuple[str, str]] = []

    def done(address: str, cause: str) -> None:
        told.append((address, cause))
        threads.append(threading.current_thread())
        loop.stop()

    NameLookup(loop, look_up).start("rover-1.local", done)
    loop.run()
    loop.close()
    cause = UNKNOWN if isinstance(error, OSError) else "label too long"
    assert told == [("10.0.0.7", "") if error is None else ("", cause)]
    assert threads[0] is not threads[1]
    assert threads[1] is threading.current_thread()


def no_such_name(*asked: object) -> object:
    raise OSError(-2, UNKNOWN)


def test_names_of_the_local_link_are_asked_there_where_the_system_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", no_such_name)
    monkeypatch.setattr(mdns, "look_up", lambda host: f"10.0.0.9 for {host}")
    assert look_up_ipv4("rover-1.Local.") == "10.0.0.9 for rover-1.Local."
    with pytest.raises(OSError, match=UNKNOWN):
        look_up_ipv4("rover-1.example")


class ZeroconfError(Exception):
    """The base of zeroconf's own errors: no OSError."""


def test_the_answer_of_the_local_link_is_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {"rover-1.local.": ["10.0.0.9"], "rover-2.local.": []}
    errors: dict[str, Exception] = {
        "rover-3.local.": ZeroconfError("the loop is blocked"), "rover-4.local.": RuntimeError("no new thread")}
    closed: list[bool] = []

    class Zeroconf:
        def __init__(self, ip_version: object) -> None: ...

        def close(self) -> None:
            closed.append(True)

    class Resolver:
        def __init__(self, server: str) -> None:
            self.server = server

        def request(self, asking: object, timeout_ms: float) -> bool:
            if self.server in errors:
                raise errors[self.server]
            return bool(answers[self.server])

        def parsed_addresses(self, version: object) -> list[str]:
            return answers[self.server]

    fake = SimpleNamespace(Zeroconf=Zeroconf, AddressResolverIPv4=Resolver, IPVersion=SimpleNamespace(V4Only=4),
                           Error=ZeroconfError)
    monkeypatch.setitem(sys.modules, "zeroconf", fake)
    assert mdns.look_up("rover-1.local") == "10.0.0.9"
    with pytest.raises(OSError, match="nobody on the local link"):
        mdns.look_up("rover-2.local")
    for host, why in (("rover-3.local", "the loop is blocked"), ("rover-4.local", "no new thread")):
        with pytest.raises(OSError, match=why):
            mdns.look_up(host)
    assert closed == [True] * 4
    monkeypatch.setitem(sys.modules, "zeroconf", None)
    with pytest.raises(OSError, match="zeroconf, which would ask the local link, is not installed"):
        mdns.look_up("rover-1.local")


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@pytest.mark.skipif(not has_ipv6(), reason="this host has no IPv6")
def test_members_reach_each_other_by_ipv6() -> None:
    net = Net()
    a = open_endpoint(net.loop, swarm="s", name="a", role="agent", boot=1, bind="[::1]")
    net.endpoints.append(a)
    b = net.endpoint("b")
    a.attach(net.got.setdefault("a", []).append)
    assert a.member.urgent.startswith("tcp://[::1]:")
    b.join([a.member])
    net.until(lambda: b.send("a", Start()))
    net.until(lambda: bool(net.got["a"]))
    net.close()
