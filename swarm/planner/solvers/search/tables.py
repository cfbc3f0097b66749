"""Makes the arrays of a search from an instance."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from swarm.core.policy.cost import by_speed, fastest
from swarm.planner.forecast.simulation.guards import START_S
from swarm.planner.options.instance import Instance
from swarm.planner.options.option import BACKGROUND_RUN_S, OVERHEAD_S
from swarm.planner.options.own_share import reserved
from swarm.planner.solvers.search.queue import AGE_S, LATENCY_PRICE, MOST_LATE
from swarm.planner.solvers.search.records import AGENT, NONE, OPTION, SOURCE, STREAM, Tables

LOSS_RISK = 0.01                 # share of results that are lost for each leg on a peer: peers fail, and links fade
MOVE_PRICE = 0.002               # of leaving the previous placement, in misses per result: breaks ties
STRAIN_PRICE = 0.02              # of a leg on a strained agent: twice the risk of a peer, so that sound ones relieve it
BACK = 0.5                       # share of what a peer loses that is in time at home, where home alone can carry it
STRAY_PRICE = 1.0                # of a refused load of one executor, in misses of the most urgent results per second:
                                 # robots send it to whoever has time, and that is lost to streams placed there
UNBOUNDED = 1e9

Rows = NDArray[np.void]
Values = NDArray[np.float64]


def tables(instance: Instance, weights: Mapping[int, float], levels: Mapping[int, int]) -> Tables:
    """The tables of an instance. weights: the cost of a miss, levels: the rank, of each priority."""
    streams = _streams(instance)
    of = np.repeat(np.arange(len(streams)), [len(ways) for ways in instance.options])
    by_stream = _by_stream(instance, weights)[of].T
    options, legs, guarded = _options(instance, of, by_stream)
    sources = np.zeros(len(legs) + int(guarded.sum()), SOURCE)
    level = np.array([levels[stream.spec.priority] for stream in instance.streams], np.int64)
    _add_legs(sources, options, by_stream, legs)
    _add_guards(sources, options[guarded], by_stream[:, guarded])
    sources["stream"] = np.repeat(of, options["end"] - options["first"])
    sources["level"] = level[sources["stream"]]
    sources["load"] = sources["rate_hz"] * _mean_s(sources["p50_s"], sources["p95_s"])
    sources["half_square"] = sources["rate_hz"] * (
        0.9 * sources["p50_s"] ** 2 + 0.1 * sources["p95_s"] ** 2) / 2
    sources["half_step"] = np.minimum(sources["half_square"], sources["load"] * sources["step_s"] / 2)
    agents, unexplained = _agents(instance, len(sources), weights)
    return Tables(streams, options, np.concatenate([sources, unexplained]), agents, _urgency(instance))


RATE, DEADLINE, WEIGHT, PREVIOUS, CAMERA, SAFE, HOME, OWNER, EXECUTORS = range(9)


def _by_stream(instance: Instance, weights: Mapping[int, float]) -> Values:
    """Of each stream: see the row numbers above. Times are from its beginning; those of the fallback are NaN if a robot
    cannot run it at home."""
    camera_s: dict[str, float] = {}
    for stream in instance.problem.streams:
        camera_s[stream.agent] = min(camera_s.get(stream.agent, np.inf), 1.0 / stream.spec.rate_hz)
    rows: list[tuple[float, ...]] = []
    for n, stream in enumerate(instance.streams):
        spec, agent = stream.spec, instance.agent_of(stream.agent)
        own = fastest(by_speed(p for p in instance.agents[agent].profiles if p.model == spec.model))
        left_s = instance.left_s(n)
        safe_s, home_s = (left_s - own.p95_s, own.p50_s) if own else (np.nan, np.nan)
        previous = instance.previous[n]
        rows.append((spec.rate_hz, left_s, spec.rate_hz * weights[spec.priority],
                     np.nan if previous is None else previous, camera_s[stream.agent], safe_s - START_S, home_s,
                     agent, instance.agents[agent].executors))
    return np.array(rows).reshape(-1, 9)


def _streams(instance: Instance) -> Rows:
    rows = np.zeros(len(instance.streams), STREAM)
    rows["end"] = np.cumsum([len(ways) for ways in instance.options])
    rows["first"][1:] = rows["end"][:-1]
    return rows


def _options(instance: Instance, of: NDArray[np.int64], by_stream: Values) -> tuple[Rows, Values, NDArray[np.bool_]]:
    """The options; agent, p50, p95 and step of all their legs, in order; and which options have a guard."""
    every = [option for ways in instance.options for option in ways]
    sources = np.array([(s.agent, s.p50_s, s.p95_s, s.step_s) for s in instance.sources]).reshape(-1, 4)
    legs = sources[np.array([source.number for option in every for source in option.sources], np.int64)]
    count = np.array([len(option.sources) for option in every], np.int64)
    mean_s = np.array([option.mean_s for option in every])
    transfer_s = np.array([option.transfer_s for option in every])
    accuracy = np.array([option.accuracy_cost for option in every])
    away = np.array([not option.home for option in every], bool)
    begins = np.cumsum(count) - count                # of its legs, among all legs
    peers = away * (count - (legs[begins, 0] == by_stream[OWNER]))
    guarded = away & (by_stream[SAFE] > AGE_S)       # not where NaN
    rows = np.zeros(len(every), OPTION)
    rows["end"] = np.cumsum(count + guarded)
    rows["first"] = rows["end"] - count - guarded
    rows["legs_end"] = rows["first"] + count
    latest_s = OVERHEAD_S + transfer_s + np.add.reduceat(legs[:, 2], begins) if len(every) else transfer_s
    number = np.arange(len(every)) - np.searchsorted(of, of)     # among the options of its stream
    moved = ~np.isnan(by_stream[PREVIOUS]) & (by_stream[PREVIOUS] != number)
    strained = np.array([instance.strain(option) for option in every]) if instance.strained else 0
    price = accuracy + LOSS_RISK * peers + STRAIN_PRICE * strained + MOVE_PRICE * moved
    rows["cost"] = (by_stream[WEIGHT] * price
                    + by_stream[RATE] * LATENCY_PRICE * np.minimum(latest_s / by_stream[DEADLINE], MOST_LATE))
    rows["kept"] = (1.0 - LOSS_RISK) ** peers
    rows["idle_s"] = OVERHEAD_S + transfer_s + mean_s
    return rows, legs, guarded


def _add_legs(sources: Rows, options: Rows, by_stream: Values, legs: Values) -> None:
    count = options["legs_end"] - options["first"]
    which = np.repeat(np.arange(len(options)), count)            # the option of each leg
    at = np.arange(len(legs)) + (options["first"] - (np.cumsum(count) - count))[which]
    rows, values = np.zeros(len(legs), SOURCE), by_stream[:, which]
    rows["agent"], rows["p50_s"], rows["p95_s"], rows["step_s"] = legs.T
    rows["rate_hz"], rows["deadline_s"], rows["weight"], rows["camera_s"] = values[
        [RATE, DEADLINE, WEIGHT, CAMERA]]
    with np.errstate(invalid="ignore"):              # profiles may be nonsense, which costs then are, too
        rows["slack_s"] = values[DEADLINE] - options["idle_s"][which] + _mean_s(rows["p50_s"], rows["p95_s"])
    rows["own"] = rows["agent"] == values[OWNER]
    back = BACK * np.minimum(1.0, values[EXECUTORS] / np.maximum(values[RATE] * values[HOME], 1e-9))
    rows["back"] = np.where((rows["own"] == 0) & (values[SAFE] > AGE_S), back, 0.0)
    sources[at] = rows


def _add_guards(sources: Rows, options: Rows, by_stream: Values) -> None:
    """What the fallback of each option keeps of its robot: the run until the answer comes."""
    rows = np.zeros(len(options), SOURCE)
    rows["agent"], rows["rate_hz"], rows["camera_s"] = by_stream[[OWNER, RATE, CAMERA]]
    rows["own"] = 1
    rows["safe_s"] = by_stream[SAFE]
    rows["answer_s"] = np.maximum(options["idle_s"], rows["safe_s"])
    rows["p50_s"] = rows["p95_s"] = rows["step_s"] = np.minimum(rows["answer_s"] - rows["safe_s"], by_stream[HOME])
    rows["slack_s"] = rows["deadline_s"] = 1.0
    sources[options["legs_end"]] = rows


def _mean_s(p50_s: Values, p95_s: Values) -> Values:
    """`option.mean_s` of arrays."""
    return 0.9 * p50_s + 0.1 * np.maximum(p50_s, p95_s)


def _agents(instance: Instance, sources: int, weights: Mapping[int, float]) -> tuple[Rows, Rows]:
    """The agents, and the sources of their unexplained load, which follow the others."""
    kept, busy = reserved(instance.problem), [agent.background > 0.0 for agent in instance.agents]
    rows, unexplained = np.zeros(len(busy), AGENT), np.zeros(sum(busy), SOURCE)
    rows["executors"] = [agent.executors for agent in instance.agents]
    rows["background"] = np.where(busy, sources + np.cumsum(busy) - 1, NONE)
    rows["spare"] = [agent.executors - kept[agent.name] if kept[agent.name] > 0.0 else UNBOUNDED
                     for agent in instance.agents]
    rows["stray"] = STRAY_PRICE * max(weights.values(), default=1.0)
    load = np.array([agent.background for agent in instance.agents if agent.background > 0.0])
    unexplained["agent"] = np.flatnonzero(busy)
    unexplained["p50_s"] = unexplained["p95_s"] = unexplained["step_s"] = BACKGROUND_RUN_S
    unexplained["rate_hz"], unexplained["load"] = load / BACKGROUND_RUN_S, load
    unexplained["half_square"] = unexplained["half_step"] = load * BACKGROUND_RUN_S / 2
    unexplained["slack_s"] = unexplained["deadline_s"] = unexplained["own"] = 1
    unexplained["stream"] = NONE
    return rows, unexplained


def _urgency(instance: Instance) -> NDArray[np.int64]:
    """The streams, the most urgent first."""
    spare_s = [instance.left_s(n) - ways[0].idle_s for n, ways in enumerate(instance.options)]
    return np.array(sorted(range(len(spare_s)), key=lambda n: (
        -instance.streams[n].spec.priority, spare_s[n], n)), np.int64)
