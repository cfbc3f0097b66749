"""Reports of links: only changes, and from time to time all links."""

from __future__ import annotations

from agents.peers.link_report import FULL_EVERY, LinkReporter


def test_changed_links_are_reported_and_from_time_to_time_all() -> None:
    reporter, links = LinkReporter(), {"a": (0.01, 1e7), "b": (0.02, 1e7)}
    assert reporter.due(links) == links
    assert reporter.due({"a": (0.011, 9e6), "b": (0.02, 1e7)}) == {}
    assert reporter.due({"a": (0.013, 1e7), "b": (0.02, 7e6), "c": (0.01, 1e7)}) == {
        "a": (0.013, 1e7), "b": (0.02, 7e6), "c": (0.01, 1e7)}
    told = [reporter.due(links) for _ in range(FULL_EVERY)]
    assert [len(news) for news in told[1:]].count(2) == 1
    assert told[0].keys() == {"a", "b"}


def test_small_changes_add_up_to_a_report() -> None:
    reporter = LinkReporter()
    told = sum(bool(reporter.due({"a": (0.001 * 1.06**k, 1e7)})) for k in range(8))
    assert told == 2


def test_on_a_slow_link_a_small_change_is_notable() -> None:
    reporter = LinkReporter()
    assert reporter.due({"a": (0.04, 5e5)})
    assert not reporter.due({"a": (0.0415, 5e5)})
    assert reporter.due({"a": (0.04, 4.6e5)})                    # a tensor of 16 KiB takes 2.8 ms longer
