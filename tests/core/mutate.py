"""Messages made wrong at random, for fuzzing: bytes that flip, frames that go, fields that lie."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import msgpack
import numpy as np

from swarm.core.protocol import messages as msg
from swarm.core.protocol import wire
from tests.core.test_wire import EXAMPLES, envelope, frames_of

Frames = list[bytes]
EDGES = (0, 1, -1, 7, 127, 128, 255, 256, 2**15, 2**31, 2**32, 2**53, 2**62, 2**63 - 1, 2**64 - 1, -(2**63), 64 << 20,
         (64 << 20) + 1, 0.0, 1e-300, 1e308, float("nan"), float("inf"), float("-inf"), True, None, "", "x", b"",
         [], {})
CLAIMS = (*(code + length for code in (b"\xdd", b"\xdf", b"\xdb", b"\xc6", b"\xc9")
            for length in (b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\1\0\0")), b"\xdc\xff\xff", b"\xc1")
TENSORS = (np.zeros(5, np.uint8), np.ones((2, 3), np.float32), np.array([True, False]), np.zeros((0, 4), np.int64),
           np.array(7, np.uint16))


def seeds() -> list[Frames]:
    """Every message as it travels: bare, with tensors beside it and in it, announced, in chunks, with a receipt."""
    plain = [frames_of(body, *tensors) for body in EXAMPLES for tensors in ((), TENSORS[:2])]
    headers = [[t.dtype.name, list(t.shape)] for t in TENSORS]
    special = [
        [wire.header(envelope(msg.Drain(), tensors=headers, inline=[t.tobytes() for t in TENSORS]))],
        [wire.header(envelope(msg.Drain(), tensors=headers, transfer=3, number=4, receipt=[2, 0.5, 1]))],
        [*wire.encode(envelope(msg.Chunk(transfer=3, tensor=1, offset=0), tensors=[["uint8", [5]]], number=5)),
         bytes(5)],
        [wire.header(envelope(msg.Credit(), receipt=[9, 0.25, 3]))],
        [wire.header(envelope(msg.TransferEnded(transfer=3)))],
        [*wire.encode(envelope(msg.Start(), tensors=[["uint8", [3000]]] * 16)), *[bytes(3000)] * 16],
    ]
    return [[bytes(frame) for frame in frames] for frames in plain + special]


class Mutator:
    """Wrong messages out of right ones; the same for the same seed."""

    def __init__(self, originals: list[Frames], seed: int) -> None:
        self.rng = random.Random(seed)
        self.originals = originals
        self._right = {tuple(frames) for frames in originals}
        self._bytes: tuple[Callable[[bytearray], None], ...] = (
            self._flip, self._flip, self._edge, self._cut, self._double, self._splice, self._claim, self._nest)

    def next(self) -> Frames:
        """At least one frame, and other than every original."""
        frames = self._changed()
        while not frames or tuple(frames) in self._right:
            frames = self._changed()
        return frames

    def _changed(self) -> Frames:
        rng = self.rng
        frames = list(rng.choice(self.originals))
        kind = rng.random()
        if kind < 0.1:
            frames[0] = self.lied(frames[0])
        elif kind < 0.2:
            self._shuffle(frames)
        if kind > 0.05 and frames:
            i = 0 if rng.random() < 0.85 else rng.randrange(len(frames))
            data = bytearray(frames[i])
            for _ in range(rng.randint(1, 3)):
                rng.choice(self._bytes)(data)
            frames[i] = bytes(data)
        return frames

    def lied(self, header: bytes) -> bytes:
        """A header that is well formed, with fields that are not what they should be."""
        plain = msgpack.unpackb(header)
        for _ in range(self.rng.randint(1, 2)):
            self._lie(plain)
        return msgpack.packb(plain)

    def _lie(self, plain: Any) -> None:
        rng = self.rng
        while plain:
            key = rng.choice(list(plain)) if isinstance(plain, dict) else rng.randrange(len(plain))
            if isinstance(plain[key], dict | list) and plain[key] and rng.random() < 0.7:
                plain = plain[key]
                continue
            plain[key] = rng.choice(EDGES)
            return

    def _shuffle(self, frames: Frames) -> None:
        """Frames that are doubled, gone, of another message, or in another order."""
        rng = self.rng
        match rng.randrange(5):
            case 0:
                frames.append(rng.choice(frames))
            case 1:
                frames.pop()
            case 2:
                frames.extend([b""] * rng.randint(1, 40))
            case 3:
                rng.shuffle(frames)
            case _:
                frames.append(rng.choice(rng.choice(self.originals)))

    def _flip(self, data: bytearray) -> None:
        if data:
            data[self.rng.randrange(len(data))] ^= 1 << self.rng.randrange(8)

    def _edge(self, data: bytearray) -> None:
        at = self.rng.randint(0, len(data))
        data[at:at + 1] = msgpack.packb(self.rng.choice(EDGES))

    def _cut(self, data: bytearray) -> None:
        del data[self.rng.randint(0, len(data)):]

    def _double(self, data: bytearray) -> None:
        start = self.rng.randint(0, len(data))
        data[start:start] = data[start:start + self.rng.randint(1, 60)]

    def _splice(self, data: bytearray) -> None:
        other = self.rng.choice(self.originals)[0]
        data[self.rng.randint(0, len(data)):] = other[self.rng.randint(0, len(other)):]

    def _claim(self, data: bytearray) -> None:
        at = self.rng.randint(0, len(data))
        data[at:at + 1] = self.rng.choice(CLAIMS)

    def _nest(self, data: bytearray) -> None:
        at = self.rng.randint(0, len(data))
        data[at:at] = self.rng.choice((b"\x91", b"\x81\xa1x", b"\xdc\xff\xff")) * self.rng.choice((3, 40, 1500))
