"""Memory growth of two processes when the receiver is flooded, or never reads.

Each case has new processes. Growth = peak resident memory (VmHWM of the kernel) - resident memory when both processes
were connected and idle.
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
READ_S = 600.0                       # time limit for sending and reading everything
LIMIT_MIB = 64.0


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """The messages to send, and whether the receiver reads them."""

    name: str
    read: bool
    offer: Offer


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """Results of one case; sizes of both processes in MiB."""

    case: str
    read: bool
    offered: int                     # messages
    tensor_bytes: int                # tensor of each message; 0: none
    taken: int                       # messages that the sender's endpoint accepted
    sender_idle_mib: float
    receiver_idle_mib: float
    sender_grew_mib: float
    receiver_grew_mib: float


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """All cases; `within`: no process grew by more than the limit."""

    rows: list[Row]
    limit_mib: float
    within: bool


def cases(stream_bytes: int = STREAM_BYTES, flood: int = FLOOD) -> list[Case]:
    """Tensors and small messages, to a receiver that reads and to one that does not. Only a reader gets all of them."""
    kinds = ("tensors", stream_bytes // TENSOR_BYTES, TENSOR_BYTES), ("small messages", flood, 0)
    return [
        Case(name=f"{kind}, {'read' if read else 'not read'}", read=read, offer=Offer(messages, size, insist=read))
        for kind, messages, size in kinds for read in (False, True)
    ]


def measure(
    stream_bytes: int = STREAM_BYTES, flood: int = FLOOD, progress: Callable[[str], None] = lambda _: None
) -> Figures:
    """Run all cases."""
    rows: list[Row] = []
    for case in cases(stream_bytes, flood):
        progress(f"{case.offer.messages} {case.name}")
        rows.append(_row(case))
    within = all(max(row.sender_grew_mib, row.receiver_grew_mib) <= LIMIT_MIB for row in rows)
    return Figures(rows=rows, limit_mib=LIMIT_MIB, within=within)


def _row(case: Case) -> Row:
    with Child(SIDES, "sender") as sender, Child(SIDES, "reader" if case.read else "stalled") as receiver:
        members = sender.receive(Member), receiver.receive(Member)
        sender.send(members[1])
        receiver.send(members[0])
        for side in (sender, receiver):
            side.receive(Done)
        idle = [resident_mib(side.pid, "VmRSS") for side in (sender, receiver)]
        sender.send(case.offer)
        taken = sender.receive(Offered, READ_S).taken
        if case.read:
            receiver.send(Read(taken))
            receiver.receive(Done, READ_S)
        peak = [resident_mib(side.pid, "VmHWM") for side in (sender, receiver)]
    return Row(
        case=case.name, read=case.read, offered=case.offer.messages, tensor_bytes=case.offer.tensor_bytes, taken=taken,
        sender_idle_mib=round(idle[0], 1), receiver_idle_mib=round(idle[1], 1),
        sender_grew_mib=round(peak[0] - idle[0], 1), receiver_grew_mib=round(peak[1] - idle[1], 1),
    )


def resident_mib(pid: int, which: str) -> float:
    """`which`: VmRSS, resident memory now, or VmHWM, its peak."""
    with open(f"/proc/{pid}/status") as status:
        line = next(line for line in status if line.startswith(f"{which}:"))
    return int(line.split()[1]) / 1024


def run(given: argparse.Namespace, progress: Callable[[str], None]) -> Figures:
    return measure(progress=progress)


def as_text(figures: Figures) -> str:
    """A row per case."""
    rows = [(row.case, f"{row.offered:,}", f"{row.taken:,}", f"{row.sender_grew_mib}", f"{row.receiver_grew_mib}")
            for row in figures.rows]
    header = ("case", "offered", "taken", "sender grew MiB", "receiver grew MiB")
    return text_table(header, rows, right=range(1, len(header)))
