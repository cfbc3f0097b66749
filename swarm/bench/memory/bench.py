"""How far the memory of two processes grows when one is flooded, or never reads.

Each case has processes of its own. Growth is the most that was ever resident (VmHWM, by the kernel's own count) less
what was resident when both were connected and idle.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import msgspec

from swarm.bench.memory.sides import Done, Offer, Offered, Read
from swarm.bench.support.child import Child
from swarm.core.protocol.messages import Member
from swarm.telemetry.text_table import text_table

SIDES = "swarm.bench.memory.sides"
TENSOR_BYTES = 4 << 20
STREAM_BYTES = 1 << 30
FLOOD = 1_000_000
READ_S = 600.0                       # patience for all of it to be sent and read
LIMIT_MIB = 64.0


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """What is sent, and whether the other side reads it."""

    name: str
    read: bool
    offer: Offer


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """What one case took; the sizes of both processes in MiB."""

    case: str
    read: bool
    offered: int                     # messages
    tensor_bytes: int                # beside each
    taken: int                       # by the sender's endpoint
    sender_idle_mib: float
    receiver_idle_mib: float
    sender_grew_mib: float
    receiver_grew_mib: float


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """All cases; `within`: no process grew beyond the limit."""

    rows: list[Row]
    limit_mib: float
    within: bool


def cases(stream_bytes: int = STREAM_BYTES, flood: int = FLOOD) -> list[Case]:
    """Tensors and small messages, to one that reads and one that never does. Only who reads is sent all of it."""
    kinds = ("tensors", stream_bytes // TENSOR_BYTES, TENSOR_BYTES), ("small messages", flood, 0)
    return [
        Case(name=f"{kind}, {'read' if read else 'not read'}", read=read, offer=Offer(messages, size, insist=read))
        for kind, messages, size in kinds for read in (False, True)
    ]


def measure(
    stream_bytes: int = STREAM_BYTES, flood: int = FLOOD, tell: Callable[[str], None] = lambda _: None
) -> Figures:
    """Every case, one after the other; `tell` hears of the progress."""
    rows: list[Row] = []
    for case in cases(stream_bytes, flood):
        tell(f"{case.offer.messages} {case.name}")
        rows.append(_row(case))
    within = all(max(row.sender_grew_mib, row.receiver_grew_mib) <= LIMIT_MIB for row in rows)
    return Figures(rows=rows, limit_mib=LIMIT_MIB, within=within)


def _row(case: Case) -> Row:
    with Child(SIDES, "sender") as sender, Child(SIDES, "reader" if case.read else "stalled") as receiver:
        members = sender.hear(Member), receiver.hear(Member)
        sender.tell(members[1])
        receiver.tell(members[0])
        for side in (sender, receiver):
            side.hear(Done)
        idle = [resident_mib(side.pid, "VmRSS") for side in (sender, receiver)]
        sender.tell(case.offer)
        taken = sender.hear(Offered, READ_S).taken
        if case.read:
            receiver.tell(Read(taken))
            receiver.hear(Done, READ_S)
        peak = [resident_mib(side.pid, "VmHWM") for side in (sender, receiver)]
    return Row(
        case=case.name, read=case.read, offered=case.offer.messages, tensor_bytes=case.offer.tensor_bytes, taken=taken,
        sender_idle_mib=round(idle[0], 1), receiver_idle_mib=round(idle[1], 1),
        sender_grew_mib=round(peak[0] - idle[0], 1), receiver_grew_mib=round(peak[1] - idle[1], 1),
    )


def resident_mib(pid: int, which: str) -> float:
    """`which`: VmRSS, what is resident now, or VmHWM, the most that ever was."""
    with open(f"/proc/{pid}/status") as status:
        line = next(line for line in status if line.startswith(f"{which}:"))
    return int(line.split()[1]) / 1024


def run(given: argparse.Namespace, tell: Callable[[str], None]) -> Figures:
    return measure(tell=tell)


def told(figures: Figures) -> str:
    """A row per case."""
    rows = [(row.case, f"{row.offered:,}", f"{row.taken:,}", f"{row.sender_grew_mib}", f"{row.receiver_grew_mib}")
            for row in figures.rows]
    header = ("case", "offered", "taken", "sender grew MiB", "receiver grew MiB")
    return text_table(header, rows, right=range(1, len(header)))
