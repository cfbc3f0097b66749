"""When runs end on an emulated board, and how they are preempted: without threads."""

from __future__ import annotations

import math

import numpy as np
import pytest

from agents.ports import RunOrder
from agents.runtime.emulation import STAGE_SLACK, Emulation, Run, VariantTimes
from agents.scheduling.queue.margins import ABORT_S
from swarm.core.policy.draw import uniform
from swarm.core.policy.plan import Leg
from swarm.core.protocol.spans import Frame, RequestId
from swarm.core.protocol.world import Detections
from swarm.core.units import ns
from tests.agents.builders import request

SEED = 3
FRAME = np.zeros((72, 96, 3), np.uint8)
BETWEEN = [np.ones(1, np.uint8)]
OUTCOME = Detections(boxes=[])
MS = ns(1e-3)
TIMES = VariantTimes([0.1] * 21, [[0.01] * 21, [0.02] * 21, [0.03] * 21], [[0.1] * 21, [0.15] * 21])
SPREAD = VariantTimes([k / 1000 for k in range(21)], [[0.01] * 21, [k / 100 for k in range(21)]])


def run(leg: Leg, *, orders: int = 1, times: VariantTimes = TIMES) -> Run:
    return Run([RunOrder(k, request(k), FRAME, Frame(1, "detect", k)) for k in range(1, orders + 1)], leg, times)


def emulation(factor: float = 1.0, emulated: bool = True) -> Emulation:
    made = Emulation(emulated=emulated, seed=SEED)
    made.slow_down(factor)
    return made


def test_each_stage_ends_when_the_board_would_have_ended_it() -> None:
    one, board, now = run(Leg("me", 0, 3)), emulation(), 5 * MS
    one.begin(now)
    ends: list[int] = []
    more = True
    while more:
        assert one.began_ns == now
        now += board.lasts_ns(one, took_ns=0)
        ends.append(now)
        more = one.stage_over(OUTCOME if one.stage == 2 else BETWEEN, now)
    assert ends == [15 * MS, 35 * MS, 65 * MS]
    (end,) = one.ends()
    assert (end.ended, end.made, end.started_ns, end.finished_ns) == ("done", OUTCOME, 5 * MS, 65 * MS)
    assert not end.overrun


def test_a_run_is_busy_from_its_begin_to_its_end_on_the_executor() -> None:
    one = run(Leg("me", 0, 3))
    assert one.busy_ns(4 * MS) == 0                          # it waits for the thread
    one.begin(5 * MS)
    assert one.busy_ns(5 * MS) == 0
    one.stage_over(BETWEEN, 15 * MS)
    assert one.busy_ns(17 * MS) == 12 * MS
    one.cut_short(20 * MS)
    assert one.busy_ns(30 * MS) == 15 * MS                   # it ended, and was not collected yet


def test_a_leg_may_end_within_the_model() -> None:
    one = run(Leg("me", 1, 2))
    one.begin(0)
    assert not one.stage_over(BETWEEN, 20 * MS)
    assert (one.ends()[0].ended, one.ends()[0].made) == ("done", BETWEEN)


def drawn(leg: Leg, request: RequestId, frame: Frame) -> int:
    return emulation().lasts_ns(Run([RunOrder(1, request, FRAME, frame)], leg, SPREAD), 0)


def test_the_draw_is_by_seed_robot_frame_and_stage() -> None:
    """Linear quantiles: the draw is the uniform number itself, times the largest."""
    frame, key = Frame(2, "detect", 9), ("run", "me", 2, "detect", 9)
    mine = RequestId("me", 17, 4)
    whole, staged = drawn(Leg("me"), mine, frame), drawn(Leg("me", 1, 2), mine, frame)
    assert whole == pytest.approx(20 * MS * uniform(SEED, *key, "whole"), abs=2)
    assert staged == pytest.approx(200 * MS * uniform(SEED, *key, 1), abs=2)
    assert drawn(Leg("me"), RequestId("me", 18, 1), frame) == whole      # neither the boot nor the sequence matters
    for other in (Frame(1, "detect", 9), Frame(2, "segment", 9), Frame(2, "detect", 8)):
        assert drawn(Leg("me"), mine, other) != whole
    assert drawn(Leg("me"), RequestId("you", 17, 4), frame) != whole


