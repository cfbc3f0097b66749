"""Calls on a real Ray: values, errors of the call, and processes that die in it."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from swarm import cluster
from swarm.cluster import Calls, Failed
from tests.patience import HANG_S

ERROR, DEATH, NO_END = 1, 2, 3


def called(number: int) -> int:
    if number == ERROR:
        raise ValueError(f"bad number {number}")
    if number == DEATH:
        os.kill(os.getpid(), signal.SIGKILL)
    if number == NO_END:
        threading.Event().wait()
    return 10 * number


@pytest.fixture(scope="module")
def _ray() -> Iterator[None]:
    assert cluster.connect("local") == ""
    yield
    cluster.disconnect()


pytestmark = [pytest.mark.long, pytest.mark.usefixtures("_ray"),
              pytest.mark.skipif(not cluster.available(), reason="ray is not installed")]


def test_a_call_that_raised_is_told_apart_from_one_whose_process_died() -> None:
    calls = Calls[str, int, int](called)
    for number in (0, ERROR, DEATH, 4):
        calls.start(f"call {number}", number)
    assert len(calls) == 4
    ended: dict[str, int | Failed] = {}
    while len(calls):
        (found,) = calls.ended(HANG_S)
        ended |= dict([found])
    assert (ended["call 0"], ended["call 4"]) == (0, 40)
    raised, lost = ended["call 1"], ended["call 2"]
    assert isinstance(raised, Failed)
    assert isinstance(lost, Failed)
    assert (raised.lost, raised.why) == (False, "ValueError: bad number 1")
    assert raised.node == cluster.node()
    assert lost.lost
    assert "\n" not in lost.why


def test_calls_that_do_not_end_are_cancelled() -> None:
    calls = Calls[str, int, int](called)
    calls.start("endless", NO_END)
    assert calls.ended(0.0) == []
    assert calls.cancel() == ["endless"]
    assert len(calls) == 0
    calls.start("next", 5)
    assert calls.ended(HANG_S) == [("next", 50)]


def test_a_map_says_why_values_are_missing() -> None:
    assert cluster.map(called, [5, 6], HANG_S) == cluster.Mapped({0: 50, 1: 60})
    mapped = cluster.map(called, [5, ERROR], HANG_S)
    assert mapped.values == {0: 50}
    assert mapped.reason == "ValueError: bad number 1"
