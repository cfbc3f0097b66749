"""What `summary.json` holds, as types. docs/run_folder.md is made from them and from their comments."""

from __future__ import annotations

import msgspec


class Requests(msgspec.Struct, kw_only=True):
    """Requests by how they ended."""

    submitted: int                   # frames that fell due and that their robot saw
    completed: int                   # a result arrived by the deadline
    late: int                        # a result arrived after the deadline
    failed: int                      # no result
    lost: int                        # submitted and never ended: 0, or the run has a bug
    failed_by: dict[str, int] = {}   # failed requests by reason


class Latency(msgspec.Struct, kw_only=True):
    """Percentiles of the time from capture to result, over completed and late requests; null where there are none."""

    p50: float | None = None         # median
    p95: float | None = None         # 95th percentile
    p99: float | None = None         # 99th percentile


class Offload(msgspec.Struct, kw_only=True):
    """Work that peers did."""

    share: float                     # completed with a result from a peer / completed
    peers: int                       # agents that ran a part of such a request
    guarded: int                     # offloads for which the own fallback could still make the deadline
    unguarded: int                   # offloads for which it could not
    guard_fired: int                 # guarded offloads whose fallback was started


class Preempted(msgspec.Struct, kw_only=True):
    """Requests whose run at home was interrupted for a more urgent one."""

    requests: int                    # that were interrupted
    times: int                       # interruptions, all together
    aside_ms_p95: float | None       # how long a request was interrupted in all, 95th percentile


class Batched(msgspec.Struct, kw_only=True):
    """Requests that ran together with others of the same model."""

    requests: int                    # in such runs
    largest: int                     # inputs of the largest such run; 1: there was none


class Choices(msgspec.Struct, kw_only=True):
    """Latency expected when a request was routed, beside what it took and what the next best agent was expected to."""

    sampled: int                     # requests whose next best choice was recorded
    sooner_than_other_ratio: float   # share of these whose choice was expected no later than the other
    gain_ms_p50: float | None        # expected of the other less measured of the choice, median
    gain_corrected_ms_p50: float | None      # the same, with the stream's median error added to the expectation
    prediction_error_ms_p50: float | None    # measured less expected, median
    prediction_error_ms_p95: float | None    # measured less expected, 95th percentile


class PlannerFigures(msgspec.Struct, kw_only=True):
    """The planner's work."""

    plans: int                       # searches that ended, Ray's included; not each of them changed the plan
    epoch: int                       # of the newest plan; 0: none
    solve_ms_p50: float              # duration of such a search, median
    solver: str                      # of the last search
    ray: bool                        # whether Ray took part


class WorldFigures(msgspec.Struct, kw_only=True):
    """The world's clock."""

    steps: int                       # physics steps
    real_time_factor: float          # simulated time / real time
    lag_ms_p99: float                # lateness of a step, 99th percentile


class Meaning(msgspec.Struct, kw_only=True):
    """What a measure of the mission says."""

    unit: str                        # `0..1` for a share; empty for a count
    text: str                        # in words


class FaultHit(msgspec.Struct, kw_only=True):
    """Requests that were open from a fault's start to 0.5 s after its end; without an end, to 2 s after its start."""

    own: int                         # of the target
    own_missed: int                  # of these: late, failed or lost
    peers: int                       # of others that had asked the target, or had asked across the partition
    peers_missed: int                # of these: late, failed or lost
    lost_by: int                     # agents that counted the target, or a peer across the partition, as lost


class FaultRecord(msgspec.Struct, kw_only=True):
    """One fault. Times are seconds since the streams began."""

    at_s: float                      # when it was due
    kind: str                        # kill, stop, restart, partition, slow, corrupt, lose, clock, disk_full or crash
    target: str                      # process; empty: none
    groups: list[list[str]] = []     # of a partition: groups that could not hear each other
    for_s: float | None = None       # how long it was to last
    done_s: float | None = None      # when it began; null: it never did
    ended_s: float | None = None     # when it ended; of a restart, when the new process was ready
    hit: FaultHit | None = None      # null: it never began, or hit no process
    recover_s: float | None = None   # from its start until the swarm served as before; 0: it always did; null: unknown


