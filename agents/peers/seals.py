"""Proves to a peer that a request which another agent passes on to it was sent by its owner along this way.

Each agent gives each peer a key, in its advert. With the key of the peer that is to run a leg it seals what that peer
may run, and who passes it on. So an agent can ask for nothing in another's name, but for the legs that its owner gave
it.
Messages that are not encrypted give the keys away. Deterministic.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from itertools import pairwise

from swarm.core.policy.plan import Leg
from swarm.core.protocol.messages.presence import KEY_BYTES
from swarm.core.protocol.messages.requests import SEAL_BYTES, StageAsk
from swarm.core.protocol.spans import RequestId


class Seals:
    """The seals of one agent. secret: known to nobody else, at most 64 bytes; other starts of the agent have others."""

    def __init__(self, name: str, secret: bytes) -> None:
        self._name, self._secret = name, secret
        self._own: dict[str, bytes] = {}             # by peer
        self._own_hashes: dict[str, hashlib.blake2b] = {}    # the same keys, as `_keyed` makes them
        self._given: dict[str, hashlib.blake2b] = {}         # by owner: of the key that it gave us

    def key_for(self, peer: str) -> bytes:
        """The key that a peer gets."""
        key = self._own.get(peer)
        if key is None:
            key = self._own[peer] = hashlib.blake2b(peer.encode(), key=self._secret, digest_size=KEY_BYTES).digest()
        return key

    def learn(self, owner: str, key: bytes) -> None:
        """An agent has given us a key, or none; each of its starts gives another one."""
        self._given.pop(owner, None)
        if key:                                      # without one anybody could make its seals
            self._given[owner] = _keyed(key)

    def of_route(self, request: RequestId, model: str, variant: str, route: Sequence[Leg]) -> bytes:
        """The seals for all legs of an own request on peers but the first, one after the other."""
        return b"".join(_seal(self._hash_for(leg.agent), request, model, variant, leg.first, leg.last, before.agent)
                        for before, leg in pairwise(route))

    def is_from_owner(self, ask: StageAsk, sender: str) -> bool:
        """Whether the owner of a request has sent it to us, itself or along a way that ends with the sender."""
        owner = ask.request.agent
        if owner == sender:
            return True
        keyed = self._given.get(owner)
        return keyed is not None and ask.seals[:SEAL_BYTES] == _seal(
            keyed, ask.request, ask.model, ask.variant, ask.first, ask.last, sender)

    def _hash_for(self, peer: str) -> hashlib.blake2b:
        known = self._own_hashes.get(peer)
        if known is None:
            known = self._own_hashes[peer] = _keyed(self.key_for(peer))
        return known


def _keyed(key: bytes) -> hashlib.blake2b:
    """A hash that has taken in its key; what comes next makes it do so, and each seal goes on from a copy."""
    keyed = hashlib.blake2b(key=key, digest_size=SEAL_BYTES)
    keyed.update(b" ")
    return keyed


def _seal(
    keyed: hashlib.blake2b, request: RequestId, model: str, variant: str, first: int, last: int, sender: str
) -> bytes:
    # names have no spaces
    what = f"{request.agent} {request.boot} {request.sequence} {model} {variant} {first} {last} {sender}"
    seal = keyed.copy()
    seal.update(what.encode())
    return seal.digest()
