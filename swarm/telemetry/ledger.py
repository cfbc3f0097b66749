"""The collector's ledger: every request of a run, from its submission to its single ending.

Deterministic: `now` is the collector's clock in integer nanoseconds, and each event costs O(1) (a death costs one step
for each request that it ends). Messages may arrive out of order: an ending before its submission, and the last messages
of a process after its death.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import msgspec

from swarm.core.protocol.messages import Ended, Gone, Submitted
from swarm.core.protocol.spans import Frame, RequestId, Span

AGENT_LOST = "agent_lost"


def on_a_peer(span: Span) -> bool:
    """Whether the result that counted came from another agent."""
    return span.ran_on not in ("", span.request.agent)


@dataclass(slots=True, kw_only=True)
class Row:
    """One request as the collector knows it; times are seconds since the streams began, on the collector's clock."""

    span: Span
    at_s: float                      # when it was submitted; if it was missed, when it fell due
    due_s: float                     # when its frame fell due
    frame: Frame | None = None       # None: its Submitted message has not arrived
    ended_at_s: float | None = None  # None: still open


class Tally(msgspec.Struct, kw_only=True):
    """Counts of due frames and of their requests. The ledger knows no missed frames: their number shows at the end."""

    due: int = 0
    missed_by: dict[str, int] = {}
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
        """Submitted and not ended; a request that is open after the drain is lost."""
        return self.submitted - self.completed - self.late - self.failed

    @property
    def on_time_ratio(self) -> float:
        """completed / due, and 0 when nothing was due."""
        return self.completed / self.due if self.due else 0.0

    @property
    def offload_share(self) -> float:
        """completed on a peer / completed."""
        return self.offloaded / self.completed if self.completed else 0.0

    def add(self, row: Row) -> None:
        """Count one due frame."""
        self.due += 1
        if row.span.ending == "missed":
            self.missed_by[row.span.reason] = self.missed_by.get(row.span.reason, 0) + 1
            return
        self.submitted += 1
        if row.ended_at_s is not None:
            self.count(row.span)

    def count(self, span: Span) -> None:
        """Count one ending."""
        if span.ending == "completed":
            self.completed += 1
            self.offloaded += on_a_peer(span)
        elif span.ending == "late":
            self.late += 1
        else:
            reason = span.reason or "unknown"
            self.failed_by[reason] = self.failed_by.get(reason, 0) + 1

    def copy(self) -> Tally:
        return msgspec.structs.replace(self, failed_by=dict(self.failed_by), missed_by=dict(self.missed_by))


class Statistics(msgspec.Struct, frozen=True, kw_only=True):
    """The ledger's totals at one moment."""

    total: Tally
    streams: dict[str, Tally]
    first_result_s: float | None     # since the command's start; None: no result yet
    ended_twice: int                 # second endings of one id, ignored
    submitted_twice: int             # second submissions of one id, ignored
    overtaken: int                   # endings before their submission, or without one
    after_gone: int                  # endings after the ledger had ended the request as agent_lost, ignored
    after_close: int                 # messages after the end, ignored
    not_theirs: int                  # reports about requests of another agent, or of more than its streams can have
    not_an_ending: int               # Ended messages whose span says `open`, ignored


