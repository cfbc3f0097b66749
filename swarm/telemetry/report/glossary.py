"""The report's glossary: the meaning of its words and the definition of its figures."""

from __future__ import annotations

from swarm.telemetry.summary_types import FaultRecord

VIRTUAL = """Virtual time: all processes shared one, on a simulated clock. Run times were drawn from the profiles of the
boards, and results from the truth and the error models of the models: no model ran. The run can be repeated exactly."""

EMULATED = "Boards are emulated: the models ran on this host, with run times drawn from each board's profile."
OVERLOADED = ("The host was overloaded: it could not keep up, so these figures are not those of the swarm. Repeat the "
              "run on a less busy host.")
SHAPED = ("Links are shaped: senders delayed their messages by a model of rate, delay and loss. No network "
          "lost or delayed a packet.")
METHOD = (
    ("due", """Each stream of a robot has rate x time due frames, also while the robot is dead. A due frame makes one
        request, or it is missed: by the world (simulated time stood still), by the body (its sensor gave nothing) or
        by the agent (dead, stopped or too busy)."""),
    ("request", """It ends exactly once: completed (result by the deadline), late (result after the deadline) or failed
        (no result, with a reason)."""),
    ("on time", "completed / due. Late, failed, lost and missed frames lower it."),
    ("latency", """From when the frame fell due to the end of its request, on the clock of the robot that owns it. p50,
        p95 and p99 are over results. Percentiles are interpolated linearly."""),
    ("deadline", "The stream's time limit, from when the frame fell due. It includes the frame's age at receipt."),
    ("offloaded", "Completed with a result from a peer / completed."),
    ("guarded", """An offload is guarded if, when it is sent, the robot's own fallback can still make the deadline. The
        fallback starts at the last safe moment, and the first result counts."""),
    ("without a result", """Failed, lost, or missed: a frame that fell due and of which no request was made. In the
        curves of latency it is infinitely late, so a curve ends below 100 % by the share of these frames."""),
    ("lost", """Submitted requests without an ending after the final drain; must be 0. Open requests of a robot that
        died are not lost: they failed with the reason agent_lost."""),
    ("preempted", """A run at home was stopped for a more urgent request and finished later. It stopped either at the
        end of a stage, or within a stage, which then ran again."""),
    ("predicted", """The mean latency that is expected when the request is routed: age of the frame + queueing +
        transfers + run times of the boards' profiles. It is compared with the mean of the measured latencies."""),
    ("emulated board", """The stage really ran on this host. Its end was delayed to a run time drawn from the board's
        profile. A run that took longer than the drawn time is an overrun."""),
    ("own, peers' missed", """Requests that were open during a fault (after a death: within 2 s). Own: requests of the
        target. Peers': requests of other robots that had asked the target. Missed: late, failed or lost."""),
    ("recovered after", """Time from the fault's begin until the share on time was back at the level before. A loss is
        a stretch of at least 5 points below that level; it begins within 3 s of the fault and is no chance: in fault-
        free runs at most one minute in 20 shows one. No loss: no fall was seen. Lasting loss: not back before the next
        fault or the end. Too few requests to tell: a loss of 20 points could have been overlooked."""),
    ("interval", """The range that holds the true value with 95 %, as far as the number of requests tells: of a share by
        Wilson's score, of a quantile between two requests in order of latency. `-`: too few requests for the figure
        (p50 needs 6, p95 72, p99 368)."""),
    ("of all due", """A quantile over all frames that were due, in which a frame without a result is infinitely late:
        work that is shed does not make it look better. `no result`: it lies beyond the slowest result."""),
    ("time axis", "Seconds since the streams began: of frames by their robot's clock, of all else by the collector's."),
)


def fault_name(fault: FaultRecord) -> str:
    """Its kind, target and sensor."""
    groups = " | ".join(map(", ".join, fault.groups))
    return " ".join(filter(None, (fault.kind, fault.target or groups, fault.sensor)))
