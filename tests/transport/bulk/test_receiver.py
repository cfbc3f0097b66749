"""What comes from one peer on the bulk lane, in fake time: numbers, receipts, and transfers put together."""

from __future__ import annotations

import numpy as np
import pytest

from swarm.core.protocol.messages import Chunk, Start
from swarm.core.protocol.wire import MAX_TENSOR_BYTES, PROTOCOL, Envelope, Receipt, TensorHeader, WireError
from swarm.core.units import ns
from swarm.transport.bulk.receiver import AFTER_LOSS_NS, IDLE_NS, MOST_TRANSFERS, Complete, Incoming


def announcement(*headers: tuple[str, list[int]], transfer: int = 1) -> Envelope:
    return Envelope(v=PROTOCOL, swarm="s", sender="a", boot=1, body=Start(), transfer=transfer,
                    tensors=[TensorHeader(dtype, shape) for dtype, shape in headers])


def incoming(*headers: tuple[str, list[int]]) -> Incoming:
    """A lane with one transfer of these tensors, announced at 7 ns."""
    lane = Incoming(1)
    lane.on_announcement(announcement(*headers), 7)
    return lane


def chunk(lane: Incoming, tensor: int, offset: int, data: bytes, transfer: int = 1, now: int = 9) -> Complete | None:
    return lane.on_chunk(Chunk(transfer=transfer, tensor=tensor, offset=offset), data, now)


def refused(lane: Incoming, cause: str, *args: object) -> None:
    with pytest.raises(WireError) as error:
        chunk(lane, *args)                                   # pyright: ignore[reportArgumentType]
    assert error.value.cause == cause


# --- transfers ---


def test_chunks_make_up_the_tensors_as_announced() -> None:
    lane = incoming(("uint8", [0, 3]), ("float32", [2, 2]), ("bool", []), ("int16", [3]), ("uint8", [0]))
    floats, ints = np.arange(4, dtype=np.float32).reshape(2, 2), np.array([-1, 2, -3], np.int16)
    assert chunk(lane, 1, 0, floats.tobytes()[:5]) is None
    assert chunk(lane, 1, 5, floats.tobytes()[5:]) is None
    assert chunk(lane, 2, 0, b"\1") is None
    whole = chunk(lane, 3, 0, ints.tobytes())
    assert whole is not None
    assert (whole.begun_ns, whole.envelope.transfer) == (7, 1)
    assert [t.shape for t in whole.tensors] == [(0, 3), (2, 2), (), (3,), (0,)]
    assert np.array_equal(whole.tensors[1], floats)
    assert whole.tensors[2][()]
    assert np.array_equal(whole.tensors[3], ints)
    assert not any(t.flags.writeable for t in whole.tensors)
    assert lane.open_bytes == 0


@pytest.mark.parametrize(("tensor", "offset", "data"), [
    pytest.param(0, 8, b"1234", id="one was skipped"),
    pytest.param(0, 0, b"1234", id="doubled"),
    pytest.param(0, 2, b"12", id="overlapping"),
    pytest.param(1, 0, b"1234", id="of the next tensor"),
    pytest.param(2, 4, b"12", id="of no tensor"),
    pytest.param(2**62, 2**62, b"12", id="far beyond"),
    pytest.param(0, 4, b"123456789", id="too long"),
    pytest.param(0, 4, b"", id="empty"),
])
def test_a_chunk_that_does_not_continue_its_transfer_ends_it(tensor: int, offset: int, data: bytes) -> None:
    lane = incoming(("uint8", [12]), ("uint8", [4]))
    assert chunk(lane, 0, 0, b"abcd") is None
    refused(lane, "chunk", tensor, offset, data)
    assert lane.open_bytes == 0
    refused(lane, "chunk", 0, 4, b"1234")                    # what follows is of no transfer


def test_a_chunk_of_no_transfer_is_refused_and_ends_no_other() -> None:
    lane = incoming(("uint8", [4]))
    refused(lane, "chunk", 0, 0, b"abcd", 2)
    assert chunk(lane, 0, 0, b"abcd") is not None
    refused(lane, "chunk", 0, 0, b"abcd")                    # its own has ended


def test_transfers_may_interleave() -> None:
    lane = incoming(("uint8", [4]))
    lane.on_announcement(announcement(("uint8", [2]), transfer=2), 8)
    assert chunk(lane, 0, 0, b"ab") is None
    second = chunk(lane, 0, 0, b"xy", 2)
    first = chunk(lane, 0, 2, b"cd")
    assert first is not None
    assert second is not None
    assert (first.tensors[0].tobytes(), second.tensors[0].tobytes()) == (b"abcd", b"xy")


def test_a_bool_that_is_neither_is_refused_at_the_end() -> None:
    lane = incoming(("bool", [4]))
    assert chunk(lane, 0, 0, b"\0\1") is None
    refused(lane, "tensor", 0, 2, b"\1\2")
    assert lane.open_bytes == 0


