"""Nobody who was not enrolled is heard: real sockets on loopback, every refusal counted, and logged once."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
import zmq

from swarm.core.ports import Received
from swarm.core.protocol.messages import Drain, Happened, Member, Roster, Start
from swarm.core.settings.process_files import ProcessFile
from swarm.membership.participant import Participant
from swarm.net.process import Process
from swarm.net.security.key_files import new_pair
from tests.net.harness import auth_of, connection_of
from tests.net.keyed import GREETING, Swarm, greet, logged, still_serves


def test_the_enrolled_talk_in_cipher_on_both_lanes(swarm: Swarm) -> None:
    a, b = swarm.endpoint("a"), swarm.endpoint("b")
    assert a.member.public_key == swarm.pair("a").public
    a.join([b.member])
    b.join([msgspec.structs.replace(a.member, public_key="")])       # a board's roster need not repeat the keys
    frame = np.arange(300_000, dtype=np.uint8)
    swarm.net.until(lambda: a.send("b", Start()) and b.send("a", Drain(), [frame]))
    swarm.net.until(lambda: bool(swarm.net.got["a"] and swarm.net.got["b"]))
    (came,) = swarm.net.got["a"]
    assert (came.sender, came.body) == ("b", Drain())
    assert np.array_equal(came.tensors[0], frame)
    assert a.statistics().refused == {}
    socket = next(iter(connection_of(a, "b").sockets.values()))
    assert socket.getsockopt(zmq.MECHANISM) == zmq.CURVE


# --- who does not get in ---


def test_one_without_a_key_gets_nothing_in(swarm: Swarm, caplog: pytest.LogCaptureFixture) -> None:
    a = swarm.endpoint("a")
    for _ in range(3):
        greet(a, GREETING)
    swarm.until_refused(a, "handshake", 3)
    assert logged(caplog, "handshake") == 1
    for _ in range(3):
        swarm.says(swarm.stranger(a, None), "b")
    swarm.until_turned_away(a, 6)
    still_serves(swarm, a)


def test_one_with_a_key_that_is_not_enrolled_gets_nothing_in(swarm: Swarm, caplog: pytest.LogCaptureFixture) -> None:
    a, pair = swarm.endpoint("a"), new_pair("b")
    swarm.says(swarm.stranger(a, pair), "b")
    swarm.until_refused(a, "unknown_key", 2)                 # it tries again and again
    assert logged(caplog, "unknown_key") == 1
    assert f"key {pair.fingerprint} from 127.0.0.1 is not enrolled" in caplog.text
    still_serves(swarm, a)


def test_one_that_takes_our_key_for_another_gets_nothing_in(swarm: Swarm, caplog: pytest.LogCaptureFixture) -> None:
    a = swarm.endpoint("a")
    swarm.says(swarm.stranger(a, swarm.pair("b"), server=new_pair("a").public), "b")
    swarm.until_turned_away(a, 2)
    assert logged(caplog, "handshake") <= 1
    still_serves(swarm, a)


def test_one_who_was_revoked_gets_no_new_connection(swarm: Swarm, caplog: pytest.LogCaptureFixture) -> None:
    pair = swarm.pair("b")
    swarm.folder.revoke("b")
    a = swarm.endpoint("a")
    swarm.says(swarm.stranger(a, pair), "b")
    swarm.until_refused(a, "unknown_key", 2)
    assert logged(caplog, "unknown_key") == 1
    assert swarm.net.got["a"] == []


def test_one_who_is_revoked_is_not_heard_on_a_connection_that_stands(
    swarm: Swarm, caplog: pytest.LogCaptureFixture
) -> None:
    a, b = swarm.joined()
    swarm.folder.revoke("b")
    swarm.net.until(lambda: a.peers() == [])                 # nothing goes there either
    assert not a.send("b", Start())
    big = np.zeros(300_000, np.uint8)
    for i in range(3):
        assert b.send("a", Happened(what="still here", detail={"i": i}))
        b.send("a", Drain(), [big])
    swarm.until_refused(a, "revoked", 4)                     # on both lanes
    assert logged(caplog, "revoked") == 1
    assert len(swarm.net.got["a"]) == 1


def test_an_enrolled_peer_cannot_take_anothers_name_in_a_header(swarm: Swarm, caplog: pytest.LogCaptureFixture) -> None:
    swarm.folder.enrol(swarm.folder.new("mallory").key)
    a = swarm.endpoint("a")
    socket = swarm.stranger(a, swarm.pair("mallory"), name="mallory")
    for _ in range(3):
        swarm.says(socket, "b")
    swarm.until_refused(a, "sender", 3)
    assert logged(caplog, "sender") == 1
    still_serves(swarm, a)


@pytest.mark.parametrize("claimed", ["b", "mallory"])
def test_an_enrolled_peer_cannot_take_anothers_routing_id(
    swarm: Swarm, caplog: pytest.LogCaptureFixture, claimed: str
) -> None:
    """Neither with that name in the header nor with its own; and the one it played is still heard."""
    swarm.folder.enrol(swarm.folder.new("mallory").key)
    a, b = swarm.endpoint("a"), swarm.endpoint("b", boot=7)
    b.join([a.member])
    swarm.net.until(lambda: b.send("a", Start()))
    swarm.net.until(lambda: len(swarm.net.got["a"]) == 1)
    socket = swarm.stranger(a, swarm.pair("mallory"), name="b")
    for _ in range(3):
        swarm.says(socket, claimed)
    swarm.until_refused(a, "routing_id", 3)
    assert logged(caplog, "routing_id") == 1
    swarm.net.until(lambda: b.send("a", Drain()))
    swarm.net.until(lambda: len(swarm.net.got["a"]) == 2)
    assert {(m.sender, m.boot) for m in swarm.net.got["a"]} == {("b", 7)}


def test_one_who_was_taken_for_another_is_not_talked_to(swarm: Swarm, caplog: pytest.LogCaptureFixture) -> None:
    """A member announced with another key than its enrolled one, or without one, is not connected to."""
    a = swarm.endpoint("a")
    false = Member(name="b", role="agent", urgent="tcp://127.0.0.1:1", bulk="tcp://127.0.0.1:2",
                   public_key=new_pair("b").public)
    unknown = Member(name="c", role="agent", urgent="tcp://127.0.0.1:1", bulk="tcp://127.0.0.1:2")
    a.join([false, unknown, false, unknown])
    assert a.peers() == []
    assert a.statistics().refused == {"public_key": 2, "not_enrolled": 2}
    assert (logged(caplog, "public_key"), logged(caplog, "not_enrolled")) == (1, 1)


def test_what_we_send_reaches_only_the_owner_of_the_enrolled_key(swarm: Swarm) -> None:
    """An impostor at a member's address, who has its public key but not its secret one."""
    impostor, real = new_pair("b"), swarm.pair("b")
    trap = swarm.context.socket(zmq.ROUTER)
    trap.setsockopt(zmq.CURVE_SERVER, 1)
    trap.setsockopt_string(zmq.CURVE_SECRETKEY, impostor.secret)
    trap.bind("tcp://127.0.0.1:*")
    monitor = trap.get_monitor_socket(
        zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL)
    address = trap.getsockopt_string(zmq.LAST_ENDPOINT)
    a = swarm.endpoint("a")
    a.join([Member(name="b", role="agent", urgent=address, bulk=address, public_key=real.public)])
    assert not a.send("b", Start())                          # it connects now
    swarm.net.until(lambda: monitor.poll(0) > 0)             # the handshake failed
    assert not a.send("b", Start())
    assert not trap.poll(0)


