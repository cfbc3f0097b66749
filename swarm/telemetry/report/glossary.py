"""The report's glossary: the meaning of its words and the definition of its figures."""

from __future__ import annotations

from swarm.telemetry.summary_types import FaultRecord

EMULATED = "Boards are emulated: the models ran on this host, with run times drawn from each board's profile."
OVERLOADED = ("The host was overloaded: more than 1 % of the emulated runs took longer than the board would have. "
              "The latencies of this run are too high. Repeat it on a less busy host.")
METHOD = (
    ("request", """Each frame that is due on a stream makes one request. A request ends exactly once: completed (result
        by the deadline), late (result after the deadline) or failed (no result, with a reason)."""),
    ("on time", "completed / submitted. Late, failed and lost requests lower it."),
    ("latency", """From the capture of the frame to the end of the request, on the clock of the robot that owns it.
        Only completed and late requests count. Percentiles are interpolated linearly."""),
    ("deadline", "The stream's time limit, from the capture of the frame. It includes the frame's age at receipt."),
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
        profile. A run that took longer than the drawn time is an overrun. With more than 1 % overruns the host was
        overloaded, and the latencies are too high."""),
    ("own, peers' missed", """Requests that were open during a fault (after a death: within 2 s). Own: requests of the
        target. Peers': requests of other robots that had asked the target. Missed: late, failed or lost."""),
    ("recovered after", """Time from the fault's begin until the share on time, over 1 s, is back within 5 points of
        the 5 s before the fault, and stays there for 1 s. No drop: the share never fell below that."""),
    ("time axis", "Seconds since the streams began, on the collector's clock; robots' clocks are never compared."),
)


def fault_name(fault: FaultRecord) -> str:
    """Its kind and target."""
    return " ".join(filter(None, (fault.kind, fault.target or " | ".join(map(", ".join, fault.groups)))))
