# pyright: reportUnknownMemberType=false
"""The attacker's bare sockets, and the listener that throws everything away: ZeroMQ without any of our bounds."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import zmq
from numpy.typing import NDArray

from swarm.bench.siege.words import ATTACKER, SWARM, Target
from swarm.bench.support.peer import end_with_parent, send_to_parent
from swarm.core.protocol.messages import Body
from swarm.core.protocol.wire import PROTOCOL, Envelope, TensorHeader, encode, header_of, with_crc
from swarm.net.security.key_files import new_pair, read_pair

TURN = 256                           # messages of one lane before the other has its turn


class Where(msgspec.Struct, frozen=True, kw_only=True):
    """The lanes of the listener."""

    urgent: str
    bulk: str
    public_key: str


class Sender:
    """A member's sockets to one process, with the attacker's key or another one; it bounds nothing."""

    def __init__(
        self, target: Target, *, known: bool = True, launcher: bool = False, reconnects: bool = True
    ) -> None:
        self._context: zmq.Context[Any] = zmq.Context()
        own = read_pair(Path(target.keys) / f"{ATTACKER}.key", ATTACKER) if known else new_pair(ATTACKER)
        lanes = {"urgent": target.launcher} if launcher else {"urgent": target.urgent, "bulk": target.bulk}
        self._sockets: dict[str, zmq.Socket[Any]] = {}
        for lane, address in lanes.items():
            socket = self._sockets[lane] = self._context.socket(zmq.DEALER)
            socket.setsockopt(zmq.LINGER, 0)
            socket.setsockopt(zmq.SNDHWM, 1000)
            socket.setsockopt(zmq.RECONNECT_IVL, 20 if reconnects else -1)
            socket.setsockopt_string(zmq.CURVE_SERVERKEY, target.launcher_key if launcher else target.public_key)
            socket.setsockopt_string(zmq.CURVE_PUBLICKEY, own.public)
            socket.setsockopt_string(zmq.CURVE_SECRETKEY, own.secret)
            socket.connect(address)

    def say(
        self, body: Body, tensors: Sequence[NDArray[Any]] = (), *, lane: str = "urgent",
        announced: Sequence[TensorHeader] = (), **fields: Any,
    ) -> bool:
        """Send one message. False: no room now. announced: tensors that are to follow in chunks."""
        heads = list(announced) or [header_of(tensor) for tensor in tensors]
        envelope = Envelope(v=PROTOCOL, swarm=SWARM, sender=ATTACKER, boot=1, body=body, tensors=heads, **fields)
        head, *rest = encode(envelope, tensors)
        return self.frames([with_crc(bytes(head)), *rest], lane)

    def frames(self, frames: Sequence[Any], lane: str = "urgent") -> bool:
        """Send frames that were made before. False: no room within a millisecond."""
        socket = self._sockets[lane]
        if not socket.poll(1, zmq.POLLOUT):
            return False
        try:
            socket.send_multipart(list(frames), zmq.DONTWAIT)
        except zmq.Again:
            return False
        return True

    def more(self, piece: bytes) -> bool:
        """A frame of a message on the bulk lane that is never ended. False: no room within a millisecond."""
        socket = self._sockets["bulk"]
        if not socket.poll(1, zmq.POLLOUT):
            return False
        try:
            socket.send(piece, zmq.DONTWAIT | zmq.SNDMORE)
        except zmq.Again:
            return False
        return True

    def close(self) -> None:
        self._context.destroy(linger=0)


def header_frame(body: Body, **fields: Any) -> bytes:
    """The one frame of a message without tensors."""
    envelope = Envelope(v=PROTOCOL, swarm=SWARM, sender=ATTACKER, boot=1, body=body, **fields)
    return with_crc(bytes(encode(envelope)[0]))


def listen() -> None:
    """Take everything on two lanes and throw it away, with the same encryption as an agent. Never returns."""
    end_with_parent()
    context: zmq.Context[Any] = zmq.Context()
    pair, lanes = new_pair("listener"), []
    for _ in range(2):
        socket = context.socket(zmq.ROUTER)
        socket.setsockopt(zmq.CURVE_SERVER, 1)
        socket.setsockopt_string(zmq.CURVE_PUBLICKEY, pair.public)
        socket.setsockopt_string(zmq.CURVE_SECRETKEY, pair.secret)
        socket.bind("tcp://127.0.0.1:*")
        lanes.append(socket)
    urgent, bulk = (socket.getsockopt_string(zmq.LAST_ENDPOINT) for socket in lanes)
    send_to_parent(Where(urgent=urgent, bulk=bulk, public_key=pair.public))
    poller = zmq.Poller()
    for socket in lanes:
        poller.register(socket, zmq.POLLIN)
    while True:
        for socket, _ in poller.poll():
            for _ in range(TURN):
                try:
                    socket.recv_multipart(zmq.DONTWAIT, copy=False)
                except zmq.Again:
                    break


def picture() -> NDArray[np.uint8]:
    """An input of the detector."""
    return np.zeros((1, 72, 96, 3), np.uint8)


if __name__ == "__main__" and sys.argv[1:] == ["listen"]:
    listen()
