"""The decoder under fire: whatever comes, only a WireError comes out, and no length is believed."""

from __future__ import annotations

import collections
import struct
import tracemalloc

import msgpack
import pytest

from swarm.core.protocol import wire
from tests.core.mutate import Mutator, seeds
from tests.core.peak import growth_bytes

MESSAGES = 50_000                    # none of them right; of two and a half frames on average
MANY_MESSAGES = 200_000
GROWTH_BYTES = 32 << 20              # of the process at its highest, over all of them
PLAIN = {"v": wire.PROTOCOL, "swarm": "s", "sender": "a", "boot": 1, "body": {"kind": "start"}}
ROOM = wire.MAX_HEADER_BYTES - 200


def under_fire(messages: int) -> collections.Counter[str]:
    """What became of all the mutated messages."""
    mutator, causes = Mutator(seeds(), 7), collections.Counter[str]()
    for _ in range(messages):
        frames = mutator.next()
        try:
            envelope, tensors = wire.decode(frames)
        except wire.WireError as error:
            causes[error.cause] += 1
        else:
            causes["taken"] += 1
            assert envelope.v == wire.PROTOCOL
            assert sum(t.nbytes for t in tensors) <= sum(map(len, frames))
    return causes


@pytest.mark.parametrize("messages", [MESSAGES, pytest.param(MANY_MESSAGES, marks=pytest.mark.long)])
def test_mutated_messages_never_do_more_than_raise_wire_error(messages: int) -> None:
    grew_bytes, causes = growth_bytes(under_fire, messages)
    assert grew_bytes < GROWTH_BYTES
    assert causes.keys() == {"taken", "header", "version", "tensor"}
    assert min(causes.values()) > messages / 1000            # each kind was met
    assert causes["header"] > messages / 2


def field(name: str, value: bytes) -> bytes:
    """A right header with one more field, whose value is packed already."""
    packed = bytearray(msgpack.packb(PLAIN))
    packed[0] += 1
    return bytes(packed) + msgpack.packb(name) + value


def array(item: bytes) -> bytes:
    """As many items as fit a header."""
    count = (ROOM - 5) // len(item)
    return b"\xdd" + struct.pack(">I", count) + item * count


BOMBS = {
    "an array that is not there": b"\xdd\xff\xff\xff\xff",
    "a map that is not there": b"\xdf\xff\xff\xff\xff",
    "tensors that are not there": field("tensors", b"\xdd\xff\xff\xff\xff"),
    "bytes that are not there": field("inline", b"\x91\xc6\xff\xff\xff\xff"),
    "text that is not there": field("swarm", b"\xdb\xff\xff\xff\xff"),
    "arrays of arrays, each said to be long": field("tensors", b"\xdc\xff\xff" * (ROOM // 3)),
    "the same where nobody looks": field("unknown", b"\xdc\xff\xff" * (ROOM // 3)),
    "depth": field("unknown", b"\x91" * ROOM),
    "nothing, often": field("unknown", array(b"\x80")),
    "tensors of nothing": field("tensors", array(b"\x92\xa0\x90")),
    "inline tensors of nothing": field("inline", array(b"\xc4\x00")),
    "a shape of a million dimensions": field("tensors", b"\x91\x92\xa5uint8" + array(b"\x7f")),
    "an element type of a long name": field("tensors", msgpack.packb([["x" * ROOM, [1]]])),
    "a long name": field("swarm", msgpack.packb("x" * ROOM)),
    "a tensor of sixty-five MiB": field("tensors", msgpack.packb([["uint8", [65 << 20]]])),
    "a tensor of no bytes and any size": field("tensors", msgpack.packb([["uint8", [0, 2**40, 2**40]]])),
    "sixteen large tensors": field("tensors", msgpack.packb([["uint8", [64 << 20]]] * 16)),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_small_header_cannot_have_much_allocated(bomb: str) -> None:
    """At most fifty times its own size, and what is said of it is short."""
    header = BOMBS[bomb]
    assert len(header) <= wire.MAX_HEADER_BYTES
    tracemalloc.start()
    said = ""
    try:
        wire.decode([header])
    except wire.WireError as error:
        said = str(error)
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert len(said) < 250
    assert peak < 50 * len(header) + (64 << 10)
