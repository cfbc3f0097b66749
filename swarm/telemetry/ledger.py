"""The collector's ledger: every request of a run, from the news of its beginning to its one ending.

Deterministic: `now` is the collector's clock in integer nanoseconds, and each event costs O(1) (a death costs one step
for each request that it ends). News may overtake each other: an ending may come before its submission, and a process's
last words after its death.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from swarm.core.protocol.messages import Ended, Gone, Submitted
from swarm.core.protocol.spans import RequestId, Span

AGENT_LOST = "agent_lost"


def on_a_peer(span: Span) -> bool:
    """Whether the result that counted came from another agent."""
    return span.ran_on not in ("", span.request.agent)


@dataclass(slots=True, kw_only=True)
class Row:
    """One request as the collector knows it; times are seconds since the streams began, on the collector's clock."""

    span: Span
    at_s: float                      # when it was submitted
    ended_at_s: float | None = None  # None: still open
    announced: bool = True           # its Submitted was heard


class Tally(msgspec.Struct, kw_only=True):
    """Counts of requests by how they ended."""

    submitted: int = 0
    completed: int = 0
    late: int = 0
    offloaded: int = 0               # of the completed, on a peer
    failed_by: dict[str, int] = {}

    @property
    def failed(self) -> int:
        return sum(self.failed_by.values())

    @property
    def open(self) -> int:
        """Submitted and not ended; what is open after the drain is lost."""
        return self.submitted - self.completed - self.late - self.failed

    @property
    def on_time_ratio(self) -> float:
        """completed / submitted, and 0 when nothing was submitted."""
        return self.completed / self.submitted if self.submitted else 0.0

    @property
    def on_time_so_far(self) -> float:
        """completed / ended, for a display during the run."""
        ended = self.submitted - self.open
        return self.completed / ended if ended else 0.0

    @property
    def offload_share(self) -> float:
        """completed on a peer / completed."""
        return self.offloaded / self.completed if self.completed else 0.0

    def count(self, span: Span) -> None:
        """Enter one ending."""
        if span.ending == "completed":
            self.completed += 1
            self.offloaded += on_a_peer(span)
        elif span.ending == "late":
            self.late += 1
        else:
            reason = span.reason or "unknown"
            self.failed_by[reason] = self.failed_by.get(reason, 0) + 1

    def copy(self) -> Tally:
        return msgspec.structs.replace(self, failed_by=dict(self.failed_by))


class Statistics(msgspec.Struct, frozen=True, kw_only=True):
    """The ledger's totals at one moment."""

    total: Tally
    streams: dict[str, Tally]
    first_result_s: float | None     # since the command's start; None: no result yet
    ended_twice: int                 # second endings of one id, ignored
    submitted_twice: int             # second submissions of one id, ignored
    overtaken: int                   # endings that came before their submission, or without one
    after_gone: int                  # endings that came after the ledger had ended them as agent_lost, ignored
    after_close: int                 # news after the end, ignored
    not_an_ending: int               # Ended messages whose span says `open`, ignored


class Ledger:
    """Every request of a run. `models` gives a stream's model, for requests whose span never comes."""

    def __init__(self, commanded_ns: int, models: Mapping[str, str] | None = None) -> None:
        self._commanded_ns = self._start_ns = commanded_ns
        self._models = dict(models or {})
        self._rows: dict[RequestId, Row] = {}
        self._open: dict[tuple[str, int], dict[RequestId, None]] = {}
        self._gone: set[tuple[str, int]] = set()     # boots known to have ended; a clock set back makes lower ones
        self._ended_by_us: set[RequestId] = set()
        self._total = Tally()
        self._streams: dict[str, Tally] = {}
        self._first_result_s: float | None = None
        self._closed = False
        self._odd = dict.fromkeys(
            ("ended_twice", "submitted_twice", "overtaken", "after_gone", "after_close", "not_an_ending"), 0)

    def started(self, now: int) -> None:
        """The streams begin: the zero of every row's time."""
        self._start_ns = now

    def handle(self, news: Submitted | Ended | Gone, now: int) -> None:
        """Enter one piece of news."""
        if self._closed:
            self._odd["after_close"] += 1
        elif isinstance(news, Submitted):
            self._submitted(news, now)
        elif isinstance(news, Ended):
            self._ended(news.span, now)
        else:
            self._agent_lost(news.name, news.boot, now)

    def close(self) -> list[Row]:
        """After the drain: what is still open stays open and is lost. Returns all rows, in order of their news."""
        self._closed = True
        return list(self._rows.values())

    def statistics(self) -> Statistics:
        return Statistics(
            total=self._total.copy(), streams={name: t.copy() for name, t in self._streams.items()},
            first_result_s=self._first_result_s, **self._odd,
        )

    def _submitted(self, news: Submitted, now: int) -> None:
        row = self._rows.get(news.request)
        if row is not None:
            self._odd["submitted_twice"] += row.announced
            row.announced = True
            return
        self._enter(Row(span=self._stub(news), at_s=self._since_start(now)))
        agent, boot = news.request.agent, news.request.boot
        self._open.setdefault((agent, boot), {})[news.request] = None
        if (agent, boot) in self._gone:              # its last words, read after its death
            self._agent_lost(agent, boot, now)

    def _ended(self, span: Span, now: int) -> None:
        if span.ending == "open":
            self._odd["not_an_ending"] += 1
            return
        row = self._rows.get(span.request)
        if row is None:
            self._odd["overtaken"] += 1
            lasted_s = max(span.ended_ns - span.submitted_ns, 0) / 1e9
            row = Row(span=span, at_s=max(self._since_start(now) - lasted_s, 0.0), announced=False)
            self._enter(row)
        elif row.ended_at_s is not None:
            self._odd["after_gone" if span.request in self._ended_by_us else "ended_twice"] += 1
            self._ended_by_us.discard(span.request)
            return
        self._end(row, span, now)

    def _agent_lost(self, agent: str, boot: int, now: int) -> None:
        self._gone.add((agent, boot))
        for request in list(self._open.get((agent, boot), ())):
            row = self._rows[request]
            self._ended_by_us.add(request)
            self._end(row, msgspec.structs.replace(row.span, ending="failed", reason=AGENT_LOST), now)

    def _enter(self, row: Row) -> None:
        self._rows[row.span.request] = row
        self._total.submitted += 1
        self._streams.setdefault(row.span.stream, Tally()).submitted += 1

    def _end(self, row: Row, span: Span, now: int) -> None:
        self._open.get((span.request.agent, span.request.boot), {}).pop(span.request, None)
        self._streams[row.span.stream].count(span)   # the stream under which it was submitted
        self._total.count(span)
        row.span = msgspec.structs.replace(span, stream=row.span.stream)
        row.ended_at_s = self._since_start(now)
        if self._first_result_s is None and span.ending in ("completed", "late"):
            self._first_result_s = (now - self._commanded_ns) / 1e9

    def _since_start(self, now: int) -> float:
        return (now - self._start_ns) / 1e9

    def _stub(self, news: Submitted) -> Span:
        return Span(request=news.request, stream=news.stream, model=self._models.get(news.stream, ""), priority=0,
                    captured_ns=0, submitted_ns=0, deadline_ns=0)
