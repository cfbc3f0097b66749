"""Types of `summary.json`. docs/run_folder.md is made from these types and their comments.

Over 300 lines: all types of one document, in its order."""

from __future__ import annotations

from typing import Literal

import msgspec

Bounds = list[float | None]          # [low, high]: covers the true value with 95 %; null: beyond the last finite value


class Missed(msgspec.Struct, kw_only=True):
    """Due frames that were never submitted, by what missed them."""

    body: int = 0                    # the robot's sensors gave nothing (in simulation: a `dropout`)
    world: int = 0                   # the simulation stood still, or ran slower than real time
    agent: int = 0                   # the robot's process was dead, stopped or too busy


class Requests(msgspec.Struct, kw_only=True):
    """Due frames and their requests, by how they ended."""

    due: int                         # rate x time of each robot's stream, also of robots that died
    missed: Missed                   # due, but never submitted
    submitted: int                   # frames of which a request was made
    completed: int                   # a result arrived by the deadline
    late: int                        # a result arrived after the deadline
    failed: int                      # requests without a result
    lost: int                        # submitted, but never ended; must be 0
    failed_by: dict[str, int] = {}   # failed requests by reason


class Latency(msgspec.Struct, kw_only=True):
    """Quantiles of the time from due to result, each with its 95 % interval (between two order statistics).

    Over the results: of completed and late requests. Over all due frames: a frame without a result is infinitely late,
    so that shed work does not make a tail look better. If too few values bear a quantile (p50: 6, p95: 72, p99: 368),
    it and its interval are null. If it lies beyond the last result, it is null and its interval is not.
    """

    p50: float | None = None         # median of the results
    p95: float | None = None         # 95th percentile of the results
    p99: float | None = None         # 99th percentile of the results
    p95_all: float | None = None     # 95th percentile over all due frames
    p99_all: float | None = None     # 99th percentile over all due frames
    p50_interval: Bounds | None = None       # of p50
    p95_interval: Bounds | None = None       # of p95
    p99_interval: Bounds | None = None       # of p99
    p95_all_interval: Bounds | None = None   # of p95_all; a null end: beyond the last result
    p99_all_interval: Bounds | None = None   # of p99_all; a null end: beyond the last result


class AfterWarmup(msgspec.Struct, kw_only=True):
    """Figures over the frames that fell due after the warm-up. Comparisons of runs use them."""

    from_s: float                    # `warmup_s` of the launch file
    due: int                         # frames that fell due from then on
    on_time_ratio: float             # completed / due
    on_time_interval: Bounds | None  # 95 % interval of on_time_ratio (Wilson); null: nothing was due
    latency_ms: Latency              # latency of the same frames


class Offload(msgspec.Struct, kw_only=True):
    """Requests that were offloaded to peers."""

    share: float                     # completed with a result from a peer / completed
    peers: int                       # agents that ran a part of such a completed request
    guarded: int                     # offloads after which the robot's own fallback could still make the deadline
    unguarded: int                   # offloads after which it could not
    guard_fired: int                 # guarded offloads whose fallback was started


class Preempted(msgspec.Struct, kw_only=True):
    """Requests whose run on their own robot was interrupted for a more urgent request."""

    requests: int                    # interrupted requests
    times: int                       # interruptions in total
    aside_ms_p95: float | None       # total time that a request was interrupted, 95th percentile; null: under 72


class Batched(msgspec.Struct, kw_only=True):
    """Requests that ran in one batch with others of the same model."""

    requests: int                    # requests in such batches
    largest: int                     # inputs of the largest batch; 1: there was no batch


class PlannerFigures(msgspec.Struct, kw_only=True):
    """The planner's work."""

    solves: int                      # searches in the planner's process
    refined: int                     # searches on Ray
    adopted: int                     # of both: searches that changed the plan
    stale: int                       # of both: results thrown away, since the team or the plan had changed
    epoch: int                       # epoch of the newest plan; 0: no plan
    solve_ms_p50: float | None       # duration of a search in the planner's process, median; null: there was none
    refine_ms_p50: float | None      # duration of a search on Ray, median; null: there was none
    solver: str                      # solver of the last search
    ray: bool                        # whether Ray was used
    starts: int                      # starts of its process that reported


