"""What agents report of themselves, over their starts."""

from __future__ import annotations

from swarm.core.protocol.messages import AgentNews
from swarm.telemetry.figures.agents import AgentBook

NEWS = AgentNews(rss_bytes=1, runs=1, overruns=0, busy_share=0.5, refused_in=0, duplicates=0, control_bytes=0)


def test_the_last_report_of_a_killed_agent_does_not_revive_it_but_a_new_start_does() -> None:
    book = AgentBook()
    book.handle("a", 1, NEWS)
    book.set_status("a", 1, "killed")
    book.handle("a", 1, NEWS)
    assert book.figures("a").status == "killed"
    book.handle("a", 2, NEWS)
    assert book.figures("a").status == "running"
    assert book.figures("a").boots == 2


def test_a_start_that_ended_before_it_reported_is_counted() -> None:
    book = AgentBook()
    book.set_status("a", 3, "killed")
    assert (book.figures("a").boots, book.figures("a").status) == (1, "killed")
    assert book.figures("b").boots == 0
