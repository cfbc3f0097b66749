"""Checks what a behaviour gives: it must be what its receiver takes. Deterministic."""

from __future__ import annotations

import reprlib
from typing import Any

import msgspec

from agents.behaviours import Note
from swarm.core.protocol.messages import Shared
from swarm.core.protocol.world import Act, Report

MOST_LETTERS = 200                   # of the words about one output

_encode = msgspec.msgpack.Encoder().encode
_decode_act = msgspec.msgpack.Decoder(Act).decode
_decode_report = msgspec.msgpack.Decoder(Report).decode
_decode_shared = msgspec.msgpack.Decoder(Shared).decode


def wrong_with(output: Act | Report | Shared) -> str:
    """Why its receiver would refuse it, as for a number that is not finite; empty: it would not.

    Types and bounds are those of the messages. Measured: 0.5 us for an act.
    """
    decode = _decode_shared if isinstance(output, Shared) else _decode_report if isinstance(output, Report) else (
        _decode_act)
    try:
        decode(_encode(output))
    except Exception as error:       # noqa: BLE001 - whatever a behaviour has put into a field: it is counted and named
        return f"{error}"[:MOST_LETTERS]
    return ""


def in_words(output: object) -> str:
    """What was given in place of an output, in a line of bounded length: its type, and the values of its fields."""
    if isinstance(output, (msgspec.Struct, Note)):
        names = output.__struct_fields__ if isinstance(output, msgspec.Struct) else ("topic", "data", "to")
        fields = ", ".join(f"{name}={_value(getattr(output, name, None))}" for name in names)
        return f"{type(output).__name__}({fields})"[:MOST_LETTERS]
    return _value(output)[:MOST_LETTERS]


def _value(value: Any) -> str:
    """A plain value as Python writes it; of all else the type: its text might be long, fail, or differ between runs."""
    if value is None or type(value) in (bool, float, str) or (type(value) is int and value.bit_length() <= 64):
        return reprlib.repr(value)
    return type(value).__name__
