"""The base of all messages, a member's addresses, and the bulk lane's own messages."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from swarm.core.protocol.bounds import NAME_MAX, Count, ShortText

Endpoint = Annotated[str, Meta(max_length=300)]      # a host's name has 253 characters at most (RFC 1035)


class Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag=str.lower):
    """Base of all messages; the tag is the class's name in lower case."""


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """How to reach a process of the swarm."""

    name: Annotated[str, Meta(max_length=NAME_MAX)]
    role: Annotated[str, Meta(max_length=16)]        # agent | planner | world | launcher | collector
    urgent: Endpoint                 # of the lane for control and small messages
    bulk: Endpoint                   # of the lane for tensors
    public_key: Annotated[str, Meta(max_length=40)] = ""     # CURVE key, Z85; empty on plaintext loopback
    boot: Count = 0                  # which start of the process it is; 0: any, as in files that people write


class Credit(Message, frozen=True, kw_only=True):
    """Carries only the receipt in its envelope."""


class Chunk(Message, frozen=True, kw_only=True):
    """A piece of a tensor whose message was announced as a transfer; its bytes follow the header."""

    transfer: Count
    tensor: Count                    # index among the announced ones
    offset: Count                    # bytes


class TransferEnded(Message, frozen=True, kw_only=True):
    """The sender of a transfer stops it before its end."""

    transfer: Count


class TransferRefused(Message, frozen=True, kw_only=True):
    """The receiver of a transfer does not accept it."""

    transfer: Count
    reason: ShortText