class Ledger:
    """Every request of a run. `models` gives a stream's model, for requests whose span never comes.

    on_end: called once for each request that ends, with its span.
    """

    def __init__(
        self, commanded_ns: int, models: Mapping[str, str] | None = None,
        on_end: Callable[[Span], None] = lambda span: None,
    ) -> None:
        self._commanded_ns = self._start_ns = commanded_ns
        self._models, self._on_end = dict(models or {}), on_end
        self._rows: dict[RequestId, Row] = {}
        self._rows_of: dict[str, int] = {}           # by agent
        self._open: dict[tuple[str, int], dict[RequestId, None]] = {}
        self._gone: set[tuple[str, int]] = set()     # starts that have ended; boots need not grow: clocks step back
        self._ended_by_us: set[RequestId] = set()
        self._total = Tally()
        self._streams: dict[str, Tally] = {}
        self._first_result_s: float | None = None
        self._closed = False
        self._anomalies = dict.fromkeys(
            ("ended_twice", "submitted_twice", "overtaken", "after_gone", "not_theirs", "after_close", "not_an_ending"),
            0)

    def started(self, now: int) -> None:
        """The streams begin: time 0 of every row."""
        self._start_ns = now

    def reported(self, sender: str, message: Submitted | Ended, most: int, now: int) -> None:
        """Record the report of an agent about a request of its own. most: requests that it can have had so far."""
        request = message.request if isinstance(message, Submitted) else message.span.request
        if request.agent != sender or (request not in self._rows and self._rows_of.get(sender, 0) >= most):
            self._anomalies["not_theirs"] += 1
        else:
            self.handle(message, now)

    def handle(self, message: Submitted | Ended | Gone, now: int) -> None:
        """Record one message."""
        if self._closed:
            self._anomalies["after_close"] += 1
        elif isinstance(message, Submitted):
            self._submitted(message, now)
        elif isinstance(message, Ended):
            self._ended(message.span, now)
        else:
            self._agent_lost(message.name, message.boot, now)

    @property
    def requests(self) -> int:
        """How many requests it holds."""
        return len(self._rows)

    def take_open(self) -> list[Row]:
        """Take out the requests that are open, in the order of their submissions by agent and start."""
        rows = [self._rows.pop(request) for requests in self._open.values() for request in requests]
        self._open.clear()
        for row in rows:
            self._rows_of[row.span.request.agent] -= 1
            self._total.submitted -= 1
            self._streams[row.span.stream].submitted -= 1
        return rows

    def close(self) -> list[Row]:
        """End the ledger after the drain; open requests stay open and are lost.

        Returns all rows, in the order in which their first message arrived.
        """
        self._closed = True
        return list(self._rows.values())

    def statistics(self) -> Statistics:
        return Statistics(
            total=self._total.copy(), streams={name: t.copy() for name, t in self._streams.items()},
            first_result_s=self._first_result_s, **self._anomalies,
        )

    def _submitted(self, message: Submitted, now: int) -> None:
        row = self._rows.get(message.request)
        if row is not None:
            self._anomalies["submitted_twice"] += row.frame is not None
            row.frame, row.due_s = message.frame, message.due_s
            return
        at_s = self._since_start(now)
        self._add(Row(span=self._open_span(message), at_s=at_s, due_s=message.due_s, frame=message.frame))
        agent, boot = message.request.agent, message.request.boot
        self._open.setdefault((agent, boot), {})[message.request] = None
        if (agent, boot) in self._gone:              # this message arrived after the death
            self._agent_lost(agent, boot, now)

    def _ended(self, span: Span, now: int) -> None:
        if span.ending in ("open", "missed"):
            self._anomalies["not_an_ending"] += 1
            return
        row = self._rows.get(span.request)
        if row is None:
            self._anomalies["overtaken"] += 1
            lasted_s = max(span.ended_ns - span.submitted_ns, 0) / 1e9
            at_s = max(self._since_start(now) - lasted_s, 0.0)
            row = Row(span=span, at_s=at_s, due_s=at_s - (span.submitted_ns - span.captured_ns) / 1e9)
            self._add(row)
        elif row.ended_at_s is not None:
            self._anomalies["after_gone" if span.request in self._ended_by_us else "ended_twice"] += 1
            self._ended_by_us.discard(span.request)
            return
        self._end(row, span, now)

    def _agent_lost(self, agent: str, boot: int, now: int) -> None:
        self._gone.add((agent, boot))
        for request in list(self._open.get((agent, boot), ())):
            row = self._rows[request]
            self._ended_by_us.add(request)
            self._end(row, msgspec.structs.replace(row.span, ending="failed", reason=AGENT_LOST), now)

    def _add(self, row: Row) -> None:
        request = row.span.request
        self._rows[request], self._rows_of[request.agent] = row, self._rows_of.get(request.agent, 0) + 1
        self._total.submitted += 1
        self._streams.setdefault(row.span.stream, Tally()).submitted += 1

    def _end(self, row: Row, span: Span, now: int) -> None:
        self._open.get((span.request.agent, span.request.boot), {}).pop(span.request, None)
        self._streams[row.span.stream].count(span)   # the stream under which it was submitted
        self._total.count(span)
        row.span = msgspec.structs.replace(span, stream=row.span.stream)
        row.ended_at_s = self._since_start(now)
        self._on_end(row.span)
        if self._first_result_s is None and span.ending in ("completed", "late"):
            self._first_result_s = max(now - self._commanded_ns, 0) / 1e9        # one that was kept may be older

    def _since_start(self, now: int) -> float:
        return (now - self._start_ns) / 1e9

    def _open_span(self, message: Submitted) -> Span:
        stream = message.frame.stream
        return Span(request=message.request, stream=stream, model=self._models.get(stream, ""), priority=0,
                    captured_ns=0, submitted_ns=0, deadline_ns=0)