# --- without a restart ---


def test_who_is_enrolled_later_gets_in_and_is_called(swarm: Swarm) -> None:
    c = swarm.folder.new("c")
    a, late = swarm.endpoint("a"), swarm.endpoint("c")
    a.join([late.member])
    late.join([a.member])
    late.send("a", Start())                                  # it connects now
    swarm.until_refused(a, "unknown_key")
    assert a.statistics().refused["not_enrolled"] == 1
    swarm.folder.enrol(c.key)
    swarm.net.until(lambda: late.send("a", Start()) and a.send("c", Start()))
    swarm.net.until(lambda: bool(swarm.net.got["a"] and swarm.net.got["c"]))
    assert (a.peers(), swarm.net.got["a"][0].sender) == (["c"], "c")


def test_a_peer_with_a_new_key_is_heard_after_its_restart(swarm: Swarm) -> None:
    a, old = swarm.endpoint("a"), swarm.endpoint("b")
    a.join([old.member])
    swarm.net.until(lambda: a.send("b", Start()))
    old.close()
    swarm.folder.revoke("b")
    (swarm.folder.path / "b.key").unlink()
    swarm.folder.enrol(swarm.folder.new("b").key)
    new = swarm.endpoint("b", boot=2)
    ring = auth_of(a)._ring
    swarm.net.until(lambda: ring.public("b") == new.member.public_key)
    a.join([new.member])
    new.join([a.member])
    swarm.net.until(lambda: a.send("b", Start()) and new.send("a", Drain()))
    swarm.net.until(lambda: any(m.boot == 2 for m in swarm.net.got["a"]))


def test_a_key_file_that_is_spoiled_while_we_run_is_refused_by_name(
    swarm: Swarm, caplog: pytest.LogCaptureFixture
) -> None:
    a, b = swarm.joined()
    (swarm.folder.path / "enrolled" / "b.pub").chmod(0o666)
    swarm.until_refused(a, "malformed_key")
    assert "b.pub: others may write it (mode 0666)" in caplog.text
    assert a.peers() == []
    b.send("a", Drain())
    swarm.until_refused(a, "revoked")
    assert all(m.body != Drain() for m in swarm.net.got["a"])


# --- without keys ---


@pytest.mark.parametrize(("security", "joined"), [("", ["launcher", "b"]), ("plaintext", ["launcher", "b", "away"])])
def test_without_keys_a_roster_leads_beyond_this_machine_only_where_the_file_says_so(
    security: str, joined: list[str]
) -> None:
    launcher = Member(name="launcher", role="launcher", urgent="tcp://127.0.0.1:1", bulk="tcp://127.0.0.1:2")
    roster = Roster(members=[
        msgspec.structs.replace(launcher, name="b", role="agent"),
        Member(name="away", role="agent", urgent="tcp://10.0.0.7:1", bulk="tcp://10.0.0.7:2"),
    ])
    settings = ProcessFile(version=1, swarm="s", name="a", launcher=launcher, security=security)
    process = Process(settings, "agent")
    participant = Participant(process.host, settings, lambda message: None)
    participant._received(Received("launcher", 1, roster, [], None, 0, 0))
    assert process.net.peers() == joined
    assert participant.refused == 3 - len(joined)
    process.net.close()
    process.loop.close()
