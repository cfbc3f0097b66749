"""What is in memory: the most useful per byte, within the budget, in turn where not all fits, and without thrashing."""

from __future__ import annotations

import pytest

from agents.ports import MemoryEnd, Part
from agents.scheduling.memory.residency import HANGS_NS, RETRY_NS, Move, Residency, Size
from swarm.core.units import NS, ns

MB = 1 << 20
BASE_MB, LIMIT_MB = 100, 160         # of the process without parts, and in all
A, B, C = Part("a", "int8"), Part("b", "int8"), Part("c", "int8")
A_STAGES = A._replace(stages=True)


class Board:
    """A process whose loads and unloads do what they should; b and c can take turns beside a, but not together."""

    def __init__(self, present: list[Part], sizes_mb: dict[Part, int] | None = None, limit_mb: int = LIMIT_MB) -> None:
        self.sizes_mb = sizes_mb or {A: 20, B: 25, C: 25}
        self.held, self.now, self.moves = set(present), 0, list[tuple[float, Move]]()
        self.busy: set[str] = set()
        sizes = {part: Size(mb * MB, mb * MB, 0.1) for part, mb in self.sizes_mb.items()}
        self.residency = Residency(sizes, present, {"a": "int8", "b": "int8", "c": "int8"}, limit_mb * MB, self.rss())
        self.residency.own_models(["a", "b", "c"])
        self.residency.stays = "a"

    def rss(self) -> int:
        return (BASE_MB + sum(self.sizes_mb[part] for part in self.held)) * MB

    def move(self) -> Move | None:
        """Let one move be decided, and done at once."""
        move = self.residency.next_move(self.now, lambda model, variant: model in self.busy)
        if move is not None:
            (self.held.add if move.load else self.held.discard)(move.part)
            self.moves.append((self.now / NS, move))
            self.residency.ended(MemoryEnd(part=move.part, present=move.load, rss_bytes=self.rss(), took_s=0.1,
                                           kept_bytes=self.sizes_mb[move.part] * MB), self.now)
        return move

    def use(self, seconds: float, hz: float, **weights: float) -> None:
        """Requests of these models at a rate, each wanting what is absent; after each what is due is done."""
        for _ in range(round(seconds * hz)):
            self.now += ns(1.0 / hz)
            for model, weight in weights.items():
                self.residency.used(Part(model, "int8"), weight, self.now)
            while self.move():
                pass
            assert self.rss() <= LIMIT_MB * MB

    def loaded(self, part: Part) -> int:
        return sum(move == Move(part, load=True) for _, move in self.moves)


def test_what_is_wanted_is_loaded_where_there_is_room() -> None:
    board = Board([A])
    board.residency.used(B, 1.0, 0)
    assert board.move() == Move(B, load=True)
    assert board.move() is None


def test_what_nobody_uses_any_more_goes_first_and_the_most_urgent_stays() -> None:
    board = Board([A, B])
    board.use(10.0, 5.0, b=1.0)
    board.use(10.0, 5.0, c=1.0)
    assert [move for _, move in board.moves] == [Move(B, load=False), Move(C, load=True)]
    assert 10.0 < board.moves[0][0] < 12.0                   # soon, though b was used more often until then
    assert A in board.held                                   # which nobody has used at all


def test_parts_of_equal_worth_take_turns_that_are_long_against_their_loads() -> None:
    board = Board([A, B])
    board.use(60.0, 5.0, a=4.0, b=1.0, c=1.0)
    assert abs(board.loaded(B) - board.loaded(C)) <= 1
    assert 5 <= board.loaded(C) <= 20                        # of 0.1 s each in 60 s
    assert board.loaded(A) == 0


def test_a_more_urgent_part_has_the_longer_turns() -> None:
    board = Board([A, B])
    board.use(120.0, 5.0, a=16.0, b=4.0, c=1.0)
    held_c_s = sum(end - begin for (begin, move), (end, _) in zip(board.moves, board.moves[1:], strict=False)
                   if move == Move(C, load=True))
    assert 0.0 < held_c_s < 40.0


def test_what_runs_or_is_promised_stays() -> None:
    board = Board([A, B])
    board.busy = {"b"}
    board.use(10.0, 5.0, c=100.0)
    assert board.moves == []
    board.busy = set()
    board.use(1.0, 5.0, c=100.0)
    assert [move for _, move in board.moves] == [Move(B, load=False), Move(C, load=True)]


def test_peers_that_ask_all_the_time_push_nothing_out_that_an_own_stream_uses() -> None:
    board = Board([A, B])
    for k in range(1000):
        board.now = ns(0.01 * k)
        if k % 100 == 0:
            board.residency.used(B, 1.0, board.now)
        board.residency.used(C, 0.25, board.now, own=False)
        assert board.move() is None
    board.now += ns(31.0)                                    # b is of no stream any more
    for _ in range(20):
        board.now += ns(0.1)
        board.residency.used(C, 0.25, board.now, own=False)
    assert board.move() == Move(B, load=False)


