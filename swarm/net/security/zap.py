"""Authentication: CURVE on every connection, an allow-list by ZAP (RFC 27), and each sender bound to its key.

Everything runs in the loop's thread. Our reply to a ZAP request sets the peer's key as the user id of the connection,
and ZeroMQ attaches it to every message, so that a revoked key is refused on open connections, too.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import zmq
from zmq.utils import z85

from swarm.core.protocol.messages import Member
from swarm.core.protocol.wire import WireError
from swarm.core.units import ns
from swarm.net.loop import Loop
from swarm.net.security.accept_pace import AcceptPace
from swarm.net.security.key_files import fingerprint
from swarm.net.security.keyring import Change, Keyring
from swarm.net.sockets import UNNAMED, waiting

log = logging.getLogger(__name__)

ZAP_ADDRESS = "inproc://zeromq.zap.01"
DOMAIN = b"swarm"
MECHANISM = b"CURVE"
RELOAD_NS = ns(1.0)                  # a revoked key is refused within this time
BARRED_NS = ns(2.0)
HANDSHAKE_MS = 5000                  # a connection without a completed handshake is closed then


class Authenticator:
    """Authentication for the sockets of one context.

    refuse: called for each refusal, with the cause `unknown_key`, `malformed_key` or `zap`. changed: called with the
    members that were enrolled or revoked, or have another key.
    """

    def __init__(
        self, context: zmq.Context[Any], loop: Loop, ring: Keyring, *, refuse: Callable[[WireError], None],
        changed: Callable[[frozenset[str]], None],
    ) -> None:
        self._loop, self._ring, self._refuse, self._changed = loop, ring, refuse, changed
        self._barred: dict[str, int] = {}            # until when a member may not connect
        self._pace = AcceptPace(lambda name: ring.public(name) is not None)
        self._zap: zmq.Socket[Any] = context.socket(zmq.ROUTER)
        self._zap.setsockopt(zmq.LINGER, 0)
        self._zap.bind(ZAP_ADDRESS)
        loop.watch(self._zap, self._requested)
        self._reload_timer = loop.every(RELOAD_NS, self._reload)
        self._report(ring.first_change)

    def serve(self, socket: zmq.Socket[Any]) -> None:
        """Prepare a socket that will be bound: only enrolled keys are accepted."""
        own = self._ring.own
        socket.setsockopt(zmq.CURVE_SERVER, 1)
        socket.setsockopt_string(zmq.CURVE_PUBLICKEY, own.public)
        socket.setsockopt_string(zmq.CURVE_SECRETKEY, own.secret)
        socket.setsockopt(zmq.ZAP_DOMAIN, DOMAIN)
        socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)         # without a ZAP reply, no connection is accepted
        socket.setsockopt(zmq.HANDSHAKE_IVL, HANDSHAKE_MS)

    def check(self, member: Member) -> str:
        """The key of a member.

        Raises: WireError `not_enrolled`, `public_key` if it is announced with another one, `role` with another role.
        """
        public = self._ring.public(member.name)
        if public is None:
            raise WireError("not_enrolled", f"no key of {member.name} is enrolled")
        if member.public_key not in ("", public):
            raise WireError("public_key", f"{member.name} is announced with another key than its enrolled one")
        if member.role != self._ring.role(member.name):
            raise WireError("role", f"the key of {member.name} is that of a {self._ring.role(member.name)}, and it is "
                                    f"announced as a {member.role}")
        return public

    def dial(self, socket: zmq.Socket[Any], member: Member) -> None:
        """Prepare a socket that will be connected to a member: only the owner of its key can read our messages.

        Raises: as `check`.
        """
        own, public = self._ring.own, self.check(member)
        socket.setsockopt_string(zmq.CURVE_SERVERKEY, public)
        socket.setsockopt_string(zmq.CURVE_PUBLICKEY, own.public)
        socket.setsockopt_string(zmq.CURVE_SECRETKEY, own.secret)

    def sender_of(self, identity: zmq.Frame) -> str:
        """The member that owns the key of this frame's connection. The connection itself may be unnamed.

        Raises: WireError `revoked` if the key is no longer enrolled, `routing_id` if it claims another name.
        """
        public = str(identity.get("User-Id"))
        owner = self._ring.owner(public)
        if owner is None:
            raise WireError("revoked", f"key {public} is no longer enrolled")
        routing_id = identity.bytes
        if routing_id[:1] != UNNAMED and routing_id != owner.encode():
            raise WireError("routing_id", f"{owner} claims the name {routing_id.decode(errors='replace')!r}")
        return owner

    def bar(self, name: str) -> None:
        """Accept no new connection of a member for a while: it sends too much."""
        self._barred[name] = self._loop.clock.now_ns() + BARRED_NS

    def lets_in(self, address: str) -> bool:
        """Whether a new connection from this address goes on with its handshake."""
        return self._pace.lets_in(address, self._loop.clock.now_ns())

    def close(self) -> None:
        """To be called before the context's sockets are closed."""
        self._reload_timer.cancel()
        self._loop.unwatch(self._zap)

    # --- ZAP ---

    def _requested(self) -> None:
        """ZeroMQ asks whether to accept a connection; malformed requests get no reply."""
        for frames in waiting(self._zap):
            match frames:
                case [route, b"", b"1.0", request, _, address, _, mechanism, *credentials]:
                    key = self._enrolled_key(address, mechanism, credentials)
                    # 300 (try again), not 400 (never), so that a peer enrolled later connects without a restart.
                    answer = [b"200", b"OK", key] if key else [b"300", b"not enrolled", b""]
                    self._zap.send_multipart([route, b"", b"1.0", request, *answer, b""])
                case _:
                    self._refuse(WireError("zap", f"a request of {len(frames)} frames is not of RFC 27"))

    def _enrolled_key(self, address: bytes, mechanism: bytes, credentials: list[bytes]) -> bytes:
        """The key in Z85 if it is enrolled, otherwise empty."""
        if mechanism != MECHANISM or len(credentials) != 1 or len(credentials[0]) != 32:
            self._refuse(WireError("zap", f"no CURVE key from {address.decode(errors='replace')}"))
            return b""
        key = z85.encode(credentials[0])
        owner = self._ring.owner(key.decode())
        now, where = self._loop.clock.now_ns(), address.decode(errors="replace")
        if owner is not None and now < self._barred.get(owner, 0):
            return b""
        if owner is None:
            self._refuse(WireError("unknown_key", f"key {fingerprint(key.decode())} from {where} is not enrolled"))
            return b""
        if not self._pace.admits(owner, where, now):
            self._refuse(WireError("sessions", f"{owner} opens too many connections; those from {where} are slowed"))
            return b""
        return key

    def _reload(self) -> None:
        change = self._ring.reload()
        self._report(change)
        if change.names:
            self._changed(change.names)

    def _report(self, change: Change) -> None:
        for why in change.refused.values():
            log.warning("refused a key: %s", why)            # once for each file
            self._refuse(WireError("malformed_key", "a file of the allow-list"))
