"""What is cut off the runs of an experiment, and what is not, in words."""

from __future__ import annotations

from collections.abc import Sequence

from swarm.experiments.design.rows import PointRow, Results
from swarm.experiments.results.words import listed


def told(results: Results) -> str:
    """Which metrics leave out the warm-up, and which count the whole run; empty: no run has a warm-up."""
    spans_s = spans(results.rows)
    if not any(spans_s):
        return ""
    whole = [metric for metric in results.metrics if metric not in results.cut]
    cut = (f"the first {spans_s[0]:g} s of each run are" if len(spans_s) == 1
           else f"each run's warm-up ({_range(spans_s)}) is")
    counted = f"; {listed(whole)} {'counts' if len(whole) == 1 else 'count'} the whole run" if whole else ""
    return f"{cut} cut from {listed(results.cut) if results.cut else 'no metric'}{counted}"


def after(spans_s: Sequence[float]) -> str:
    """For a caption: the warm-up after which frames are counted, with a blank before it; empty: from the beginning."""
    if not any(spans_s):
        return ""
    return f" after a warm-up of {spans_s[0]:g} s" if len(spans_s) == 1 else (
        f" after each run's warm-up ({_range(spans_s)})")


def spans(rows: Sequence[PointRow]) -> list[float]:
    """The warm-ups of these runs in seconds, each once, in order."""
    return sorted({row.warmup_s for row in rows})


def _range(spans_s: Sequence[float]) -> str:
    return f"{spans_s[0]:g} to {spans_s[-1]:g} s"