def test_one_variant_of_each_own_model_stays_where_all_of_them_fit_together() -> None:
    other = Part("b", "fp32")
    board = Board([A, B, C], {A: 20, B: 20, C: 20, other: 15})
    board.now = ns(1.0)
    board.residency.used(other, 1e6, board.now)
    assert board.move() is None
    board.residency.own_models(["a", "b"])                   # c is of a peer's requests
    assert (board.move(), board.move()) == (Move(C, load=False), Move(other, load=True))


def test_above_the_budget_the_least_worth_goes_until_it_holds() -> None:
    board = Board([A, B, C], limit_mb=200)
    board.residency.used(B, 1.0, 1)
    assert board.move() is None
    board.residency.measured(210 * MB, {})                   # buffers have grown
    assert board.move() == Move(C, load=False)
    assert board.move() is None


def test_a_variant_takes_its_stages_along_and_they_never_come_without_it() -> None:
    board = Board([B, Part("b", "int8", True)], {B: 25, Part("b", "int8", True): 25, C: 50})
    board.residency.own_models([])
    board.now = ns(5.0)
    board.residency.used(C, 1.0, board.now)
    assert [board.move() for _ in range(3)] == [
        Move(Part("b", "int8", True), load=False), Move(B, load=False), Move(C, load=True)]
    board.residency.used(Part("b", "int8", True), 1e9, board.now)
    assert board.move() is None


def test_one_move_at_a_time_and_a_load_that_failed_waits() -> None:
    board = Board([A])
    board.residency.used(B, 1.0, 0)
    assert board.residency.next_move(0, lambda *_: False) == Move(B, load=True)
    board.residency.used(C, 1.0, 0)
    assert board.residency.next_move(0, lambda *_: False) is None
    board.residency.ended(MemoryEnd(part=B, present=False, failed=True, rss_bytes=board.rss()), 1)
    assert board.move() == Move(C, load=True)
    board.held.discard(C)
    board.residency.used(B, 1.0, RETRY_NS)
    assert board.residency.next_move(RETRY_NS, lambda *_: False) is None
    board.residency.used(B, 1.0, RETRY_NS + 2)
    assert board.residency.next_move(RETRY_NS + 2, lambda *_: False) is not None


def test_what_was_measured_counts_and_not_the_card() -> None:
    board = Board([A, B])
    board.residency.measured(board.rss(), {B: 10 * MB})
    board.use(5.0, 5.0, c=1.0)                               # 35 MB are needed by the card of b, 10 of them are b's
    assert board.moves == [] or board.residency.rss_bytes <= LIMIT_MB * MB


@pytest.mark.parametrize("rss_mb", [100, 300])
def test_a_part_that_does_not_fit_alone_is_never_loaded(rss_mb: int) -> None:
    board = Board([], {A: 20, B: 200})
    board.residency.measured(rss_mb * MB, {})
    board.residency.used(B, 1.0, 1)
    assert board.move() is None


def test_a_load_that_hangs_lets_others_leave_but_not_come() -> None:
    board = Board([A, B])
    assert board.residency.next_move(0, lambda *_: False) is None
    board.residency.measured(130 * MB, {})
    board.residency.used(C, 1.0, 0)
    assert board.residency.next_move(0, lambda *_: False) == Move(C, load=True)
    board.residency.measured(200 * MB, {})
    assert board.residency.next_move(HANGS_NS - 1, lambda *_: False) is None
    assert board.residency.next_move(HANGS_NS, lambda *_: False) == Move(B, load=False)
    board.residency.measured(100 * MB, {})
    board.residency.used(B, 1.0, HANGS_NS)
    assert board.residency.next_move(2 * HANGS_NS, lambda *_: False) is None


def test_what_an_own_stream_wants_comes_before_what_peers_ask_for_however_often() -> None:
    board = Board([A, B])
    for k in range(300):
        board.now = ns(0.01 * k)
        board.residency.used(B, 1.0, board.now, own=False)
    board.residency.used(C, 0.01, board.now)
    assert (board.move(), board.move()) == (Move(B, load=False), Move(C, load=True))


def test_models_of_equal_priority_take_turns_though_only_one_fits() -> None:
    board = Board([A], {A: 40, B: 40})
    board.residency.stays = ""
    board.use(60.0, 5.0, a=1.0, b=1.0)
    assert board.loaded(B) - board.loaded(A) in (0, 1)
    assert board.loaded(B) > 4


def test_what_is_busy_and_in_the_way_is_named() -> None:
    board = Board([A, B])
    assert board.residency.blocked_by(0, lambda model, _: model == "b") == []       # nothing is wanted
    board.use(10.0, 5.0, c=100.0)
    board = Board([A, B])
    board.busy = {"b"}
    board.use(10.0, 5.0, c=100.0)
    assert board.residency.blocked_by(board.now, lambda model, _: model == "b") == [("b", "int8")]
