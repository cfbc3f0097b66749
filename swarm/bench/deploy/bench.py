"""Updates of boards (systemd in namespaces, over ssh): what travels, the outage, and the requests of the others."""

from __future__ import annotations

import argparse
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from swarm.bench.deploy import fleets
from swarm.bench.deploy.fleets import Rig
from swarm.bench.deploy.watch import Watch
from swarm.core.settings.errors import BadInput
from swarm.deploy.rollout import state
from swarm.deploy.rollout.push import Push, Pushed

WHERE = "swarm bench deploy"
CALM_S = 20.0                        # without a push, before it and after it


def arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("--boards", type=int, default=8, metavar="N")


def run(given: argparse.Namespace, progress: Callable[[str], None]) -> dict[str, Any]:
    """See the figures in docs/deploy.md. Raises: BadInput without the privilege."""
    if not 2 <= given.boards <= 16:
        raise BadInput("--boards", str(given.boards), "2 to 16")
    with fleets.rig(WHERE, progress) as rig:
        rig.start(given.boards)
        first = _pushed(rig, progress, _streams(2.0))
        return {"boards": given.boards, "updated_first": first.updated, "bytes_first": _most(first),
                "others_first": [f"{one.board}: {one.outcome}: {one.gate} {one.why}" for one in first.boards
                                 if one.outcome != "updated"],
                **_update(rig, progress)}


def _update(rig: Rig, progress: Callable[[str], None]) -> dict[str, Any]:
    """The configuration alone changes, under the eyes of a watch; then a push that changes nothing."""
    watch = Watch(rig.boards)
    wait = threading.Event().wait
    progress("watching without a push")
    wait(CALM_S)
    begin_ns = watch.now_ns()
    away: dict[str, tuple[int, int]] = {}

    def seen(text: str) -> None:
        progress(text)
        name, _, what = text.partition(": ")
        if name.startswith("wave "):
            away.update(dict.fromkeys(what.split(", "), (watch.now_ns(), 2**62)))
        elif name in away and what.startswith(("updated", "put back")):
            away[name] = away[name][0], watch.now_ns()

    changed = _pushed(rig, seen, _streams(2.5))
    end_ns = watch.now_ns()
    progress("watching after the push")
    wait(CALM_S)
    watch.close()
    unchanged = _pushed(rig, progress, _streams(2.5))
    asked_ns = watch.now_ns()
    state.status(rig.write(**_streams(2.5)))
    status_s = (watch.now_ns() - asked_ns) / 1e9
    calm = [sum(pair) for pair in zip(watch.on_time(0, begin_ns), watch.on_time(end_ns, 2**62), strict=True)]
    during = watch.on_time(begin_ns, end_ns, away)
    outages = [one for some in watch.outages_s().values() for one in some]
    return {
        "updated": changed.updated, "bytes_config_only": _most(changed), "unchanged": unchanged.unchanged,
        "bytes_unchanged": _most(unchanged),
        "outage_s_p95": round(float(np.quantile(outages, 0.95)), 2) if outages else None, "outages": len(outages),
        "on_time_before": _share(*calm), "on_time_during": _share(*during), "requests_during": during[1],
        "lost": watch.lost(), "status_s": round(status_s, 2),
        "others": [f"{one.board}: {one.outcome}: {one.gate} {one.why}" for one in changed.boards
                   if one.outcome != "updated"]}


def _streams(rate_hz: float) -> dict[str, Any]:
    return {"streams": [{"name": "detect", "on": ["rover"], "model": "detector", "rate_hz": rate_hz,
                         "deadline_s": 0.5}]}


def _pushed(rig: Rig, progress: Callable[[str], None], changes: dict[str, Any]) -> Pushed:
    return Push(rig.write(**changes), progress).run()


def _most(pushed: Pushed) -> int:
    """Bytes to and from the board that took the most."""
    return max(one.sent_bytes + one.received_bytes for one in pushed.boards)


def _share(in_time: int, total: int) -> float | None:
    return round(in_time / total, 4) if total else None


def as_text(figures: dict[str, Any]) -> str:
    return "\n".join(f"{key:20} {value}" for key, value in figures.items())
