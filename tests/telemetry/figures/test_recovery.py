"""What is told of faults whose effect is known: planted by hand, or drawn with a fixed seed."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from swarm.bench.figures.trials import RATES_HZ, SHARES, Kind, minute
from swarm.telemetry.figures.recovery.judge import Span, judge, together
from swarm.telemetry.figures.recovery.low_share import clumping
from swarm.telemetry.summary_types import Level, Recovery
from tests.telemetry.figures.frames import frames, joined

RATE_HZ, RAN_S = 50, 40.0
AT_S = np.arange(RAN_S * RATE_HZ) / RATE_HZ + 0.005


def lost(*times_s: tuple[float, float]) -> NDArray[np.bool_]:
    """Every 20th frame is missed, and all of these times."""
    missed = np.arange(AT_S.size) % 20 == 4
    for from_s, to_s in times_s:
        missed |= (from_s <= AT_S) & (to_s > AT_S)
    return missed


def told(missed: NDArray[np.bool_], *faults: tuple[float, float]) -> list[Recovery]:
    return judge(frames(AT_S, missed), [Span(*fault) for fault in faults or ((15.0, 15.0),)])


def ends(level: Level | None) -> tuple[float, float]:
    assert level is not None
    return level.from_s, level.to_s


def test_without_a_loss_the_level_stays() -> None:
    (one,) = told(lost())
    assert (one.verdict, one.recover_s, one.worst) == ("not_hit", 0.0, None)
    assert one.before == Level(from_s=0.0, to_s=15.0, share=0.949333, interval=[0.931221, 0.962866], n=750)
    assert (one.n, ends(one.after)) == (1250, (15.0, 39.986))


def test_a_loss_that_ends_has_recovered_at_its_end() -> None:
    (one,) = told(lost((15.4, 17.0)))
    assert (one.verdict, one.recover_s) == ("recovered", 2.005)
    assert one.worst == Level(from_s=15.405, to_s=17.005, share=0.0, interval=[0.0, 0.045818], n=80)
    assert ends(one.after) == (17.005, 39.986)
    assert one.after is not None
    assert one.after.share == pytest.approx(0.95, abs=0.002)


def test_a_loss_to_the_end_is_lasting() -> None:
    missed = lost() | ((AT_S >= 15.2) & (np.arange(AT_S.size) % 5 == 0))
    (one,) = told(missed)
    assert (one.verdict, one.recover_s) == ("lasting", None)
    assert one.worst == one.after
    assert ends(one.after) == (15.205, 39.986)
    assert one.after is not None
    assert one.after.share == pytest.approx(0.75, abs=0.002)


def test_a_loss_in_steps_ends_with_its_last_step() -> None:
    half = (AT_S >= 17.0) & (AT_S < 20.0) & (np.arange(AT_S.size) % 2 == 0)
    (one,) = told(lost((15.2, 17.0)) | half)
    assert one.verdict == "recovered"
    assert one.recover_s == pytest.approx(5.0, abs=0.05)
    assert ends(one.worst) == (15.205, pytest.approx(20.0, abs=0.05))


def test_a_loss_that_begins_long_after_the_fault_is_not_its_doing() -> None:
    (one,) = told(lost((25.0, 28.0)))
    assert (one.verdict, ends(one.after)) == ("not_hit", (15.0, 25.005))
    (one,) = told(lost((25.0, 28.0)), (15.0, 24.5))              # it went on until then
    assert one.verdict == "recovered"
    assert one.recover_s == pytest.approx(13.0, abs=0.05)


def test_few_frames_bear_no_verdict() -> None:
    (one,) = told(lost(), (39.5, 39.5))
    assert (one.verdict, one.recover_s) == ("too_few", None)
    (one,) = told(lost((39.0, 40.0)), (39.0, 39.0))              # lost, but is it lasting?
    assert (one.verdict, one.recover_s) == ("too_few", None)
    (one,) = told(lost(), (0.0, 0.0))                            # nothing to compare with
    assert one.verdict == "too_few"
    nothing = frames(np.empty(0), np.empty(0, bool))
    assert [made.verdict for made in judge(nothing, [Span(1.0, 1.0)])] == ["too_few"]


def test_near_faults_are_judged_together() -> None:
    faults = [Span(10.0, 10.0), Span(14.9, 15.0), Span(20.0, 26.0), Span(25.5, 25.5), Span(31.0, 31.0)]
    assert [len(group) for group in together(faults)] == [2, 2, 1]
    first, second, alone = told(lost((10.2, 11.0), (14.9, 16.0)), (10.0, 10.0), (14.0, 14.0), (25.0, 25.0))
    assert first == second
    assert (first.together, first.verdict, first.recover_s) == (2, "recovered", pytest.approx(6.0, abs=0.05))
    assert (alone.together, alone.verdict) == (1, "not_hit")


def test_the_level_before_leaves_out_the_loss_of_an_earlier_fault() -> None:
    _, second = told(lost((10.2, 13.0)), (10.0, 10.0), (20.0, 20.0))
    assert ends(second.before) == (13.005, 20.0)
    lasting = lost() | ((AT_S >= 10.0) & (np.arange(AT_S.size) % 5 == 0))
    first, second = told(lasting, (10.0, 10.0), (25.0, 25.0))
    assert (first.verdict, second.verdict) == ("lasting", "not_hit")         # the loss is normal by then
    assert ends(second.before) == (10.005, 25.0)


def test_streams_of_the_dead_are_left_out() -> None:
    dead = frames(AT_S, AT_S >= 15.0, robot="b")
    (one,) = judge(joined(frames(AT_S, lost()), dead), [Span(15.0, 15.0)], ["b"])
    assert (one.verdict, one.left_out, one.n) == ("not_hit", ["b"], 1250)
    (one,) = judge(joined(frames(AT_S, lost()), dead), [Span(15.0, 15.0)])
    assert one.verdict == "lasting"


def test_misses_in_runs_of_ten_weigh_a_tenth() -> None:
    missed = np.zeros(4000, bool)
    missed[np.arange(50, 4000, 100)[:, None] + np.arange(10)] = True
    none, even = np.zeros(100, bool), np.arange(100) % 4 == 0
    assert clumping(missed, even) == pytest.approx(10.0, rel=0.15)
    assert clumping(np.random.default_rng(1).random(4000) < 0.1, even) == pytest.approx(1.0, abs=0.3)
    assert clumping(none, ~none[:10]) == 10.0            # nothing else seen: it may be one run of ten
    assert clumping(none, even) == 1.0


@pytest.mark.parametrize("rate_hz", RATES_HZ[:2])
@pytest.mark.parametrize("share", SHARES)
def test_some_drawn_minutes_are_told_rightly(rate_hz: int, share: float) -> None:
    """`swarm bench figures` draws hundreds of each."""
    def verdicts(kind: Kind) -> list[str | None]:
        return [judge(minute(rate_hz, share, kind, np.random.default_rng(seed)), [Span(25.0, 25.0)])[0].verdict
                for seed in range(20)]

    assert verdicts("none").count("not_hit") >= 18
    assert verdicts("bursts").count("recovered") <= 2
    assert verdicts("for_a_while").count("recovered") >= 17
    assert verdicts("lasting").count("lasting") >= 18