class ForecastFigures(msgspec.Struct, kw_only=True):
    """One stream of one robot, over the frames that fell due while a plan placed it: the means of what was predicted,
    what was measured, and the error: measured - predicted."""

    frames: int                      # frames
    predicted_ms: float              # latency, mean
    measured_ms: float | None        # of the frames with a result; null: there is none
    error_ms: float | None           # measured_ms - predicted_ms
    predicted_ms_p95: float          # latency, 95th percentile
    measured_ms_p95: float | None    # of all frames; without a result: infinite; null: under 20 frames, or infinite
    error_ms_p95: float | None       # measured_ms_p95 - predicted_ms_p95
    predicted_on_time: float         # share of results by the deadline
    measured_on_time: float          # share of the frames
    error_on_time: float             # measured_on_time - predicted_on_time
    low_on_time: float               # the 95 % interval of predicted_on_time, mean of its ends
    high_on_time: float              # the same; 0 to 1: not known


class IntervalFigures(msgspec.Struct, kw_only=True):
    """How often the observed share on time lay in the 95 % interval of its forecast, over pairs of a stream of a robot
    and a plan.

    The interval is widened by the error of a share of so few frames (Wilson), at each end by the root of both squares.
    Frames of which no request was made do not count: a dead robot says nothing of its plan.
    """

    pairs: int                       # pairs with an interval and at least 20 frames
    covered: int                     # those whose observed share lies in it
    covered_share: float | None      # covered / pairs; null: there is no pair
    left_out: int                    # other pairs


class WorldFigures(msgspec.Struct, kw_only=True):
    """The speed of the simulation."""

    steps: int                       # physics steps
    real_time_factor: float          # simulated time / real time, from the start to the end of the streams
    lag_ms_p99: float                # how late steps began, 99th percentile
    out_of_reach: float | None = None        # share of pairs of robots (and planners at a `base`) that did not hear
    # each other, mean over time; null: the launch has no `reach_m`


class LoopFigures(msgspec.Struct, kw_only=True):
    """How late the loop of a process ran its timers while the streams ran."""

    late_ms_p99: float               # 99th percentile; of several starts the largest
    late_ms_max: float               # the same, at most


class Meaning(msgspec.Struct, kw_only=True):
    """The meaning of a measure of the mission."""

    unit: str                        # `0..1` for a share; empty for a count
    text: str                        # its meaning in words


class FaultHit(msgspec.Struct, kw_only=True):
    """Requests that were open between a fault's start and 0.5 s after its end (without an end: 2 s after its start)."""

    own: int                         # requests of the target
    own_missed: int                  # those that were late, failed or lost
    peers: int                       # requests of other agents that had asked the target, or across the partition
    peers_missed: int                # those that were late, failed or lost
    lost_by: int                     # agents that considered the target, or a peer across the partition, lost


class Level(msgspec.Struct, kw_only=True):
    """The on-time share over some time: over the due frames whose results fell due in it."""

    from_s: float                    # begin of this time, since the streams began
    to_s: float                      # its end
    share: float                     # completed / due
    interval: Bounds | None          # 95 % interval of the share (Wilson)
    n: int                           # due frames


class Recovery(msgspec.Struct, kw_only=True):
    """What a fault did to the on-time share, and when the share was back.

    Taken over the streams of the robots that were alive at the end. Faults nearer than 5 s to each other are judged
    together and have the same figures; times count from the begin of the first.
    """

    verdict: Literal["not_hit", "recovered", "lasting", "too_few"] | None = None
    """`not_hit`: no loss. `recovered`: the share was lower, then back at the level before. `lasting`: it was lower to
    the end. `too_few`: too few frames to tell. null: the fault did not begin."""
    before: Level | None = None      # level before the fault
    worst: Level | None = None       # lowest level after it; null: no loss
    after: Level | None = None       # level from the recovery on; of a lasting loss: its last level
    recover_s: float | None = None   # from the begin to the recovery; 0: no loss; null: no recovery, or not known
    n: int = 0                       # due frames whose results fell due between the begin and the next fault or the end
    together: int = 0                # faults that were judged together, this one included
    left_out: list[str] = []         # robots that were dead at the end: their streams do not count here


