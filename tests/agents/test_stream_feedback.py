"""What a robot tells the planner of its streams: requests of the placement in force, counted once."""

from __future__ import annotations

from agents.streams.stream_feedback import StreamFeedback
from swarm.core.policy.plan import Placement
from swarm.core.protocol.messages.presence import StreamSeen
from swarm.core.protocol.spans import RequestId, Span

HOME = Placement(agent="a", stream="s", variant="int8", where=["a"])
AWAY = Placement(agent="a", stream="s", variant="int8", where=["b"])


def span(submitted_ns: int, ending: str = "completed", stream: str = "s", **more: object) -> Span:
    return Span(request=RequestId("a", 1, submitted_ns), stream=stream, model="m", priority=0, captured_ns=0,
                submitted_ns=submitted_ns, deadline_ns=100, ending=ending, **more)   # type: ignore[arg-type]


def test_ends_are_counted_by_what_became_of_them() -> None:
    feedback = StreamFeedback()
    feedback.ended(span(1, ran_on="a"), AWAY, 10)
    feedback.ended(span(2, ran_on="b"), AWAY, 20)
    feedback.ended(span(3, "late", ran_on="a", guard_fired=True), AWAY, 30)
    feedback.ended(span(4, "failed", reason="too_late"), AWAY, 40)
    feedback.ended(span(5, "failed", reason="superseded"), AWAY, 50)
    assert feedback.report() == [StreamSeen(
        stream="s", variant="int8", where=["b"], ended=5, on_time=2, away=1, refused=1, fired=1)]
    assert feedback.report() == []


def test_a_new_placement_begins_anew_with_the_requests_submitted_under_it() -> None:
    feedback = StreamFeedback()
    feedback.ended(span(1), HOME, 10)
    feedback.ended(span(12), AWAY, 20)                           # submitted under the old one, or nobody knows
    assert feedback.report() == []
    feedback.ended(span(15), AWAY, 30)
    feedback.ended(span(21, "late"), AWAY, 40)
    assert feedback.report() == [StreamSeen(stream="s", variant="int8", where=["b"], ended=1, on_time=0)]


def test_streams_without_a_placement_are_not_told() -> None:
    feedback = StreamFeedback()
    feedback.ended(span(1), None, 10)
    feedback.ended(span(2, stream="t"), HOME, 20)
    assert [seen.stream for seen in feedback.report()] == ["t"]
