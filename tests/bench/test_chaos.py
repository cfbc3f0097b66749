"""A swarm of real processes survives the faults of a seed, and the figures agree with the run folder."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from swarm.bench import chaos
from swarm.bench.support.resident import Resident
from swarm.core.policy.faults import kinds_of
from swarm.core.settings.launch_file import FaultSpec
from swarm.core.settings.validation import check
from swarm.telemetry.figures.recovery.judge import NEAR_S
from tests.docs.folder import assert_as_described

KEYS = ("faults", "submitted", "lost", "delivered_twice", "recover_p95_s", "recover_p95_interval_s", "judged", "hits",
        "lasting", "too_few", "rss_growth_pct", "survivors_serving")


@pytest.mark.parametrize(("duration_s", "quiet_s"), [(10.0, 1.5), (60.0, 6.0), (600.0, 6.0)])
def test_a_schedule_is_its_seeds_and_leaves_the_run_a_quiet_start_and_end(duration_s: float, quiet_s: float) -> None:
    faults = chaos.schedule(3, duration_s)
    assert faults == chaos.schedule(3, duration_s) != chaos.schedule(4, duration_s)
    assert all(quiet_s <= fault["at_s"] <= duration_s - quiet_s for fault in faults)
    kinds = [kinds_of(check(fault, FaultSpec, "schedule"))[0] for fault in faults]
    assert kinds.count("kill") == chaos.DEATHS
    if duration_s >= 60.0:
        assert all(b["at_s"] - a["at_s"] > NEAR_S for a, b in itertools.pairwise(faults))
    for kind in ("stop", "restart", "partition", "slow", "corrupt", "lose"):
        assert kinds.count(kind) >= max(1, chaos.PER_MINUTE * int(duration_s) // 60)


class Grown(Resident):
    """Looks that were made by hand."""

    def __init__(self) -> None:
        super().__init__(Path("none"), 8.0)
        for pid, name, last_s, growth in ((1, "young", 12, 9.0), (2, "old", 60, 1.04), (3, "dead", 40, 2.0)):
            begin_s = 50 if name == "young" else 0
            self._names[pid] = name
            self._samples[pid] = [(begin_s + s, round(1e8 * (0.2 if s < 4 else growth ** (s / last_s))))
                                for s in range(last_s)]


def test_memory_is_that_of_those_who_were_there_at_the_end_after_their_warm_up() -> None:
    grown = Grown().growth_pct()
    assert list(grown) == ["old"]
    assert 3.0 < grown["old"] < 4.0


def summary() -> dict:
    def fault(kind: str, verdict: str | None, recover_s: float | None, done_s: float | None, of: int = 1) -> dict:
        return {"kind": kind, "target": "rover_0", "done_s": done_s, "verdict": verdict, "recover_s": recover_s,
                "together": of, "hit": {"own": 3, "own_missed": 1, "peers": 2, "peers_missed": 0} if done_s else {}}

    return {
        "ran_s": 30.0,
        "faults": [fault("kill", "recovered", 1.0, 5.0), fault("kill", "recovered", 2.0, 11.0, 2),
                   fault("slow", "recovered", 2.0, 12.0, 2), fault("stop", "too_few", None, 20.0),
                   fault("lose", None, None, None)],
        "requests": {"submitted": 90, "lost": 1, "failed_by": {"expired": 2}}, "ledger": {"ended_twice": 2},
        "agents": {"rover_0": {"status": "killed"}, "rover_1": {"status": "ended"}, "rover_2": {"status": "ended"}},
        "on_time_ratio": 0.9, "host_overloaded": False, "offload": {"share": 0.5},
    }


REQUESTS = {"at_s": np.array([29.5, 29.0, 29.0]), "ending": np.array(["completed", "late", "completed"], object),
            "agent": np.array(["rover_1", "rover_2", "rover_2"], object)}


@pytest.mark.parametrize(("last", "serving"), [(29.0, True), (20.0, False)])
def test_the_figures_are_those_of_the_run(last: float, serving: bool) -> None:
    made = chaos.figures(summary(), REQUESTS | {"at_s": np.array([29.5, 29.0, last])}, Grown())
    assert tuple(made)[:len(KEYS)] == KEYS
    assert (made["faults"], made["submitted"], made["lost"], made["delivered_twice"]) == (4, 90, 1, 2)
    assert made["survivors_serving"] is serving
    assert (made["judged"], made["hits"], made["lasting"], made["too_few"]) == (3, 2, 0, 1)
    assert (made["recover_p95_s"], made["recover_p95_interval_s"]) == (2.0, [1.0, None])
    assert made["rss_growth_pct"] == Grown().growth_pct()["old"]
    assert made["kinds"]["kill"] == {"faults": 2, "not_hit": 0, "recovered": 2, "lasting": 0, "too_few": 0,
                                     "recover_max_s": 2.0, "missed": 2, "of": 10}


def test_a_lasting_loss_counts_as_not_recovered() -> None:
    of = summary()
    of["faults"][0] |= {"verdict": "lasting", "recover_s": None}
    made = chaos.figures(of, REQUESTS, Grown())
    assert (made["recover_p95_s"], made["hits"], made["lasting"]) == (None, 2, 1)
    of["faults"] = []
    assert chaos.figures(of, REQUESTS, Grown())["recover_p95_s"] is None


@pytest.mark.long
def test_a_swarm_outlives_ten_seconds_of_chaos(tmp_path: Path) -> None:
    """The real command on real processes, faults and models; this one flies in `make test`."""
    made = chaos.measure(10.0, 1, tmp_path / "run")
    assert_as_described(tmp_path / "run")
    assert (tmp_path / "run" / "report.html").stat().st_size > 10_000
    assert made["faults"] >= 8
    assert made["judged"] <= 4                           # most are nearer than 5 s to another
    assert made["submitted"] > 0
    assert (made["lost"], made["delivered_twice"], made["crashes"]) == (0, 0, [])
    assert made["survivors"] == 5 - made["kinds"]["kill"]["faults"]       # a robot that is restarting is not killed
