"""Reports of links: only changes, and from time to time all links."""

from __future__ import annotations

from agents.peers.link_report import FULL_EVERY, LinkReporter


def test_changed_links_are_reported_and_from_time_to_time_all() -> None:
    reporter, links = LinkReporter(), {"a": (0.01, 1e6), "b": (0.02, 1e6)}
    assert reporter.due(links) == links
    assert reporter.due({"a": (0.011, 0.9e6), "b": (0.02, 1e6)}) == {}
    assert reporter.due({"a": (0.013, 1e6), "b": (0.02, 0.7e6), "c": (0.01, 1e6)}) == {
        "a": (0.013, 1e6), "b": (0.02, 0.7e6), "c": (0.01, 1e6)}
    told = [reporter.due(links) for _ in range(FULL_EVERY)]
    assert [len(news) for news in told[1:]].count(2) == 1
    assert told[0].keys() == {"a", "b"}


def test_small_changes_add_up_to_a_report() -> None:
    reporter = LinkReporter()
    told = sum(bool(reporter.due({"a": (0.01 * 1.06**k, 1e6)})) for k in range(8))
    assert told == 2
