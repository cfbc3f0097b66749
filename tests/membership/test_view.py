"""Who is there: rules by hand."""

from __future__ import annotations

import pytest

from swarm.core.units import ns
from swarm.membership import view as ms
from swarm.membership.events import Command, Failed, Joined, Probe, Suspected, Tell
from swarm.membership.gossip import REFILL_PER_S
from swarm.membership.ring import NEIGHBOURS
from swarm.membership.view import HEARTBEAT_S, LOST_S, STALE_S, SUSPECT_S, Membership

MANY = [f"rover_{i}" for i in range(32)]
BEAT = ns(HEARTBEAT_S)


def pair() -> Membership:
    """Knows that b and c are alive, at 0."""
    view = Membership("a")
    view._beat_ns = 0                                        # its phase, whatever its name
    view.on_announced({"a": 0, "b": 0, "c": 0}, 0)
    view.on_answer("b", 1, 0)
    view.on_answer("c", 1, 0)
    view.tick(0)
    view.on_answer("b", 1, 1)
    view.on_answer("c", 1, 1)
    return view


def ticks(view: Membership, until_ns: int) -> list[Command]:
    """Every tick up to a time; c answers all, b nothing."""
    out: list[Command] = []
    while (due := view.next_ns()) <= until_ns:
        out += view.tick(due)
        view.on_answer("c", 1, due)
    return out


def test_a_newcomer_is_greeted_at_once_and_comes_with_its_first_answer() -> None:
    view = Membership("a")
    assert view.on_announced({"a": 0, "b": 0}, 0) == [Probe(["b"])]
    assert (view.state("b"), view.boot("b"), view.state("a")) == ("joining", None, None)
    assert view.on_message("b", 5, ns(0.1)) == [Probe(["b"])]       # that it speaks does not show that it hears
    assert view.on_answer("b", 5, ns(0.2)) == [Joined("b", 5, back=False)]
    assert (view.state("b"), view.boot("b")) == ("alive", 5)
    assert view.on_announced({"b": 5}, ns(0.3)) == []


def test_a_silent_one_is_asked_again_then_doubted_and_told_of_then_lost() -> None:
    view = pair()
    asked = view.tick(BEAT)
    assert asked == [Probe(["c", "b"])] or asked == [Probe(["b", "c"])]
    view.on_answer("c", 1, BEAT)
    out = ticks(view, BEAT + ns(SUSPECT_S) - 1)
    assert 10 <= out.count(Probe(["b"])) <= 15
    assert set(map(type, out)) == {Probe}
    out = ticks(view, BEAT + ns(LOST_S) - 1)
    assert [c for c in out if not isinstance(c, Probe)] == [Suspected("b", True), Tell(["c"], "b", 1, True)]
    assert view.state("b") == "suspect"
    out = ticks(view, BEAT + ns(LOST_S + ms.RETRY_S))
    assert [c for c in out if not isinstance(c, Probe)] == [Failed("b", 1)]
    assert (view.state("b"), view.boot("b")) == ("lost", None)
    assert ns(0) + BEAT + ns(LOST_S + ms.RETRY_S) < 3 * BEAT  # of the last sign of life


def test_one_whose_answers_take_long_is_not_asked_the_oftener_for_it() -> None:
    view = pair()
    view.on_answer("b", 1, 2, trip_s=0.08)
    view.tick(BEAT)
    view.on_answer("c", 1, BEAT)
    assert ticks(view, BEAT + ns(SUSPECT_S) - 1).count(Probe(["b"])) == 3      # after 0.16, 0.20 and 0.24 s
    assert view.state("b") == "alive"
    assert any(isinstance(c, Failed) for c in ticks(view, 3 * BEAT))           # and is lost as soon as any other


def test_one_who_hears_nobody_tells_of_few() -> None:
    view = Membership(MANY[0], neighbours=40)
    view.on_announced(dict.fromkeys(MANY, 0), 0)
    for name in MANY[1:]:
        view.on_answer(name, 1, 0)
    tells: list[Command] = []
    while view.next_ns() < ns(3.0):                          # none of them ever answers again
        tells += [c for c in view.tick(view.next_ns()) if isinstance(c, Tell)]
    assert len(tells) <= 2 * 31
    assert len([n for n in MANY[1:] if view.state(n) == "lost"]) == 31
    count = len(tells)
    for name in MANY[1:]:                                    # and again: it hears them, and then it does not
        view.on_answer(name, 1, ns(3.0))
    while view.next_ns() < ns(6.0):
        tells += [c for c in view.tick(view.next_ns()) if isinstance(c, Tell) and c.silent]
    assert len(tells) - count <= 2 + 3.0 * REFILL_PER_S + 2 * 31 - count


def test_a_lost_one_comes_back_without_a_restart_and_gets_work_a_heartbeat_later() -> None:
    view = pair()
    ticks(view, 3 * BEAT)
    now = 3 * BEAT + ns(0.02)
    assert Probe(["b"]) in view.on_message("b", 1, now)
    out = view.on_answer("b", 1, now)
    assert out == [Joined("b", 1, back=True), Suspected("b", True), Tell(["c"], "b", 1, False)]
    assert view.state("b") == "back"
    out = []
    while view.state("b") == "back":
        due = view.next_ns()
        out += view.tick(due)
        view.on_answer("b", 1, due)
        view.on_answer("c", 1, due)
    assert Suspected("b", False) in out
    assert BEAT <= due - now <= 2 * BEAT


