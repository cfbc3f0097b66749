"""The recording of a robot's frames and outcomes."""

from __future__ import annotations

import numpy as np
import pytest

from agents.runtime import recording
from agents.runtime.recording import Recording, parse
from swarm.core.protocol.spans import LegRun, Span
from swarm.core.protocol.world import Detection, Detections, Mask, Outcome
from tests.agents.builders import request

BOXES = Detections(boxes=[Detection(1, 0.5, 1.0, 2.0, 3.0, 4.0)])
MASK = Mask(height=1, width=2, cells=b"\0\1")


def frame(value: int) -> np.ndarray:
    return np.full((72, 96, 3), value, np.uint8)


def span(sequence: int, ran_on: str, *legs: str) -> Span:
    return Span(
        request=request(sequence), stream="s", model="detector", variant="int8", priority=0, captured_ns=0,
        submitted_ns=0, deadline_ns=1, ran_on=ran_on, legs=[LegRun(agent=leg, first=0, last=1) for leg in legs],
    )


def test_outcomes_are_read_back_with_their_frames_and_agents() -> None:
    kept, one = Recording(), frame(1)
    told: list[tuple[Span, Outcome, np.ndarray]] = [
        (span(1, "mule", "me", "mule"), BOXES, one),
        (span(2, "me"), MASK, one),
        (span(3, "me", "me", "mule"), BOXES, frame(2)),      # the chain did not answer: its fallback did
    ]
    for what in told:
        kept.keep(*what)
    records, frames = parse(kept.content())
    assert [(r.request, r.outcome) for r in records] == [(s.request, outcome) for s, outcome, _ in told]
    assert [r.agents for r in records] == [["me", "mule"], ["me"], ["me"]]
    assert [r.frame for r in records] == [0, 0, 1]           # a frame of two streams is kept once
    assert [f.mean() for f in frames] == [1, 2]


def test_nothing_is_a_recording_too() -> None:
    assert parse(Recording().content())[0] == []


def test_frames_are_bounded_and_left_out_outcomes_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "MOST_FRAMES", 2)
    kept = Recording()
    for i in range(5):
        kept.keep(span(i, "me"), BOXES, frame(i))
    assert kept.left_out == 3


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"text"])
def test_a_file_that_is_no_recording_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="zip"):
        parse(content)
