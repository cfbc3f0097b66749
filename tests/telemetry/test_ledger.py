"""Every request is entered once and ends at most once, whatever the order of the news."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from swarm.core.protocol.messages import Ended, Gone, Submitted
from swarm.core.protocol.spans import Frame, RequestId, Span
from swarm.telemetry.ledger import Ledger
from tests.telemetry import fakes

NS = fakes.NS


def submitted(k: int, agent: str = "a", boot: int = 1) -> Submitted:
    return Submitted(request=RequestId(agent, boot, k), frame=Frame(boot, "detect", k), due_s=0.2 * k)


def ended(k: int, ending: str = "completed", agent: str = "a", boot: int = 1, ran_on: str = "a", reason: str = ""
          ) -> Ended:
    return Ended(span=Span(
        request=RequestId(agent, boot, k), stream="detect", model="m", priority=0, captured_ns=1 * NS,
        submitted_ns=1 * NS, deadline_ns=2 * NS, ended_ns=2 * NS, ran_on=ran_on, reason=reason,
        ending=ending))  # pyright: ignore[reportArgumentType]


def test_a_request_is_counted_by_its_ending() -> None:
    book = Ledger(0, {"detect": "m"})
    book.started(2 * NS)
    for k in range(5):
        book.handle(submitted(k), 3 * NS)
    book.handle(ended(0), 4 * NS)
    book.handle(ended(1, ran_on="b"), 5 * NS)
    book.handle(ended(2, "late"), 6 * NS)
    book.handle(ended(3, "failed", reason="superseded"), 6 * NS)
    now = book.statistics()
    assert (now.total.submitted, now.total.completed, now.total.late) == (5, 2, 1)
    assert now.total.failed_by == {"superseded": 1}
    assert now.total.open == 1
    assert (now.total.offload_share, now.first_result_s) == (0.5, 4.0)
    assert now.streams["detect"] == now.total
    rows = book.close()
    assert [r.due_s for r in rows] == [0.0, 0.2, 0.4, 0.6000000000000001, 0.8]
    assert [r.ended_at_s for r in rows] == [2.0, 3.0, 4.0, 4.0, None]
    assert rows[4].span.ending == "open"
    assert rows[4].span.model == "m"


def test_a_dead_agents_open_requests_fail_and_its_next_boot_goes_on() -> None:
    book = Ledger(0)
    for k in range(3):
        book.handle(submitted(k), 1)
    book.handle(ended(0), 2)
    book.handle(submitted(0, boot=2), 3)
    book.handle(submitted(0, agent="b"), 3)
    book.handle(Gone(name="a", boot=1), 4)
    assert book.statistics().total.failed_by == {"agent_lost": 2}
    assert book.statistics().total.open == 2
    book.handle(submitted(7), 5)                     # its last words, read after its death
    book.handle(ended(1), 6)
    assert book.statistics().total.failed_by == {"agent_lost": 3}
    assert (book.statistics().after_gone, book.statistics().ended_twice) == (1, 0)


def test_odd_news_is_counted_and_ignored() -> None:
    book = Ledger(0)
    book.handle(ended(0), 2 * NS)                    # overtook its submission
    book.handle(submitted(0), 2 * NS)
    book.handle(submitted(0), 2 * NS)
    book.handle(ended(0, "late"), 3 * NS)
    book.handle(ended(1, "open"), 3 * NS)
    book.close()
    book.handle(submitted(9), 5 * NS)
    now = book.statistics()
    assert (now.total.submitted, now.total.completed, now.total.late) == (1, 1, 0)
    assert (now.overtaken, now.submitted_twice, now.ended_twice, now.not_an_ending, now.after_close) == (1,) * 5


def test_a_copy_of_the_totals_stays_as_it_was() -> None:
    book = Ledger(0)
    book.handle(submitted(0), 1)
    before = book.statistics()
    book.handle(ended(0, "failed", reason="x"), 2)
    assert before.total.failed_by == {}
    assert before.streams["detect"].submitted == 1


NEWS = st.one_of(
    st.builds(submitted, st.integers(0, 4), st.sampled_from("ab"), st.integers(1, 2)),
    st.builds(ended, st.integers(0, 4), st.sampled_from(["completed", "late", "failed", "open"]),
              st.sampled_from("ab"), st.integers(1, 2), st.sampled_from("ab"), st.sampled_from(["", "full"])),
    st.builds(lambda name, boot: Gone(name=name, boot=boot), st.sampled_from("ab"), st.integers(1, 2)),
)


@settings(max_examples=120)
@given(st.lists(NEWS, max_size=60))
def test_any_order_of_news_ends_each_request_at_most_once(news: list[Submitted | Ended | Gone]) -> None:
    book, first = Ledger(0), {}
    for now, item in enumerate(news):
        book.handle(item, now)
        for row in book._rows.values():
            if row.ended_at_s is not None:
                kept = first.setdefault(row.span.request, (row.span.ending, row.span.reason, row.ended_at_s))
                assert kept == (row.span.ending, row.span.reason, row.ended_at_s)
    rows = book.close()
    s = book.statistics()
    named = {n.request if isinstance(n, Submitted) else n.span.request for n in news
             if isinstance(n, Submitted) or (isinstance(n, Ended) and n.span.ending != "open")}
    assert {r.span.request for r in rows} == named
    assert s.total.submitted == len(rows) == sum(t.submitted for t in s.streams.values())
    assert s.total.open == sum(r.ended_at_s is None for r in rows) == sum(r.span.ending == "open" for r in rows)
    assert s.total.completed + s.total.late + s.total.failed == sum(r.ended_at_s is not None for r in rows)
    told = sum(isinstance(n, Submitted) for n in news)
    assert told == sum(r.frame is not None for r in rows) + s.submitted_twice
    real = sum(isinstance(n, Ended) and n.span.ending != "open" for n in news)
    by_us = sum(r.span.reason == "agent_lost" for r in rows)
    assert real == s.total.submitted - s.total.open - by_us + s.ended_twice + s.after_gone


def test_a_run_with_deaths_loses_nothing() -> None:
    of = fakes.launch()
    book = fakes.ledger(of)
    s = book.statistics()
    assert s.total.submitted > 2000
    assert s.total.open == 0
    assert s.total.failed_by["agent_lost"] >= 1
    assert (s.ended_twice, s.overtaken, s.after_gone) == (0, 0, 0)
    assert s.first_result_s is not None
    assert 5.0 < s.first_result_s < 5.5


def test_an_agent_reports_its_own_requests_alone_and_no_more_than_it_can_have() -> None:
    book = Ledger(0)
    for k in range(3):
        book.reported("a", submitted(k), 2, NS)
    book.reported("mallory", submitted(9), 99, NS)
    book.reported("mallory", ended(0), 99, NS)               # which would end what another has submitted
    assert (book.statistics().total.submitted, book.statistics().total.open) == (2, 2)
    assert book.statistics().not_theirs == 3
    book.reported("a", ended(0), 2, NS)                      # of one that is known already
    assert book.statistics().total.completed == 1
