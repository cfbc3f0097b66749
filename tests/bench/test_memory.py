"""Memory is bounded on both sides, whatever the other does: real processes, as the kernel counts them."""

from __future__ import annotations

from pathlib import Path

import pytest

from swarm.bench.memory import bench as memory

SMALL_BYTES = 100                    # at least, on the wire


def kernel_bytes() -> int:
    """The most that the kernel keeps of what nobody reads: the receiver's buffer and the sender's."""
    return sum(int(Path(f"/proc/sys/net/ipv4/{which}").read_text().split()[-1]) for which in ("tcp_rmem", "tcp_wmem"))


def check(stream_bytes: int, flood: int) -> None:
    figures = memory.measure(stream_bytes, flood)
    assert len(figures.rows) == 4
    assert figures.within, figures.rows
    for row in figures.rows:
        if row.read:
            assert row.taken == row.offered, row
        else:
            assert 0 < row.taken <= row.offered, row
            if row.offered * max(row.tensor_bytes, SMALL_BYTES) > kernel_bytes():
                assert row.taken < row.offered, row


def test_a_peer_that_never_reads_and_a_flood_cost_little_memory() -> None:
    check(48 << 20, 10_000)


@pytest.mark.long
def test_a_gibibyte_and_a_million_messages_cost_little_memory() -> None:
    check(memory.STREAM_BYTES, memory.FLOOD)


def test_growth_over_the_limit_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    row = memory.Row(
        case="", read=True, offered=1, tensor_bytes=0, taken=1, sender_idle_mib=40.0, receiver_idle_mib=40.0,
        sender_grew_mib=3.0, receiver_grew_mib=memory.LIMIT_MIB + 0.1,
    )
    monkeypatch.setattr(memory, "_row", lambda case: row)
    assert memory.measure().within is False
