"""What must be said of a run before its figures."""

from __future__ import annotations

from swarm.telemetry.figures.remarks import remarks, settings
from tests.telemetry import fakes


def test_nothing_is_said_of_an_ordinary_run_or_of_an_empty_summary() -> None:
    of = fakes.launch()
    assert remarks(fakes.summary(of, fakes.ledger(of))) == remarks({}) == []


def test_an_end_before_its_time_no_requests_and_no_robots_are_said() -> None:
    said = remarks({
        "interrupted": True, "ran_s": 0.41, "duration_s": 5.0, "requests": {"submitted": 0},
        "agents": {"a": {"status": "killed"}, "b": {"status": "crashed"}}})
    assert [words.split(":")[0] for words in said] == [
        "Interrupted", "No request was submitted", "No robot was left at the end"]
    assert "0.4 of 5 s" in said[0]
    assert remarks({"agents": {"a": {"status": "killed"}, "b": {"status": "ended"}}}) == []


def test_nonsense_of_behaviours_is_said_with_its_robots_and_few_of_many() -> None:
    def said(*counts: int) -> list[str]:
        return remarks({"agents": {f"r_{k}": {"behaviour_nonsense": count} for k, count in enumerate(counts)}})

    assert said(0, 0) == []
    (one,) = said(0, 7)
    assert one.startswith("Nonsense: 7 outputs of behaviours were dropped (r_1 7); the events `nonsense`")
    assert "dropped (r_0 1, r_1 2, r_2 3, r_3 4 and 2 more robots);" in said(1, 2, 3, 4, 5, 6)[0]


def test_other_runs_on_the_host_are_said_and_none_where_it_is_not_known() -> None:
    (said,) = remarks({"overlapped": ["a was on when this run began", "b began while this run was on"]})
    assert said.endswith(": a was on when this run began; b began while this run was on.")
    assert remarks({"overlapped": None}) == remarks({"overlapped": []}) == []


def test_a_behaviour_and_a_perception_that_are_not_the_usual_ones_are_said_and_no_others() -> None:
    of = fakes.launch(behaviour="patrol", perception="halved", clock="virtual")
    assert settings(fakes.summary(of, fakes.ledger(of))) == [
        "Behaviour patrol: the launch file names it.",
        "Perception halved: models found half as much as their cards say, and twice as much that is false."]
    usual = fakes.launch()
    assert settings(fakes.summary(usual, fakes.ledger(usual))) == settings({}) == []
    assert settings({"perception": "odd"}) == ["Perception odd: not known to this version."]
