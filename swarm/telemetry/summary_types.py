"""Types of `summary.json`. docs/run_folder.md is made from these types and their comments."""

from __future__ import annotations

import msgspec


class Missed(msgspec.Struct, kw_only=True):
    """Due frames that were never submitted, by what missed them."""

    body: int = 0                    # the robot's own sensors did not give the frame
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
    """Percentiles of the time from capture to result, over completed and late requests; null if there are none."""

    p50: float | None = None         # median
    p95: float | None = None         # 95th percentile
    p99: float | None = None         # 99th percentile


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
    aside_ms_p95: float | None       # total time that a request was interrupted, 95th percentile


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
    """One stream of one robot: what its plans predicted beside what was measured, and the error: measured - predicted.

    It covers the frames that fell due while a plan placed the stream. Predictions are means over these frames.
    """

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


class WorldFigures(msgspec.Struct, kw_only=True):
    """The speed of the simulation."""

    steps: int                       # physics steps
    real_time_factor: float          # simulated time / real time, from the start to the end of the streams
    lag_ms_p99: float                # how late steps began, 99th percentile


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


class FaultRecord(msgspec.Struct, kw_only=True):
    """One fault. Times are seconds since the streams began."""

    at_s: float                      # planned time
    kind: str                        # kill, stop, restart, partition, slow, corrupt, lose, clock, disk_full or crash
    target: str                      # name of a process; empty: no single target
    groups: list[list[str]] = []     # of a partition: groups without connection to each other
    for_s: float | None = None       # planned duration
    done_s: float | None = None      # when it began; null: it did not begin
    ended_s: float | None = None     # when it ended; for a restart: when the new process was ready
    hit: FaultHit | None = None      # null: it did not begin, or has no target
    recover_s: float | None = None   # from its start to the recovery of the on-time share; 0: no drop; null: unknown


class StreamFigures(Requests, kw_only=True):
    """One stream of the launch file, over all its robots."""

    latency_ms: Latency              # latency of this stream
    deadline_ms: float               # time limit from capture
    on_time_ratio: float             # completed / due
    offload_share: float             # completed with a result from a peer / completed


class AgentFigures(msgspec.Struct, kw_only=True):
    """One agent over the whole run, summed over all its starts."""

    rss_bytes_max: int = 0           # maximum resident memory
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
    status: str = "silent"           # silent, running, ended, killed or crashed


class AgentRecord(AgentFigures, kw_only=True):
    """One agent with its own requests."""

    board: str                       # class of its computer
    role: str                        # name of its fleet
    due: int                         # frames that fell due on its streams
    submitted: int                   # requests that it submitted
    on_time_ratio: float             # completed / due
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
    on_time_ratio: float             # completed / due
    offload: Offload                 # offloaded requests
    preempted: Preempted             # interrupted runs
    batched: Batched                 # batched runs
    choices: Choices                 # predictions beside measurements
    planner: PlannerFigures          # work of the planner
    forecast: dict[str, ForecastFigures]     # of a run with plans, by `robot/stream`
    world: WorldFigures              # speed of the simulation
    loop_late_ms_p99: float          # how late loops ran their timers, 99th percentile: largest of agents and launcher
    mission: dict[str, float | str]  # the scenario's measures by name; `headline` names the main one
    measures: dict[str, Meaning]     # meaning of these measures, by name
    host_overloaded: bool            # this machine could not keep up: the figures are not those of the swarm
    overloaded_by: list[str]         # the reasons, in words: overruns, lost simulated time, frames not submitted
    faults: list[FaultRecord]        # injected faults and crashes, in order of time
    streams: dict[str, StreamFigures]        # figures of each stream, by name
    agents: dict[str, AgentRecord]   # figures of each agent, by name
    ledger: LedgerFigures            # messages that were ignored or out of order
    tool: Tool                       # method of the run
    accept: list[JudgedRule] = []    # judged rules, in the order of the launch file
    accepted: bool = True            # whether all rules hold
    unwritten: dict[str, int] = {}   # lines or documents that could not be written, by file
    transport: Transport | None = None       # amount of messages and cost of encryption