class FaultRecord(Recovery, kw_only=True):
    """One fault. Times are seconds since the streams began."""

    at_s: float                      # planned time
    kind: str                        # as in the launch file: kill, stop, ..., bias; or crash; or battery: it ran out
    target: str                      # name of a process; empty: no single target
    sensor: str = ""                 # of the target, of a dropout, freeze or bias
    groups: list[list[str]] = []     # of a partition: groups without connection to each other
    for_s: float | None = None       # planned duration
    done_s: float | None = None      # when it began; null: it did not begin
    ended_s: float | None = None     # when it ended; for a restart: when the new process was ready
    hit: FaultHit | None = None      # null: it did not begin, or has no target


class StreamFigures(Requests, kw_only=True):
    """One stream of the launch file, over all its robots."""

    latency_ms: Latency              # latency of this stream
    deadline_ms: float               # time limit from when the frame fell due
    on_time_ratio: float             # completed / due
    on_time_interval: Bounds | None  # 95 % interval of on_time_ratio (Wilson); null: nothing was due
    after_warmup: AfterWarmup        # the same after the launch file's `warmup_s`
    offload_share: float             # completed with a result from a peer / completed


class AgentFigures(msgspec.Struct, kw_only=True):
    """One agent over the whole run, summed over all its starts."""

    rss_bytes_max: int = 0           # maximum resident memory
    loads: int = 0                   # of models and stages, while it ran: what does not fit together takes turns
    unloads: int = 0                 # the same
    runs: int = 0                    # runs of its executors, for itself and for peers
    overruns: int = 0                # emulated runs that took longer on this host than on the board
    busy_share: float = 0.0          # share of its executors' time that was busy, while it was up and streams ran
    refused_in: int = 0              # messages and handshakes that it refused
    duplicates: int = 0              # answers to requests that had ended or were never sent
    control_bytes: int = 0           # bytes sent on the urgent lane
    carried: int = 0                 # messages sent and received
    carried_bytes: int = 0           # bytes of these messages
    broken_off: int = 0              # connections to it that ended before their handshake did
    starts: int = 0                  # starts of its process
    loop_late_ms_p99: float = 0.0    # how late its loop ran its timers, 99th percentile, largest of its starts
    loop_late_ms_max: float = 0.0    # the same, at most
    behaviour_ms_p99: float = 0.0    # from an event to what its behaviour makes of it, 99th percentile
    behaviour_missed: int = 0        # events that its behaviour was too slow for
    behaviour_nonsense: int = 0      # outputs of its behaviour that were dropped: the events `nonsense` name them
    status: str = "silent"           # silent, running, ended, left, killed, crashed or empty


class BatteryFigures(msgspec.Struct, kw_only=True):
    """The battery of one robot, from the start to the end of the streams, or until it was empty."""

    charge: float                    # at the end, share of a full one
    charge_least: float              # the lowest one
    charge_mean: float               # over the time
    compute_j: float                 # energy of its computer, idle or busy, in joules
    radio_j: float                   # of messages to and from robots and planners
    motion_j: float                  # of motors, and of sensors and electronics of the body
    charged_j: float                 # from chargers
    empty: bool                      # it ran out, and the robot stopped for good


class EnergyFigures(msgspec.Struct, kw_only=True):
    """Energy in joules, of all robots that have a battery; null: none has one."""

    compute: float | None = None     # of computers, idle or busy
    radio: float | None = None       # of messages to and from robots and planners
    motion: float | None = None      # of motors, and of sensors and electronics of bodies
    charged: float | None = None     # from chargers


class ChargeFigures(msgspec.Struct, kw_only=True):
    """The charge of all robots that have a battery, as a share of a full one; null: none has one."""

    least: float | None = None       # the lowest one of any robot, at any time
    mean: float | None = None        # over robots and time
    robots_empty: int = 0            # robots whose battery ran out


class AgentRecord(AgentFigures, kw_only=True):
    """One agent with its own requests."""

    board: str                       # class of its computer
    role: str                        # name of its fleet
    due: int                         # frames that fell due on its streams
    missed: Missed                   # due, but never submitted
    submitted: int                   # requests that it submitted
    on_time_ratio: float             # completed / due
    offload_share: float             # completed with a result from a peer / completed
    battery: BatteryFigures | None = None    # null: it has none