def test_a_transfer_is_announced_once() -> None:
    lane = incoming(("uint8", [4]))
    with pytest.raises(WireError, match="transfer: 1 is open already"):
        lane.on_announcement(announcement(("uint8", [4])), 8)
    assert chunk(lane, 0, 0, b"abcd") is not None            # the first goes on


@pytest.mark.parametrize("headers", [[], [("uint8", [0])], [("float32", [0, 5]), ("bool", [0])]])
def test_a_transfer_of_nothing_is_refused(headers: list[tuple[str, list[int]]]) -> None:
    with pytest.raises(WireError, match="transfer: 0 bytes"):
        Incoming(1).on_announcement(announcement(*headers), 0)


def test_transfers_are_bounded_in_number_and_bytes() -> None:
    lane = Incoming(1)
    for i in range(MOST_TRANSFERS):
        lane.on_announcement(announcement(("uint8", [10]), transfer=1 + i), 0)
    with pytest.raises(WireError, match="transfer: 10 bytes beside 4 transfers"):
        lane.on_announcement(announcement(("uint8", [10]), transfer=9), 0)
    for i in range(MOST_TRANSFERS - 1):
        lane.on_end(1 + i)
    lane.on_announcement(announcement(("uint8", [MAX_TENSOR_BYTES - 10]), transfer=10), 0)
    with pytest.raises(WireError, match="transfer: 1 bytes beside 2 transfers"):
        lane.on_announcement(announcement(("uint8", [1]), transfer=11), 0)
    assert lane.open_bytes == MAX_TENSOR_BYTES


def test_a_transfer_that_stands_still_is_given_up_and_one_that_moves_is_not() -> None:
    lane = incoming(("uint8", [4]))
    lane.on_announcement(announcement(("uint8", [8]), transfer=2), 7)
    chunk(lane, 0, 0, b"ab", 2, 7 + IDLE_NS - 1)
    assert lane.drop_stale(6 + IDLE_NS) == []
    assert lane.drop_stale(7 + IDLE_NS) == [1]
    assert lane.open_bytes == 8
    refused(lane, "chunk", 0, 0, b"abcd")
    assert lane.drop_stale(6 + 2 * IDLE_NS) == [2]


def test_a_transfer_whose_last_piece_may_be_lost_is_given_up_sooner() -> None:
    lane = incoming(("uint8", [4]))
    lane.on_message(1, 4, 5)
    chunk(lane, 0, 0, b"ab", 1, 5)
    lane.on_message(3, 4, 6)                                       # what brought the rest did not come
    lane.on_announcement(announcement(("uint8", [8]), transfer=2), 6)
    assert lane.drop_stale(4 + AFTER_LOSS_NS) == []
    assert lane.drop_stale(6 + AFTER_LOSS_NS) == [1]                  # the other one has begun since
    assert lane.drop_stale(6 + IDLE_NS) == [2]


def test_what_the_peer_ends_is_freed() -> None:
    lane = incoming(("uint8", [1 << 20]))
    assert lane.open_bytes == 1 << 20
    lane.on_end(1)
    lane.on_end(1)
    lane.on_end(99)
    assert lane.open_bytes == 0


# --- numbers and receipts ---


def test_a_receipt_tells_the_newest_and_is_owed_until_it_was_said() -> None:
    lane = Incoming(1)
    assert lane.receipt(0) is None
    lane.on_message(1, 100, ns(1.0))
    lane.on_message(2, 50, ns(2.0))
    assert lane.unreceipted_bytes == 150
    assert lane.receipt(ns(2.5)) == Receipt(2, 0.5, 0)
    assert lane.receipt(ns(3.0)) == Receipt(2, 1.0, 0)       # the first could not leave
    lane.receipt_sent()
    assert lane.receipt(ns(3.0)) is None
    assert (lane.owes_receipt, lane.unreceipted_bytes) == (False, 0)


@pytest.mark.parametrize("number", [1, 4, 5])
def test_numbers_that_do_not_go_up_are_refused_and_owe_nothing(number: int) -> None:
    lane = Incoming(1)
    lane.on_message(5, 10, 0)
    lane.receipt_sent()
    with pytest.raises(WireError, match=f"number: {number} received after 5"):
        lane.on_message(number, 10, 0)
    assert lane.receipt(0) is None


def test_numbers_that_were_skipped_are_lost_but_not_those_before_the_first() -> None:
    lane = Incoming(1)
    lane.on_message(1000, 1, 0)                                    # we were started after the peer was
    lane.on_message(1001, 1, 0)
    lane.on_message(1005, 1, 0)
    assert lane.receipt(0) == Receipt(1005, 0.0, 3)


def test_a_clock_set_back_holds_nothing_for_less_than_no_time() -> None:
    lane = Incoming(1)
    lane.on_message(1, 1, ns(9.0))
    assert lane.receipt(ns(1.0)) == Receipt(1, 0.0, 0)
