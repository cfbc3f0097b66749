"""The report's tables of single requests: the slowest ones, and choices beside their runners-up."""

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
    """A table of the slowest requests of each stream, folded away."""
    rows = []
    for stream, requests in slow.items():
        for s in requests:
            spent_ms: dict[str, float] = dict.fromkeys(breakdown.PARTS, 0.0)
            for segment in s.segments:
                spent_ms[segment.part] += segment.end_ms - segment.start_ms
            rows.append([s.request, stream, s.where, s.model, f"{s.at_s:.2f} s", s.ending_text,
                         milliseconds(s.deadline_ms), *(f"{ms:.1f}" if ms else "" for ms in spent_ms.values())])
    head = ["request", "stream", "ran on", "model", "at", "took", "deadline", *(f"{p}, ms" for p in breakdown.PARTS)]
    return page.details(f"The same {len(rows)} requests in figures", page.table(head, rows, range(4, len(head))))


def expectations(run: Run) -> str:
    """A summary of the sample, and the prediction errors of all requests of the run."""
    c = run.requests
    gain, corrected = counterfactual.gain_ms(c), counterfactual.corrected_ms(c)
    sooner = counterfactual.expected_sooner(c)
    errors, ratio = counterfactual.errors_ms(c), counterfactual.ratios(c)
    if not sooner.size and np.isnan(errors).all():
        return ""
    sample: list[tuple[str, str]] = [("sampled", "none: no request has a recorded runner-up")]
    if sooner.size:
        results = int((~np.isnan(gain)).sum())
        sample = [
            ("sampled", f"{number(sooner.size)} requests, {number(results)} of them with a result"),
            ("predicted faster", f"the choice, in {percent(float(sooner.mean()))} of the sample"),
            ("gain", f"{_ms(gain, 0.5)} (p50), {_ms(gain, 0.95)} (p95); corrected {_ms(corrected, 0.5)} (p50)"),
        ]
    return page.facts((
        *sample,
        ("results of the run", number(int((~np.isnan(errors)).sum()))),
        ("measured / predicted", f"{_times(ratio, 0.5)} (p50), {_times(ratio, 0.95)} (p95)"),
        ("measured - predicted", f"{_ms(errors, 0.5)} (p50), {_ms(errors, 0.95)} (p95)"),
    ))


def runners_up(run: Run) -> str:
    """Gains and prediction errors, grouped by stream, kind of the chosen agent and kind of the runner-up."""
    c = run.requests
    groups: dict[tuple[str, str, str], list[int]] = {}
    for i in np.flatnonzero(counterfactual.sampled(c)).tolist():
        home, chain = str(c["agent"][i]), " in a chain" if len(c["legs"][i]) else ""
        chosen, runner_up = (_kind(run, str(c[name][i]), home) for name in ("offloaded_to", "other"))
        groups.setdefault((str(c["stream"][i]), chosen + chain, runner_up), []).append(i)
    gain, corrected, ratio = counterfactual.gain_ms(c), counterfactual.corrected_ms(c), counterfactual.ratios(c)
    sooner = c["predicted_s"] <= c["other_s"]
    rows = [[*key, number(len(members)), percent(float(sooner[members].mean())), _ms(gain[members], 0.5),
             _ms(gain[members], 0.95), _ms(corrected[members], 0.5), _times(ratio[members], 0.5),
             _times(ratio[members], 0.95)]
            for key, members in sorted(groups.items())]
    head = ["stream", "choice", "runner-up", "sampled", "predicted faster", "gain p50", "gain p95", "corrected p50",
            "measured / predicted p50", "p95"]
    return page.table(head, rows, range(3, len(head)))


def _kind(run: Run, agent: str, home: str) -> str:
    """`at home`, or the role of the agent."""
    if agent in ("", home):
        return "at home"
    return str(run.summary.get("agents", {}).get(agent, {}).get("role") or agent)


def _ms(values: NDArray[np.float64], share: float) -> str:
    return milliseconds(counterfactual.quantile(values, share))


def _times(values: NDArray[np.float64], share: float) -> str:
    multiple = counterfactual.quantile(values, share)
    return "-" if multiple is None else f"{multiple:.2f} x"
