"""A peer with bare sockets, which says whatever a test wants it to say."""

from __future__ import annotations

from typing import Any

import numpy as np
import zmq

from swarm.core.protocol.messages import Body, Member
from swarm.core.protocol.wire import PROTOCOL, Envelope, decode, encode, header_of, with_crc, without_crc
from swarm.transport.endpoint import Endpoint
from swarm.transport.ports import LANES


class RawPeer:
    """Sends to one endpoint on both lanes, without bounds, and hears what comes back if it is joined."""

    def __init__(self, to: Endpoint, name: str = "raw") -> None:
        self.name = name
        self._context: zmq.Context[Any] = zmq.Context()
        self._context.setsockopt(zmq.LINGER, 0)              # a test that fails ends, too
        self._out: dict[str, zmq.Socket[Any]] = {}
        self._in: dict[str, zmq.Socket[Any]] = {}
        for lane in LANES:
            out, heard = self._context.socket(zmq.DEALER), self._context.socket(zmq.ROUTER)
            out.setsockopt_string(zmq.ROUTING_ID, name)
            out.setsockopt(zmq.SNDHWM, 0)
            out.connect(getattr(to.member, lane))
            heard.bind("tcp://127.0.0.1:*")
            self._out[lane], self._in[lane] = out, heard
        urgent, bulk = (self._in[lane].getsockopt_string(zmq.LAST_ENDPOINT) for lane in LANES)
        self.member = Member(name=name, role="agent", urgent=urgent, bulk=bulk)

    def envelope(self, body: Body, *tensors: np.ndarray, **fields: Any) -> Envelope:
        announced = [header_of(t) for t in tensors]
        plain = {"v": PROTOCOL, "swarm": "s", "sender": self.name, "boot": 1, "tensors": announced}
        return Envelope(body=body, **plain | fields)

    def say(self, lane: str, body: Body, *tensors: np.ndarray, **fields: Any) -> None:
        """A message that is right but for what `fields` say."""
        self.frames(lane, encode(self.envelope(body, *tensors, **fields), tensors))

    def frames(self, lane: str, frames: list[Any]) -> None:
        self._out[lane].send_multipart([with_crc(bytes(frames[0])), *frames[1:]], copy=True)

    def heard(self) -> list[Envelope]:
        """What has come since this was last asked."""
        came: list[Envelope] = []
        for socket in self._in.values():
            while socket.poll(0):
                _, head, *rest = socket.recv_multipart()
                came.append(decode([without_crc(head), *rest])[0])
        return came

    def close(self) -> None:
        self._context.destroy(linger=0)
