"""Types of `summary.json`. docs/run_folder.md is made from these types and their comments."""

from __future__ import annotations

from typing import Literal

import msgspec

Bounds = list[float | None]
"""[low, high], an interval that covers the true value with 95 %; null: beyond the last finite value."""


class Requests(msgspec.Struct, kw_only=True):
    """Requests by how they ended."""

    submitted: int                   # frames that were due and that reached their robot
    completed: int                   # a result arrived by the deadline
    late: int                        # a result arrived after the deadline
    failed: int                      # requests without a result
    lost: int                        # submitted, but never ended; must be 0
    failed_by: dict[str, int] = {}   # failed requests by reason


class Latency(msgspec.Struct, kw_only=True):
    """Quantiles of the time from capture to result, each with its 95 % interval (between two order statistics).

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


class Choices(msgspec.Struct, kw_only=True):
    """Predicted latency of the choice and of the runner-up (the next best agent), beside the measured latency."""

    sampled: int                     # requests with a recorded runner-up
    sooner_than_other_ratio: float   # share of these with the choice predicted no later than the runner-up
    gain_ms_p50: float | None        # predicted for the runner-up - measured for the choice, median
    gain_corrected_ms_p50: float | None      # the same, plus the median prediction error of the stream
    prediction_error_ms_p50: float | None    # measured - predicted, median
    prediction_error_ms_p95: float | None    # measured - predicted, 95th percentile


class PlannerFigures(msgspec.Struct, kw_only=True):
    """The planner's work."""

    plans: int                       # finished searches, with those on Ray; not every search changed the plan
    epoch: int                       # epoch of the newest plan; 0: no plan
    solve_ms_p50: float              # duration of a search, median
    solver: str                      # solver of the last search
    ray: bool                        # whether Ray was used


class WorldFigures(msgspec.Struct, kw_only=True):
    """The speed of the simulation."""

    steps: int                       # physics steps
    real_time_factor: float          # simulated time / real time
    lag_ms_p99: float                # lateness of a step, 99th percentile


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
    kind: str                        # kill, stop, restart, partition, slow, corrupt, lose, clock, disk_full or crash
    target: str                      # name of a process; empty: no single target
    groups: list[list[str]] = []     # of a partition: groups without connection to each other
    for_s: float | None = None       # planned duration
    done_s: float | None = None      # when it began; null: it did not begin
    ended_s: float | None = None     # when it ended; for a restart: when the new process was ready
    hit: FaultHit | None = None      # null: it did not begin, or has no target


class StreamFigures(Requests, kw_only=True):
    """One stream of the launch file, over all its robots."""

    latency_ms: Latency              # latency of this stream
    deadline_ms: float               # time limit from capture
    on_time_ratio: float             # completed / submitted
    on_time_interval: Bounds | None  # 95 % interval of on_time_ratio (Wilson); null: nothing was due
    after_warmup: AfterWarmup        # the same after the launch file's `warmup_s`
    offload_share: float             # completed with a result from a peer / completed


class AgentFigures(msgspec.Struct, kw_only=True):
    """One agent over the whole run, summed over all its starts."""

    rss_bytes_max: int = 0           # maximum resident memory
    runs: int = 0                    # runs of its executors, for itself and for peers
    overruns: int = 0                # emulated runs that took longer on this host than on the board
    busy_share: float = 0.0          # share of time that its executors were busy, mean over its reports
    refused_in: int = 0              # messages and handshakes that it refused
    duplicates: int = 0              # answers to requests that had ended or were never sent
    control_bytes: int = 0           # bytes sent on the urgent lane
    carried: int = 0                 # messages sent and received
    carried_bytes: int = 0           # bytes of these messages
    broken_off: int = 0              # connections to it that ended before their handshake did
    boots: int = 0                   # starts that reported
    status: str = "silent"           # silent, running, ended, killed or crashed


class AgentRecord(AgentFigures, kw_only=True):
    """One agent with its own requests."""

    board: str                       # class of its computer
    role: str                        # name of its fleet
    submitted: int                   # requests that it submitted
    on_time_ratio: float             # completed / submitted
    offload_share: float             # completed with a result from a peer / completed


class LedgerFigures(msgspec.Struct, kw_only=True):
    """Messages about requests that were ignored or out of order, by kind."""

    ended_twice: int                 # endings of a request that had already ended
    submitted_twice: int             # submissions of a request that was already known
    overtaken: int                   # endings that arrived before their submission
    after_gone: int                  # endings from a process that had died
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
    """The amount of the agents' messages, and the cost of their encryption."""

    security: str                    # `curve`: encrypted; `plaintext`: not encrypted
    messages: int                    # messages sent and received by agents
    bytes: int                       # bytes of these messages
    curve_us_per_message: float      # CPU time per message, both ends; measured after the run
    curve_ns_per_byte: float         # CPU time per byte, both ends; measured after the run
    curve_cpu_s: float               # CPU time for encryption, all agents in total
    curve_core_share: float          # curve_cpu_s / ran_s


class Summary(msgspec.Struct, kw_only=True):
    """The figures of a run."""

    scenario: str                    # name of the scenario
    seed: int                        # seed of all random draws
    clock: str                       # always `real` today
    network: str                     # always `loopback` today
    policy: str                      # policy that placed the streams
    robots: int                      # number of robots
    duration_s: float                # planned duration of the streams
    ran_s: float                     # actual duration of the streams
    first_result_s: float | None     # from the start of the command to the first result
    requests: Requests               # requests of all streams
    latency_ms: Latency              # latency over all streams
    on_time_ratio: float             # completed / submitted
    on_time_interval: Bounds | None  # 95 % interval of on_time_ratio (Wilson); null: nothing was due
    after_warmup: AfterWarmup        # the same after the launch file's `warmup_s`
    offload: Offload                 # offloaded requests
    preempted: Preempted             # interrupted runs
    batched: Batched                 # batched runs
    choices: Choices                 # predictions beside measurements
    planner: PlannerFigures          # work of the planner
    world: WorldFigures              # speed of the simulation
    mission: dict[str, float | str]  # the scenario's measures by name; `headline` names the main one
    measures: dict[str, Meaning]     # meaning of these measures, by name
    host_overloaded: bool            # more than 1 % of the emulated runs were overruns: latencies are too high
    faults: list[FaultRecord]        # injected faults and crashes, in order of time
    streams: dict[str, StreamFigures]        # figures of each stream, by name
    agents: dict[str, AgentRecord]   # figures of each agent, by name
    ledger: LedgerFigures            # messages that were ignored or out of order
    tool: Tool                       # method of the run
    accept: list[JudgedRule] = []    # judged rules, in the order of the launch file
    accepted: bool = True            # whether all rules hold
    unwritten: dict[str, int] = {}   # lines or documents that could not be written, by file
    transport: Transport | None = None       # amount of messages and cost of encryption
