"""The reports of an agent on a board, kept until a collector has them: nothing is lost while nobody listens.

Deterministic. A collector answers each batch, and what it has is forgotten. While it answers, reports wait in memory
for a moment before they are written to the board's disk (`Shelf`), so that hardly any are; while it does not, each is
written at once. They are bounded in bytes: the oldest are dropped, and counted.
"""

from __future__ import annotations

import collections

import msgspec

from swarm.core.ports import Clock, KeptRecord, Shelf, Timer, Timers
from swarm.core.protocol import messages as msg
from swarm.core.protocol.messages.telemetry import MOST_AGE_S, MOST_REPORTS, REPORT_BYTES
from swarm.core.units import ns, seconds
from swarm.membership.participant import Participant

MOST_BYTES = 16 << 20                # on the disk and in memory: 80 minutes of one stream of 5 Hz, measured
OVERHEAD_BYTES = 32                  # of one report
BATCH_BYTES = 6 << 10                # a batch fits into one message of the urgent lane
ANSWER_NS = ns(1.0)                  # a batch without an answer is sent again
MOST_UNANSWERED = 6                  # in sequence; then the connection is made anew
FIRST_RETRY_NS, RETRY_NS = ns(0.02), ns(1.0)         # while the collector cannot be reached; doubled each time
WRITE_NS = ns(1.0)                   # until a report that is not answered is written


class KeptReports:
    """A queue to the collector.

    shelf: where reports are kept over restarts; None: in memory alone.
    """

    def __init__(self, clock: Clock, timers: Timers, participant: Participant, shelf: Shelf | None = None) -> None:
        self._clock, self._timers, self._participant, self._shelf = clock, timers, participant, shelf
        self._records = collections.deque(shelf.found if shelf else ())
        self._written = len(self._records)           # of the records: the first ones
        self._bytes = sum(map(_size, self._records))
        self._number = 0
        self._sent: tuple[int, int] | None = None    # boot and number of the last report that awaits its answer
        self._timer: Timer | None = None             # of the next try
        self._retry_ns, self._writing = FIRST_RETRY_NS, False
        self._unanswered = 0                         # in sequence
        self._listens = False                        # the collector answers
        self._lost = shelf.lost if shelf else 0      # that no collector was told of
        participant.tell_through(self.put)

    def put(self, body: msg.Body) -> None:
        """Keep a report, and send it when its turn comes."""
        content = msgspec.msgpack.encode(body)
        if len(content) > REPORT_BYTES:
            self._lost += 1
            return
        self._number += 1
        record = KeptRecord(self._participant.boot, self._number, self._clock.now_ns(), content)
        self._records.append(record)
        self._bytes += _size(record)
        self._limit()
        if not self._listens:
            self._write()
        elif not self._writing:
            self._writing = True
            self._timers.after(WRITE_NS, self._write)
        self._send()

    def received(self, answer: msg.KeptReceived) -> None:
        """The collector has a report, and all before it."""
        had = answer.boot, answer.number
        if self._sent != had:
            return                                   # an answer to what was sent twice
        self._sent, self._listens, self._retry_ns, self._unanswered = None, True, FIRST_RETRY_NS, 0
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for count, record in enumerate(self._records, 1):
            if (record.boot, record.number) == had:
                self._forget(count)
                break
        if self._lost:
            lost, self._lost = self._lost, 0
            self.put(msg.Happened(what="reports_dropped", detail={"count": lost}))
        self._send()

    def end(self) -> None:
        """The process ends: what no collector has goes to the shelf."""
        self._write()

    def __len__(self) -> int:
        """The reports that wait for a collector that listens; without one they are safe where they are."""
        return len(self._records) if self._listens else 0

    @property
    def kept(self) -> int:
        """All that no collector has."""
        return len(self._records)

    # --- sending ---

    def _send(self) -> None:
        """Send the oldest reports, unless others await their answer."""
        waits = self._sent is not None or self._timer is not None
        if waits or not self._records or not self._participant.has_collector:
            return
        batch, size = list[KeptRecord](), 0
        for record in self._records:
            size += _size(record)
            if batch and (size > BATCH_BYTES or len(batch) == MOST_REPORTS):
                break
            batch.append(record)
        now = self._clock.now_ns()
        sent = self._participant.report(msg.Kept(reports=[
            msg.KeptReport(one.boot, one.number, min(seconds(max(now - one.at_ns, 0)), MOST_AGE_S), one.body)
            for one in batch]))
        if sent:
            self._sent = batch[-1].boot, batch[-1].number
        else:
            self._unheard()
        self._timer = self._timers.after(ANSWER_NS if sent else self._retry_ns, self._again)
        if not sent:
            self._retry_ns = min(2 * self._retry_ns, RETRY_NS)

    def _again(self) -> None:
        self._timer = None
        if self._sent is not None:
            self._sent = None
            self._unheard()
            self._unanswered += 1
            if self._unanswered % MOST_UNANSWERED == 0:
                self._participant.reconnect()
        self._send()

    def _unheard(self) -> None:
        if self._listens:
            self._listens = False
            self._write()

    # --- keeping ---

    def _limit(self) -> None:
        """Drop the oldest reports beyond the bound."""
        count, size = 0, self._bytes
        for record in self._records:
            if size <= MOST_BYTES:
                break
            size -= _size(record)
            count += 1
        if count:
            self._lost += count
            self._forget(count)

    def _write(self) -> None:
        """Bring all reports to the shelf that are not on it."""
        self._writing = False
        if self._shelf is not None:
            for at in range(self._written, len(self._records)):
                self._shelf.keep(self._records[at])
        self._written = len(self._records)

    def _forget(self, count: int) -> None:
        """Forget the oldest reports, here and on the shelf, which is told how many are lost, too."""
        gone = [self._records.popleft() for _ in range(count)]
        self._bytes -= sum(map(_size, gone))
        written = min(count, self._written)
        self._written -= written
        if self._shelf is not None and (written or self._shelf.lost != self._lost):
            self._shelf.forget(written, gone[written - 1], self._lost)


def _size(record: KeptRecord) -> int:
    return len(record.body) + OVERHEAD_BYTES