class LedgerFigures(msgspec.Struct, kw_only=True):
    """Messages about requests that were ignored or out of order, by kind."""

    ended_twice: int                 # endings of a request that had already ended
    submitted_twice: int             # submissions of a request that was already known
    overtaken: int                   # endings that arrived before their submission
    after_gone: int                  # endings from a process that had died
    not_theirs: int                  # reports about requests of another agent, or of more than its streams can have
    after_close: int                 # messages after the end of the run
    not_an_ending: int               # endings that state no ending


class Tool(msgspec.Struct, kw_only=True):
    """The method of the run."""

    emulated_boards: bool            # whether any board was emulated


class JudgedRule(msgspec.Struct, kw_only=True):
    """One rule of the launch file's `accept`."""

    key: str                         # key of summary.json
    rule: str                        # the rule as written
    value: float | bool | None       # measured value
    holds: bool                      # whether the value meets the rule; null does not


class Transport(msgspec.Struct, kw_only=True):
    """The amount of the agents' messages."""

    security: str                    # `curve`: encrypted; `plaintext`: not encrypted
    messages: int                    # messages sent and received by agents
    bytes: int                       # bytes of these messages


class Summary(msgspec.Struct, kw_only=True):
    """The figures of a run."""

    scenario: str                    # name of the scenario
    seed: int                        # seed of all random draws
    clock: str                       # `real` or `virtual`
    network: str                     # `loopback`; `shaped`: a model of `links` delays messages, no packets
    policy: str                      # policy that placed the streams
    behaviour: str = ""              # of the robots, if the launch file names one; empty: the scenario's
    perception: str = "model"        # of virtual time: `perfect`, `model` or `halved`
    robots: int                      # number of robots
    duration_s: float                # planned duration of the streams
    ran_s: float                     # actual duration of the streams
    first_result_s: float | None     # from the start of the command to the first result
    requests: Requests               # requests of all streams
    latency_ms: Latency              # latency over all streams
    on_time_ratio: float             # completed / due
    on_time_interval: Bounds | None  # 95 % interval of on_time_ratio (Wilson); null: nothing was due
    after_warmup: AfterWarmup        # the same after the launch file's `warmup_s`
    offload: Offload                 # offloaded requests
    preempted: Preempted             # interrupted runs
    batched: Batched                 # batched runs
    planner: PlannerFigures          # work of the planner
    forecast: dict[str, ForecastFigures]     # of a run with plans, by `robot/stream`
    forecast_intervals: IntervalFigures      # how often the observed share was as forecast
    world: WorldFigures              # speed of the simulation
    loop_late_ms_p99: float          # how late loops ran their timers, 99th percentile: largest of agents and launcher
    loop_late_ms_max: float          # the same, at most
    behaviour_ms_p99: float          # from an event to what a behaviour makes of it, 99th percentile: largest of agents
    loops: dict[str, LoopFigures] = {}       # the same of each process that is no agent, by name
    energy_j: EnergyFigures = msgspec.field(default_factory=EnergyFigures)   # of robots with batteries
    charge: ChargeFigures = msgspec.field(default_factory=ChargeFigures)     # of their batteries
    mission: dict[str, float | str]  # the scenario's measures by name; `headline` names the main one
    measures: dict[str, Meaning]     # meaning of these measures, by name
    interrupted: bool                # the user, the system or the end of the world ended the run before its time
    host_overloaded: bool            # this machine could not keep up: the figures are not those of the swarm
    overloaded_by: list[str]         # the reasons, in words: overruns, lost simulated time, frames not submitted
    overlapped: list[str] | None = None      # other runs on this host at the same time, in words; null: not known
    faults: list[FaultRecord]        # injected faults, crashes and empty batteries, in order of time
    streams: dict[str, StreamFigures]        # figures of each stream, by name
    agents: dict[str, AgentRecord]   # figures of each agent, by name
    ledger: LedgerFigures            # messages that were ignored or out of order
    tool: Tool                       # method of the run
    accept: list[JudgedRule] = []    # judged rules, in the order of the launch file
    accepted: bool = True            # whether all rules hold; false for an interrupted run
    unwritten: dict[str, int] = {}   # lines or documents that could not be written, by file
    transport: Transport | None = None       # amount of messages
    state_hash: str | None = None    # of requests, plans and the world's end; null: of a run in real time
