"""The report's tables of single requests: the slowest, and what the other choice was expected to take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from swarm.telemetry.figures import breakdown, counterfactual
from swarm.telemetry.report import page
from swarm.telemetry.report.side_by_side import milliseconds, number, percent
from swarm.telemetry.report.slowest import Slow
from swarm.telemetry.runfiles import Run


def slowest(slow: Mapping[str, Sequence[Slow]]) -> str:
    """The slowest requests of each stream in figures, folded away."""
    rows = []
    for stream, requests in slow.items():
        for s in requests:
            spent_ms: dict[str, float] = dict.fromkeys(breakdown.PARTS, 0.0)
            for segment in s.segments:
                spent_ms[segment.part] += segment.end_ms - segment.start_ms
            rows.append([s.request, stream, s.where, s.model, f"{s.at_s:.2f} s", s.told, milliseconds(s.deadline_ms),
                         *(f"{ms:.1f}" if ms else "" for ms in spent_ms.values())])
    head = ["request", "stream", "ran on", "model", "at", "took", "deadline", *(f"{p}, ms" for p in breakdown.PARTS)]
    return page.details(f"The same {len(rows)} requests in figures", page.table(head, rows, range(4, len(head))))


def expectations(run: Run) -> str:
    """The sample in one look, and how far expectations were off in all requests of the run."""
    c = run.requests
    gain, corrected = counterfactual.gain_ms(c), counterfactual.corrected_ms(c)
    sooner = counterfactual.expected_sooner(c)
    errors, ratio = counterfactual.errors_ms(c), counterfactual.ratios(c)
    if not sooner.size and np.isnan(errors).all():
        return ""
    sample: list[tuple[str, str]] = [("sampled", "none: no request has another choice on record")]
    if sooner.size:
        results = int((~np.isnan(gain)).sum())
        sample = [
            ("sampled", f"{number(sooner.size)} requests, of which {number(results)} gave a result"),
            ("expected sooner", f"the choice made, in {percent(float(sooner.mean()))} of the sample"),
            ("gain", f"{_ms(gain, 0.5)} (p50), {_ms(gain, 0.95)} (p95); corrected {_ms(corrected, 0.5)} (p50)"),
        ]
    return page.facts((
        *sample,
        ("results of the run", number(int((~np.isnan(errors)).sum()))),
        ("taken / expected", f"{_times(ratio, 0.5)} (p50), {_times(ratio, 0.95)} (p95)"),
        ("taken less expected", f"{_ms(errors, 0.5)} (p50), {_ms(errors, 0.95)} (p95)"),
    ))


def other_choices(run: Run) -> str:
    """Per stream, chosen kind of agent and kind of the other: what was expected of both, and what it took."""
    c = run.requests
    alike: dict[tuple[str, str, str], list[int]] = {}
    for i in np.flatnonzero(counterfactual.sampled(c)).tolist():
        home, chain = str(c["agent"][i]), " in a chain" if len(c["legs"][i]) else ""
        chosen, other = (_kind(run, str(c[name][i]), home) for name in ("offloaded_to", "other"))
        alike.setdefault((str(c["stream"][i]), chosen + chain, other), []).append(i)
    gain, corrected, ratio = counterfactual.gain_ms(c), counterfactual.corrected_ms(c), counterfactual.ratios(c)
    sooner = c["predicted_s"] <= c["other_s"]
    rows = [[*key, number(len(there)), percent(float(sooner[there].mean())), _ms(gain[there], 0.5),
             _ms(gain[there], 0.95), _ms(corrected[there], 0.5), _times(ratio[there], 0.5), _times(ratio[there], 0.95)]
            for key, there in sorted(alike.items())]
    head = ["stream", "chosen", "the other", "sampled", "expected sooner", "gain p50", "gain p95", "corrected p50",
            "taken / expected p50", "p95"]
    return page.table(head, rows, range(3, len(head)))


def _kind(run: Run, agent: str, home: str) -> str:
    """What an agent is to a request: at home, or of a role."""
    if agent in ("", home):
        return "at home"
    return str(run.summary.get("agents", {}).get(agent, {}).get("role") or agent)


def _ms(values: NDArray[np.float64], share: float) -> str:
    return milliseconds(counterfactual.quantile(values, share))


def _times(values: NDArray[np.float64], share: float) -> str:
    multiple = counterfactual.quantile(values, share)
    return "-" if multiple is None else f"{multiple:.2f} x"
