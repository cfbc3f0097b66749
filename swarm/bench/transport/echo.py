"""The other side of `swarm bench transport`: `python -m swarm.bench.transport.echo bare PAYLOAD_BYTES`, or
`endpoint BUSY_POLL_S [KEYS]`.

Answers every request with a small reply: the endpoint with a refusal, the bare echo with about as many bytes.
"""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from swarm.bench.support import peer
from swarm.bench.transport.bare import BareEcho
from swarm.core.ports import Received
from swarm.core.protocol.messages import Member, StageAsk, StageRefusal
from swarm.net.security.keyring import Keyring


class Address(msgspec.Struct, frozen=True):
    """The address of a bare echo."""

    endpoint: str


def bare(payload_bytes: int) -> None:
    echo = BareEcho(payload_bytes)
    peer.send_to_parent(Address(echo.address))
    peer.end_with_parent()
    echo.run()


def endpoint(busy_poll_s: float, keyring: Keyring | None) -> None:
    def received(message: Received) -> None:
        if isinstance(message.body, StageAsk):
            side.answer(message.sender, StageRefusal(request=message.body.request, reason="full"))

    side = peer.Peer("echo", received, keyring=keyring, busy_poll_s=busy_poll_s)
    peer.send_to_parent(side.net.member)
    other = peer.receive_from_parent(Member)
    peer.end_with_parent()
    side.meet(other)
    side.loop.run()


if __name__ == "__main__":
    if sys.argv[1] == "bare":
        bare(int(sys.argv[2]))
    else:
        endpoint(float(sys.argv[2]), Keyring(Path(sys.argv[3]), "echo") if len(sys.argv) > 3 else None)
