"""Endpoints with keys, and strangers with raw sockets, for tests over real sockets on loopback."""

from __future__ import annotations

import socket as plain
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import zmq

from swarm.core.protocol.messages import Happened, Start
from swarm.core.protocol.wire import PROTOCOL, Envelope, encode, with_crc
from swarm.net.lanes import open_endpoint
from swarm.net.security.key_files import KeyPair, read_pair
from swarm.net.security.key_folder import KeyFolder
from swarm.net.security.keyring import Keyring
from swarm.transport.endpoint import Endpoint
from tests.net.harness import Net
from tests.patience import HANG_S

RELOAD_S, HANDSHAKE_MS = 0.01, 200   # short, so that tests are
GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32)     # of ZMTP, without a key


class Swarm:
    """Endpoints with keys, and strangers with raw sockets, on one loop."""

    def __init__(self, folder: Path) -> None:
        self.net, self.folder = Net(), KeyFolder(folder / "keys")
        self.context: zmq.Context[Any] = zmq.Context()
        self.strangers: list[zmq.Socket[Any]] = []
        for name in ("a", "b"):
            self.folder.enrol(self.folder.new(name).key)

    def endpoint(self, name: str, boot: int = 1) -> Endpoint:
        inbox = self.net.got.setdefault(name, [])
        endpoint = open_endpoint(self.net.loop, swarm="s", name=name, role="agent", boot=boot, handler=inbox.append,
                            keyring=Keyring(self.folder.path, name))
        self.net.endpoints.append(endpoint)
        return endpoint

    def joined(self) -> tuple[Endpoint, Endpoint]:
        """a and b, which have heard each other."""
        a, b = self.endpoint("a"), self.endpoint("b")
        a.join([b.member])
        b.join([a.member])
        self.net.until(lambda: a.send("b", Start()))
        self.net.until(lambda: b.send("a", Start()))
        self.net.until(lambda: len(self.net.got["a"]) == len(self.net.got["b"]) == 1)
        return a, b

    def pair(self, name: str) -> KeyPair:
        return read_pair(self.folder.path / f"{name}.key", name)

    def stranger(self, to: Endpoint, pair: KeyPair | None, name: str = "b", server: str = "") -> zmq.Socket[Any]:
        """A socket that goes by any name, with any key or none, and takes any key for the server's."""
        socket = self.context.socket(zmq.DEALER)
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt_string(zmq.ROUTING_ID, name)
        if pair is not None:
            socket.setsockopt_string(zmq.CURVE_SERVERKEY, server or to.member.public_key)
            socket.setsockopt_string(zmq.CURVE_PUBLICKEY, pair.public)
            socket.setsockopt_string(zmq.CURVE_SECRETKEY, pair.secret)
        socket.connect(to.member.urgent)
        self.strangers.append(socket)                        # which would be closed if nobody knew it
        return socket

    def says(self, socket: zmq.Socket[Any], sender: str) -> None:
        socket.send_multipart(message(sender))

    def until_refused(self, by: Endpoint, cause: str, times: int = 1) -> None:
        self.net.until(lambda: by.statistics().refused.get(cause, 0) >= times)

    def until_turned_away(self, by: Endpoint, times: int) -> None:
        """So many handshakes came to nothing: refused by us, or broken off by a stranger that closed first."""
        def came_to_nothing() -> int:
            statistics = by.statistics()
            return statistics.refused.get("handshake", 0) + statistics.lanes["urgent"].broken_off

        self.net.until(lambda: came_to_nothing() >= times)

    def close(self) -> None:
        self.context.destroy(linger=0)
        self.net.close()


def greet(endpoint: Endpoint, said: bytes, *, stays: bool = True) -> None:
    """Connect to the urgent lane and say this much of a handshake; stay until we are cut, or go at once."""
    host, port = endpoint.member.urgent.removeprefix("tcp://").split(":")
    with suppress(ConnectionResetError), plain.create_connection((host, int(port)), timeout=HANG_S) as connection:
        connection.sendall(said)
        while stays and connection.recv(1024):
            pass


def message(sender: str, sequence: int = 0) -> list[Any]:
    """A message that is all right but for who may send it."""
    body = Happened(what="entered", detail={"sequence": sequence})
    (head,) = encode(Envelope(v=PROTOCOL, swarm="s", sender=sender, boot=1, body=body))
    return [with_crc(bytes(head))]


def logged(caplog: pytest.LogCaptureFixture, cause: str) -> int:
    return sum(f"({cause}: " in record.getMessage() for record in caplog.records)


def still_serves(swarm: Swarm, a: Endpoint) -> None:
    """The enrolled are heard, and nobody else was."""
    b = swarm.endpoint("b", boot=99)
    b.join([a.member])
    swarm.net.until(lambda: b.send("a", Start()))
    swarm.net.until(lambda: len(swarm.net.got["a"]) > 0)
    assert {(m.sender, m.boot, m.body) for m in swarm.net.got["a"]} == {("b", 99, Start())}
