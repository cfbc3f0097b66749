"""What a release on trial must show: a pure decision over what the keeper sees. Times are seconds since the switch.

The order of the gates is the order in which they are named: the first that fails is told.
"""

from __future__ import annotations

from typing import Any, NamedTuple

ENOUGH_RUNS = 20                     # before a p95 is judged
ENOUGH_ENDED = 10                    # requests in the last minute of the release before: the next one has some, too
P95_FACTOR = 1.5                     # beyond it a release computes wrongly, or its board is throttled
PEERS = 0.5                          # of those that the release before heard


class Rules(NamedTuple):
    """The rules of one trial, from the configuration of the release."""

    units: tuple[str, ...]           # that must be ready
    ready_s: float                   # until all are ready
    trial_s: float                   # for which all must stay healthy after that
    providers: tuple[str, ...] = ()  # each loaded model must run on one of these; empty: on any
    models: tuple[str, ...] = ()     # that must be loaded
    beside: tuple[str, ...] = ()     # units that are not waited for, and must not end either
    p95_factor: float = P95_FACTOR   # a run may take so much longer than its profile says
    peers: float = PEERS             # share of the peers that the release before heard, which it must hear, too


class Seen(NamedTuple):
    """What the keeper sees of one process."""

    unit: str
    active: str                      # systemd's ActiveState
    restarts: int                    # since the switch
    status: dict[str, Any]           # what it writes of itself once a second; empty: nothing yet


class Before(NamedTuple):
    """The release before, at its end."""

    heard: int                       # peers
    ended: int                       # requests in its last minute


class Verdict(NamedTuple):
    """`gate` empty and not `healthy`: the trial goes on."""

    healthy: bool = False
    gate: str = ""
    why: str = ""


def judge(rules: Rules, seen: list[Seen], at_s: float, ready_at_s: float | None, before: Before) -> Verdict:
    """The state of a trial `at_s` after the switch.

    ready_at_s: when all were ready; None: not yet.
    """
    for one in seen:
        if one.active == "failed" or one.restarts:
            return Verdict(gate="restart", why=f"{one.unit} ended, and was started again {one.restarts} times")
    if ready_at_s is None:
        late = [one.unit for one in seen if one.unit in rules.units and (one.active != "active" or not one.status)]
        if at_s > rules.ready_s:
            return Verdict(gate="ready", why=f"{', '.join(late)} not ready after {rules.ready_s:g} s")
        return Verdict()
    agents = [one for one in seen if one.status.get("role") == "agent"]
    loaded = {f"{m['model']} {m['variant']}": m for one in agents for m in one.status.get("models", ())}
    for name, model in loaded.items():
        if rules.providers and model.get("provider") not in rules.providers:
            return Verdict(gate="provider", why=f"{name} runs on {model.get('provider')}, not on "
                                                f"{' or '.join(rules.providers)}")
    if at_s - ready_at_s < rules.trial_s:
        return Verdict()
    if missing := sorted(set(rules.models) - {name.partition(" ")[0] for name in loaded}):
        return Verdict(gate="models", why=f"{', '.join(missing)} not loaded")
    heard = max((int(one.status.get("peers", 0)) for one in agents), default=0)
    if agents and heard < rules.peers * before.heard:
        return Verdict(gate="peers", why=f"it hears {heard} peers; the release before heard {before.heard}")
    if agents and before.ended >= ENOUGH_ENDED and not any(one.status.get("total") for one in agents):
        return Verdict() if at_s <= rules.ready_s else Verdict(
            gate="requests", why=f"none ended in {rules.ready_s:g} s; of the release before {before.ended} a minute")
    for name, model in loaded.items():
        p95_ms, profiled_ms = model.get("p95_ms"), model.get("profiled_ms")
        judged = int(model.get("runs", 0)) >= ENOUGH_RUNS and p95_ms and profiled_ms
        if judged and p95_ms > rules.p95_factor * profiled_ms:
            return Verdict(gate="p95", why=f"{name} takes {p95_ms:.1f} ms (p95), profiled {profiled_ms:.1f}")
    return Verdict(healthy=True)
