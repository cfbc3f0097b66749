"""The words about what a behaviour gave in place of an output, and how often they are told."""

from __future__ import annotations

from typing import Any

import pytest

from agents.behaviours import Note
from agents.outputs import MOST_LETTERS, in_words, wrong_with
from agents.own_events import OwnEvents
from swarm.core.protocol.messages import Happened
from swarm.core.protocol.world import Drive, Report


class Rude:
    def __repr__(self) -> str:
        raise ValueError


RUDE: Any = Rude()


@pytest.mark.parametrize(("output", "words"), [
    ("left", "'left'"), (None, "None"), (3, "3"), (10**400, "int"), ([1], "list"), (RUDE, "Rude"),
    (Drive(v_mps=RUDE, w_radps=float("nan")), "Drive(v_mps=Rude, w_radps=nan, ttl_s=0.5)"),
    (Report(kind="k", values={}), "Report(kind='k', values=dict)"),
    (Note("t", b"d", ("x",)), "Note(topic='t', data=bytes, to=tuple)"),
])
def test_the_words_are_the_same_in_every_run(output: object, words: str) -> None:
    assert in_words(output) == words


def test_the_words_are_bounded_and_travel() -> None:
    long = type("x" * 1000, (), {})()
    assert len(in_words(long)) == len(in_words(Report(kind=long, values={}))) == MOST_LETTERS
    assert len(in_words("left" * 1000)) < 40
    in_words("\ud800").encode()


def test_what_the_receiver_takes_is_not_wrong() -> None:
    assert wrong_with(Drive(v_mps=1, w_radps=-1e12)) == ""
    assert "v_mps" in wrong_with(Drive(v_mps=float("inf"), w_radps=0.0))


def test_the_first_of_each_kind_is_told() -> None:
    told: list[Happened] = []
    events = OwnEvents(told.append)
    for kind, output in (("output", "left"), ("act", "a"), ("output", "right"), ("act", "b")):
        events.dropped(kind, output, "why")
    assert [one.detail for one in told] == [
        {"kind": "output", "output": "'left'", "why": "why"}, {"kind": "act", "output": "'a'", "why": "why"}]
