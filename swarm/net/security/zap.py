"""Who is let in: CURVE on every connection, an allow-list asked by ZAP (RFC 27), and the sender bound to its key.

All of it runs in the loop's thread. The answer to ZeroMQ's question carries the peer's key as the user id of the
connection, which comes with every message: so a key that is revoked is refused on connections that stand, too.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import zmq
from zmq.utils import z85

from swarm.core.clock import ns
from swarm.core.protocol.messages import Member
from swarm.core.protocol.wire import WireError
from swarm.net.loop import Loop
from swarm.net.security.key_files import fingerprint
from swarm.net.security.keyring import Change, Keyring
from swarm.net.sockets import TURN_MESSAGES, UNNAMED

log = logging.getLogger(__name__)

ZAP_ADDRESS = "inproc://zeromq.zap.01"
DOMAIN = b"swarm"
MECHANISM = b"CURVE"
RELOAD_NS = ns(1.0)                  # a key is revoked within this time
HANDSHAKE_MS = 5000                  # then a connection that has not shown a key we know is cut


class Authenticator:
    """The door of one endpoint's context.

    refuse: told of everything that is refused, by cause: `unknown_key`, `malformed_key`, `zap`. changed: told of
    members that were enrolled, revoked, or have another key.
    """

    def __init__(
        self, context: zmq.Context[Any], loop: Loop, ring: Keyring, *, refuse: Callable[[WireError], None],
        changed: Callable[[frozenset[str]], None],
    ) -> None:
        self._loop, self._ring, self._refuse, self._changed = loop, ring, refuse, changed
        self._zap: zmq.Socket[Any] = context.socket(zmq.ROUTER)
        self._zap.setsockopt(zmq.LINGER, 0)
        self._zap.bind(ZAP_ADDRESS)
        loop.watch(self._zap, self._asked)
        self._reloading = loop.every(RELOAD_NS, self._reload)
        self._told(ring.first)

    def serve(self, socket: zmq.Socket[Any]) -> None:
        """Prepare a socket that will be bound: only those whose key we know get in."""
        own = self._ring.own
        socket.setsockopt(zmq.CURVE_SERVER, 1)
        socket.setsockopt_string(zmq.CURVE_PUBLICKEY, own.public)
        socket.setsockopt_string(zmq.CURVE_SECRETKEY, own.secret)
        socket.setsockopt(zmq.ZAP_DOMAIN, DOMAIN)
        socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)         # with nobody to ask, nobody gets in
        socket.setsockopt(zmq.HANDSHAKE_IVL, HANDSHAKE_MS)

    def dial(self, socket: zmq.Socket[Any], member: Member) -> None:
        """Prepare a socket that will be connected to a member: only the owner of its enrolled key can read us.

        Raises: WireError `not_enrolled`, or `public_key` where the member is announced with another key.
        """
        own, public = self._ring.own, self._ring.public(member.name)
        if public is None:
            raise WireError("not_enrolled", f"no key of {member.name} is enrolled")
        if member.public_key not in ("", public):
            raise WireError("public_key", f"{member.name} is announced with another key than its enrolled one")
        socket.setsockopt_string(zmq.CURVE_SERVERKEY, public)
        socket.setsockopt_string(zmq.CURVE_PUBLICKEY, own.public)
        socket.setsockopt_string(zmq.CURVE_SECRETKEY, own.secret)

    def sender_of(self, identity: zmq.Frame) -> str:
        """Whose key the message came with that follows this frame.

        It need not go by a name. Raises: WireError `revoked` if the key is nobody's any more, `routing_id` if the
        connection goes by another's name.
        """
        public = str(identity.get("User-Id"))
        owner = self._ring.owner(public)
        if owner is None:
            raise WireError("revoked", f"key {public} is no longer enrolled")
        routing_id = identity.bytes
        if routing_id[:1] != UNNAMED and routing_id != owner.encode():
            raise WireError("routing_id", f"{owner} calls itself {routing_id.decode(errors='replace')!r}")
        return owner

    def close(self) -> None:
        """Before the context's sockets are closed."""
        self._reloading.cancel()
        self._loop.unwatch(self._zap)

    # --- what happens at the door ---

    def _asked(self) -> None:
        """ZeroMQ asks whether a connection may stand; a question that is none is not answered."""
        for _ in range(TURN_MESSAGES):
            try:
                frames = self._zap.recv_multipart(zmq.DONTWAIT)
            except zmq.Again:
                return
            match frames:
                case [route, b"", b"1.0", request, _, address, _, mechanism, *credentials]:
                    key = self._admitted(address, mechanism, credentials)
                    # 300, try again, rather than 400, never again: who is enrolled later gets in without a restart.
                    answer = [b"200", b"OK", key] if key else [b"300", b"not enrolled", b""]
                    self._zap.send_multipart([route, b"", b"1.0", request, *answer, b""])
                case _:
                    self._refuse(WireError("zap", f"a question of {len(frames)} frames is none of RFC 27"))

    def _admitted(self, address: bytes, mechanism: bytes, credentials: list[bytes]) -> bytes:
        """The key, in Z85, if it is one of ours, else nothing."""
        if mechanism != MECHANISM or len(credentials) != 1 or len(credentials[0]) != 32:
            self._refuse(WireError("zap", f"no CURVE key from {address.decode(errors='replace')}"))
            return b""
        key = z85.encode(credentials[0])
        if self._ring.owner(key.decode()) is None:
            where = address.decode(errors="replace")
            self._refuse(WireError("unknown_key", f"key {fingerprint(key.decode())} from {where} is not enrolled"))
            return b""
        return key

    def _reload(self) -> None:
        change = self._ring.reload()
        self._told(change)
        if change.names:
            self._changed(change.names)

    def _told(self, change: Change) -> None:
        for why in change.refused.values():
            log.warning("refused a key: %s", why)            # each file by its name
            self._refuse(WireError("malformed_key", "a file of the allow-list"))
