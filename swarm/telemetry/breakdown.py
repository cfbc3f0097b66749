"""Where a request's time went: capture to end, cut into parts that add up to its latency."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarm.telemetry.table import Columns

PARTS = ("frame", "queued here", "link out", "at the peer", "run", "link back", "delivery")
MEANING = (
    ("frame", "from sensor reading to receipt, as the body states it: rendering; transport is not measured"),
    ("queued here", "from receipt until it was sent or its run began, waiting for the own executor included"),
    ("link out", "sending, and the network on the way there; of a chain, between peers too"),
    ("at the peer", "waiting at the peer before its run; for a request that fell back: the time spent waiting for it"),
    ("run", "the run that counted; of a chain, the runs of all its legs, at home too"),
    ("link back", "the network on the way back"),
    ("delivery", "from the end of the run, or the peer's answer, to the end of the request"),
)
ROUTES = ("at home", "on a peer", "fell back")


def routes(c: Columns) -> NDArray[np.object_]:
    """Per request, one of ROUTES: where the result came from; at home after a peer was asked is `fell back`."""
    asked = c["offloaded_to"] != ""
    return np.where(c["on_peer"], "on a peer", np.where(asked, "fell back", "at home")).astype(object)


def parts_ms(c: Columns) -> NDArray[np.float64]:
    """[requests, PARTS] milliseconds; zeros for what gave no result. Stamps out of order are clipped to the order."""
    def since_capture(name: str) -> NDArray[np.float64]:
        return np.where(c[name] > 0, (c[name] - c["captured_ns"]) / 1e6, np.nan)

    def after(name: str, previous: NDArray[np.float64]) -> NDArray[np.float64]:
        at = since_capture(name)
        return np.clip(np.where(np.isnan(at), previous, at), previous, end)

    end = np.maximum(np.nan_to_num(since_capture("ended_ns")), 0.0)
    received = after("submitted_ns", np.zeros_like(end))
    sent = after("sent_ns", received)

    returned = np.where(c["returned_ns"] > 0, after("returned_ns", sent), end)
    away = returned - sent
    held = np.minimum(c["peer_held_s"] * 1e3, away)
    ran = np.minimum(c["run_s"] * 1e3, held)
    link = away - held
    finished = since_capture("finished_ns")
    back = np.clip(np.where(np.isnan(finished), link / 2, returned - finished), 0.0, link)
    here = np.minimum(_ran_here_ms(c), sent - received)
    peer = np.stack([received, sent - received - here, link - back, held - ran, ran + here, back, end - returned],
                    axis=1)

    queued = after("queued_ns", sent)
    vain = np.where(c["sent_ns"] > 0, queued - sent, 0.0)
    started = after("started_ns", queued)
    stopped = after("finished_ns", started)
    zero = np.zeros_like(end)
    local = np.stack([received, started - received - vain, zero, vain, stopped - started, zero, end - stopped], axis=1)

    parts = np.where(c["on_peer"][:, None].astype(bool), peer, local)
    return np.where(np.isnan(c["latency_ms"])[:, None], 0.0, parts)


def _ran_here_ms(c: Columns) -> NDArray[np.float64]:
    """Run time of those legs of a chain that a request's own robot ran."""
    return np.array([sum(leg["run_s"] for leg in legs if leg["agent"] == agent) * 1e3
                     for legs, agent in zip(c["legs"], c["agent"], strict=True)], float)