def test_a_new_start_ends_the_one_before_and_the_old_ones_word_is_stale() -> None:
    view = pair()
    assert view.on_message("b", 2, 10)[0] == Failed("b", 1)
    assert view.on_answer("b", 2, 20) == [Joined("b", 2, back=False)]
    assert view.on_answer("b", 1, 30) == []
    assert view.is_stale("b", 1)
    assert view.boot("b") == 2
    assert view.statistics().stale == 1
    view.on_answer("b", 1, 20 + ns(STALE_S))
    assert view.boot("b") == 2                               # a start that is known to be over stays so


def test_a_start_whose_clock_was_set_back_is_believed_when_it_is_announced_or_after_a_while() -> None:
    view = pair()
    view.on_answer("b", 900, 10)
    assert view.on_message("b", 5, 20) == []                      # as old as it says, for all we know
    assert view.on_announced({"b": 5}, 30)[0] == Failed("b", 900)    # whoever announces it knows better
    assert view.on_answer("b", 900, 45) == []
    assert view.on_answer("b", 5, 50) == [Joined("b", 5, back=False)]
    assert view.on_announced({"b": 5, "c": 0}, 60) == []
    assert view.on_message("b", 900, 70) == []
    assert view.boot("b") == 5
    view.on_answer("c", 900, 10)
    view.on_message("c", 7, 10 + ns(STALE_S))                     # nothing else was heard for so long
    view.on_answer("c", 7, 10 + ns(STALE_S))
    assert view.boot("c") == 7


def test_hearsay_makes_one_ask_and_nothing_more() -> None:
    view = pair()
    late = ns(SUSPECT_S) + 10
    assert view.on_gossip("b", 1, True, 100) == []                # we have just heard it ourselves
    assert view.on_gossip("b", 1, True, late) == [Probe(["b"])]
    assert view.state("b") == "alive"
    view.on_answer("b", 1, late + 1)
    assert view.next_ns() >= BEAT - 1                        # nothing is open
    assert view.on_gossip("nobody", 1, True, late) == []
    assert view.on_gossip("b", 7, True, late) == []               # a start that we have not heard of


@pytest.mark.parametrize("near", [True, False])
def test_a_silence_that_we_are_told_of_ends_in_half_the_time_and_only_neighbours_tell_it_again(near: bool) -> None:
    view = Membership(MANY[0])
    view.on_announced(dict.fromkeys(MANY, 0), 0)
    for name in MANY[1:]:
        view.on_answer(name, 1, 0)
    neighbours = view._ring.neighbours()
    gone = neighbours[0] if near else next(name for name in MANY[1:] if name not in neighbours)
    now, out = ns(SUSPECT_S) + 10, []
    out += view.on_gossip(gone, 1, True, now)
    end_ns = now + ns(LOST_S - SUSPECT_S + ms.GRACE_S + ms.RETRY_S)
    while (due := view.next_ns()) <= end_ns:
        out += view.tick(due)
        for name in MANY[1:]:
            if name != gone:
                view.on_answer(name, 1, due)
    assert Failed(gone, 1) in out
    assert any(isinstance(c, Tell) for c in out) == near


def test_one_that_answers_all_is_not_doubted_for_what_others_say() -> None:
    view, now = pair(), 1
    while now < ns(10):
        view.on_gossip("b", 1, True, now)
        for command in view.tick(now):
            assert not isinstance(command, Suspected)
        now += ns(0.01)
        view.on_answer("b", 1, now)                           # 10 ms later
        view.on_answer("c", 1, now)
    assert sum(isinstance(c, Probe) for _ in range(9999) for c in view.on_gossip("b", 77, False, now + ns(1))) == 1
    assert not view._members["b"].reported                       # so a silence of this start is still ours to tell of


def test_our_own_standstill_is_nobodys_silence() -> None:
    view = pair()
    view.tick(BEAT)
    due = view.next_ns()
    out = view.tick(due + ns(5.0))
    assert not any(isinstance(c, (Failed, Suspected)) for c in out)
    assert (view.state("b"), view.state("c")) == ("alive", "alive")


def test_who_is_asked_at_a_heartbeat_is_bounded_and_all_have_their_turn() -> None:
    view = Membership(MANY[0])
    view._beat_ns = 0
    view.on_announced(dict.fromkeys(MANY, 0), 0)
    for name in MANY[1:]:
        view.on_answer(name, 1, 0)
    counts: dict[str, int] = dict.fromkeys(MANY[1:], 0)
    now = ns(ms.NEW_S) + 1
    for _ in range(60):
        asked = [name for c in view.tick(now, active_peers=[MANY[9]]) if isinstance(c, Probe) for name in c.names]
        assert len(asked) <= NEIGHBOURS + 2
        assert MANY[9] in asked
        for name in asked:
            counts[name] += 1
            view.on_answer(name, 1, now)
        now = view.next_ns()
    assert min(counts.values()) >= 2
    assert sorted(counts.values())[-8] < 10                  # all but neighbours and the active peer


def test_neighbours_ask_each_other() -> None:
    def asked(name: str) -> set[str]:
        view = Membership(name)
        view.on_announced(dict.fromkeys(MANY, 0), 0)
        return {name for _ in range(2) for name in view._to_probe(ns(60), ())[:NEIGHBOURS // 2]}    # a side, the other

    for name in MANY[:4]:
        view = Membership(name)
        view.on_announced(dict.fromkeys(MANY, 0), 0)
        for near in (*view._ring._names[:3], *view._ring._names[-3:]):
            assert name in asked(near)
