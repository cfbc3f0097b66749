"""The state of one agent, for the keeper of its board and for `swarm deploy status`. Deterministic."""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from swarm.core.policy.plan import Profile
from swarm.core.ports import Host
from swarm.core.protocol.spans import Span
from swarm.core.units import ns

WINDOW_NS = ns(60.0)                 # of the share on time
MOST_REQUESTS = 6_000                # of the window: 100 a second
MOST_RUNS = 500                      # of each variant, for its p95
MOST_TEXT = 200


class BoardStatus:
    """Counts the ends of requests. `models`: the variants that are or can be loaded, and the provider that each has.

    elsewhere: the nodes that another provider runs than wanted, with their share of the time. memory_mb: the budget; 0:
    not known.
    """

    def __init__(
        self, name: str, host: Host, models: Mapping[tuple[str, str], tuple[Profile, str]],
        elsewhere: Sequence[Mapping[str, Any]] = (), memory_mb: int = 0,
    ) -> None:
        self._name, self._host, self._models, self._elsewhere = name, host, models, elsewhere
        self._memory_mb = memory_mb
        self._ends: deque[tuple[int, bool, str]] = deque(maxlen=MOST_REQUESTS)
        self._runs: dict[tuple[str, str], deque[float]] = {key: deque(maxlen=MOST_RUNS) for key in models}
        self._error = ""
        self._total = self._in_time = 0

    def ended(self, span: Span) -> None:
        """A request of this robot has ended."""
        self._total += 1
        self._in_time += span.ending == "completed"
        self._ends.append((self._host.clock.now_ns(), span.ending == "completed", span.ran_on))
        runs = self._runs.get((span.model, span.variant))
        alone = span.ran_on == self._name and not span.legs and not span.preempted and span.batch == 1
        if runs is not None and alone and span.ending != "failed":
            runs.append(span.run_s)

    def failed(self, record: logging.LogRecord) -> None:
        """A warning or an error was logged."""
        self._error = record.getMessage()[:MOST_TEXT]

    def state(self, peers: int, open_requests: int, kept_reports: int = 0) -> dict[str, Any]:
        """The state now; `ended` and `on_time` are of the last minute, `total` and `in_time` of all.

        peers: those that are present. open_requests: that have not ended. kept_reports: that no collector has.
        """
        horizon_ns = self._host.clock.now_ns() - WINDOW_NS
        while self._ends and self._ends[0][0] < horizon_ns:
            self._ends.popleft()
        helpers = Counter(ran_on for _, _, ran_on in self._ends if ran_on not in ("", self._name))
        health = self._host.machine.health()
        return {
            "peers": peers, "ended": len(self._ends), "on_time": sum(done for _, done, _ in self._ends),
            "total": self._total, "in_time": self._in_time, "open": open_requests, "leans_on": dict(helpers),
            "kept_reports": kept_reports, "error": self._error,
            "rss_mb": self._host.machine.rss_bytes() >> 20, "memory_mb": self._memory_mb,
            "temperature_c": health.temperature_c, "throttled": health.throttled,
            "models": [self._model(*key) for key in self._models],
        }

    def _model(self, model: str, variant: str) -> dict[str, Any]:
        profile, provider = self._models[model, variant]
        runs = sorted(self._runs[model, variant])
        return {"model": model, "variant": variant, "provider": provider, "runs": len(runs),
                "p95_ms": round(runs[int(0.95 * (len(runs) - 1))] * 1e3, 3) if runs else None,
                "profiled_ms": round(profile.p95_s * 1e3, 3),
                "elsewhere": [{key: value for key, value in one.items() if key not in ("model", "variant")}
                              for one in self._elsewhere if (one["model"], one["variant"]) == (model, variant)]}


class Warned(logging.Handler):
    """Tells of each warning and error that is logged."""

    def __init__(self, told: Callable[[logging.LogRecord], None]) -> None:
        super().__init__(logging.WARNING)
        self._told = told

    def emit(self, record: logging.LogRecord) -> None:
        self._told(record)