def test_a_run_tells_the_drawn_time_of_its_finished_stages() -> None:
    one, board = run(Leg("me", 0, 3)), emulation()
    one.begin(0)
    assert board.lasts_ns(one, 0) == 10 * MS
    assert one.stage_over(BETWEEN, 10 * MS)
    assert board.lasts_ns(one, 0) == 20 * MS
    one.leave = True
    one.cut_short(15 * MS)                           # within stage 1, which is drawn again when it is repeated
    assert one.ends()[0].drawn_s == pytest.approx(0.01)
    real = run(Leg("me"))
    real.begin(0)
    emulation(emulated=False).lasts_ns(real, 5 * MS)
    real.finish([OUTCOME], 5 * MS)
    assert real.ends()[0].drawn_s == 0.0


def test_a_run_that_really_takes_longer_is_an_overrun_on_an_emulated_board_only() -> None:
    for emulated in (True, False):
        one = run(Leg("me"))
        one.begin(0)
        assert emulation(emulated=emulated).lasts_ns(one, 120 * MS) == 120 * MS
        one.finish([OUTCOME], 120 * MS)
        assert one.ends()[0].overrun is emulated


def test_a_slow_board_takes_a_factor_longer_of_the_draw_or_of_the_real_time() -> None:
    assert emulation(3.0).lasts_ns(run(Leg("me")), 1 * MS) == 300 * MS
    assert emulation(3.0, emulated=False).lasts_ns(run(Leg("me")), 40 * MS) == 120 * MS
    assert [emulation(f, emulated=e).applies for f, e in ((1.0, True), (2.0, False), (1.0, False))] == [
        True, True, False]


def test_a_batch_takes_the_time_of_its_size() -> None:
    assert emulation().lasts_ns(run(Leg("me"), orders=2), 0) == 150 * MS


def test_preempted_without_urgency_it_leaves_between_two_stages_with_the_next_input() -> None:
    one = run(Leg("me", 0, 3))
    one.begin(0)
    assert one.preempt(0.0, 4 * MS) is None
    assert not one.stage_over(BETWEEN, 10 * MS)
    (end,) = one.ends()
    assert (end.ended, end.stage, end.given, end.made, end.mid_stage) == ("preempted", 1, BETWEEN, None, False)
    assert end.finished_ns == 10 * MS


def test_told_to_leave_in_its_last_stage_it_is_done() -> None:
    one = run(Leg("me", 2, 3))
    one.begin(0)
    one.preempt(0.0, 4 * MS)
    assert not one.stage_over(OUTCOME, 30 * MS)
    assert one.ends()[0].ended == "done"


def test_a_stage_is_cut_where_less_is_lost_than_waited_for() -> None:
    """After 5 of 30 ms, 1 ms for the abort and 5 ms of lost work are less than 25 ms of waiting; after 20 ms not."""
    early, late = run(Leg("me", 2, 3)), run(Leg("me", 2, 3))
    early.begin(0)
    late.begin(0)
    assert early.preempt(1.0, 5 * MS) == 0.0
    early.cut_short(5 * MS)
    (end,) = early.ends()
    assert (end.ended, end.stage, end.given, end.mid_stage) == ("preempted", 2, FRAME, True)
    wait_s = late.preempt(1.0, 20 * MS)
    assert wait_s == pytest.approx(STAGE_SLACK * 0.010 + ABORT_S)
    assert not late.is_overdue(20 * MS + ns(0.0134))
    assert late.is_overdue(20 * MS + ns(0.0135))


def test_a_whole_run_is_cut_at_once_or_stays() -> None:
    stays, leaves = run(Leg("me")), run(Leg("me"))
    stays.begin(0)
    leaves.begin(0)
    assert stays.preempt(0.0, 10 * MS) is None
    assert not stays.leave
    assert leaves.preempt(math.inf, 99 * MS) == 0.0


def test_a_run_that_is_not_wanted_ends_as_aborted_even_if_it_was_preempted() -> None:
    for told in (False, True):
        one = run(Leg("me", 0, 3))
        one.begin(0)
        if told:
            one.preempt(0.0, 1 * MS)
        assert one.abort(1)
        one.cut_short(2 * MS)
        assert (one.ends()[0].ended, one.ends()[0].mid_stage) == ("aborted", False)


def test_a_batch_goes_on_while_one_of_its_inputs_is_wanted_and_each_has_its_own_end() -> None:
    both = run(Leg("me"), orders=3)
    both.begin(0)
    assert not both.abort(1)
    assert not both.abort(3)
    both.finish([OUTCOME, None, OUTCOME], 150 * MS)
    assert [(end.work, end.ended) for end in both.ends()] == [(1, "done"), (2, "failed"), (3, "done")]
    assert both.abort(2)