class StreamFigures(Requests, kw_only=True):
    """One stream of the launch file, over all robots that have it."""

    latency_ms: Latency              # of this stream
    deadline_ms: float               # from capture
    on_time_ratio: float             # completed / submitted
    offload_share: float             # completed with a result from a peer / completed


class AgentFigures(msgspec.Struct, kw_only=True):
    """One agent over the whole run, all its starts together."""

    rss_bytes_max: int = 0           # resident memory, the most
    runs: int = 0                    # runs of its executors, its own and those for peers
    overruns: int = 0                # emulated runs that took this host longer than the board would have taken
    busy_share: float = 0.0          # of its executors' time, mean over its reports
    refused_in: int = 0              # messages and handshakes that it refused
    duplicates: int = 0              # answers that nobody waited for any more, or that were never asked for
    control_bytes: int = 0           # sent on the urgent lane
    carried: int = 0                 # messages sent and received
    carried_bytes: int = 0           # of these messages
    broken_off: int = 0              # connections to it that ended before their handshake was complete
    boots: int = 0                   # starts that were heard of
    status: str = "silent"           # silent, running, ended, killed or crashed


class AgentRecord(AgentFigures, kw_only=True):
    """One agent with the requests that it owned."""

    board: str                       # its class of computer
    role: str                        # its fleet
    submitted: int                   # its requests
    on_time_ratio: float             # completed / submitted
    offload_share: float             # completed with a result from a peer / completed


class LedgerFigures(msgspec.Struct, kw_only=True):
    """News of requests that made no sense, by kind."""

    ended_twice: int                 # endings of a request that had ended
    submitted_twice: int             # submissions of a request that was known
    overtaken: int                   # endings that came before their submission
    after_gone: int                  # news of a process that had died
    after_close: int                 # news after the run was closed
    not_an_ending: int               # endings that say that the request is open


class Tool(msgspec.Struct, kw_only=True):
    """How the run was made."""

    emulated_boards: bool            # whether any board is slower than this host by emulation


class JudgedRule(msgspec.Struct, kw_only=True):
    """One rule of the launch file's `accept`."""

    key: str                         # in this file
    rule: str                        # as written
    value: float | bool | None       # that was found
    holds: bool                      # whether the value meets it; a null value fails


class Transport(msgspec.Struct, kw_only=True):
    """What the agents' messages amount to."""

    security: str                    # curve: encrypted
    messages: int                    # sent and received by agents
    bytes: int                       # of these messages
    curve_us_per_message: float      # cost of encryption, measured after the run: of a message
    curve_ns_per_byte: float         # and of a byte
    curve_cpu_s: float               # CPU time for encryption, all agents together
    curve_core_share: float          # the same / ran_s


class Summary(msgspec.Struct, kw_only=True):
    """The figures of a run."""

    scenario: str                    # of the launch file
    seed: int                        # of everything that is drawn
    clock: str                       # always real today
    network: str                     # always loopback today
    policy: str                      # that placed the streams
    robots: int                      # in all fleets
    duration_s: float                # asked for
    ran_s: float                     # from the start of the streams to their end
    first_result_s: float | None     # from the command to the first result
    requests: Requests               # of all streams together
    latency_ms: Latency              # of all streams together
    on_time_ratio: float             # completed / submitted
    offload: Offload                 # what peers did
    preempted: Preempted             # interrupted runs
    batched: Batched                 # runs of several requests at once
    choices: Choices                 # expectations beside what came
    planner: PlannerFigures          # its work
    world: WorldFigures              # its clock
    mission: dict[str, float | str]  # what the robots achieved: the scenario's measures; `headline` names one of them
    measures: dict[str, Meaning]     # what these say
    host_overloaded: bool            # more than 1 % of emulated runs were overruns: latencies are too high
    faults: list[FaultRecord]        # in order of time
    streams: dict[str, StreamFigures]        # by name
    agents: dict[str, AgentRecord]   # by name
    ledger: LedgerFigures            # news that made no sense
    tool: Tool                       # how the run was made
    accept: list[JudgedRule] = []    # in the order of the launch file
    accepted: bool = True            # whether all rules hold
    unwritten: dict[str, int] = {}   # by file: lines or documents that the disk did not take
    transport: Transport | None = None       # messages and the cost of encryption
