"""One command on an experiment: its points are checked, flown and written up."""

from __future__ import annotations

import collections
import statistics
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from swarm.core.clock import MonotonicClock
from swarm.core.settings.errors import BadInput
from swarm.core.units import seconds
from swarm.experiments.coordinator import Code, Coordinator
from swarm.experiments.design.points import Combination
from swarm.experiments.design.rows import Results
from swarm.experiments.design.sweep import Ran
from swarm.experiments.experiment import Experiment
from swarm.experiments.launches import code_hash
from swarm.experiments.results import results_file, warmup
from swarm.experiments.results.figures import check
from swarm.experiments.results.write import write
from swarm.experiments.sources import sources
from swarm.experiments.store import Store
from swarm.experiments.workers.flight import Task, fly
from swarm.experiments.workers.local import LocalWorkers, Workers
from swarm.experiments.workers.on_ray import RayWorkers
from swarm.experiments.workers.real_host import RealHost
from swarm.launcher.host_lock import exclusive, shared
from swarm.launcher.signals import Signals
from swarm.telemetry.provenance import revision

MANY = 100_000                       # points that are flown only with --yes
PROBE_S = 2.0                        # simulated time that is flown to estimate the time of a virtual experiment
PROBES = 5                           # points that are flown so, evenly spread over the file
LONG_S = 600.0                       # between two runs of a block in real time: then it is said
AROUND_S = 7.0                       # of a run in real time: start, drain and writing (measured: 6 to 7 s)


class Wishes(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line asks for. jobs: processes for virtual time. retry: points without a result. wait: for a
    host that is not free.
    """

    resume: bool = False
    rerun: bool = False              # points that other code has flown
    keep: bool = False               # their results
    retry: bool = False
    jobs: int = 1
    ray: str = "none"
    yes: bool = False
    wait: bool = True


class Ended(NamedTuple):
    """How a session ended. figures: for programs. error: one line, or empty."""

    exit_code: int
    results: Results
    figures: dict[str, Any]
    error: str = ""


class Session:
    """told: of the progress. said: what the user must know at once. make: the workers; None: as the wishes are.

    Raises: BadInput for points that cannot be flown, before anything is.
    """

    def __init__(
        self, experiment: Experiment, out: Path, wishes: Wishes, told: Callable[[str], None],
        said: Callable[[str], None] = lambda text: None, make: Callable[[], Workers] | None = None,
    ) -> None:
        self._experiment, self._out, self._wishes, self._told, self._said = experiment, out, wishes, told, said
        self._make = make or self._workers
        self._clock = MonotonicClock()
        where = str(experiment.path)
        self.count = len(experiment.combinations) * experiment.file.seeds
        if self.count >= MANY and not wishes.yes:
            raise BadInput(where, f"{self.count} points", f"fewer axes, values or seeds; or --yes, from {MANY} on")
        experiment.check(told)
        check.check(experiment.file.figures, experiment.facts(), where)
        self._virtual = experiment.clock == "virtual"
        if not self._virtual and wishes.ray != "none":
            raise BadInput("--ray", "these points run in real time, which has its host alone", "none")

    def estimate(self) -> dict[str, Any]:
        """`points`, `combinations`, `seeds`, `clock`, the time `estimated_s`, and `warning` (empty: none)."""
        file = self._experiment.file
        if self._virtual:
            took_s = self._probe() * self._experiment.duration_s * file.seeds / self._wishes.jobs
        else:
            took_s = (self._experiment.duration_s + AROUND_S * len(self._experiment.combinations)) * file.seeds
        return {"points": self.count, "combinations": len(self._experiment.combinations), "seeds": file.seeds,
                "clock": self._experiment.clock, "estimated_s": round(took_s, 1),
                "warning": self._experiment.too_few_seeds()}

    def run(self) -> Ended:
        """Fly what has not been flown. Raises: BadInput if the folder cannot be used."""
        began_ns = self._clock.now_ns()
        code = Code(code_hash(), revision())
        store = Store(self._out, self._experiment.path.read_text(encoding="utf-8"), resume=self._wishes.resume)
        try:
            notes = self._other_code(store, code)
            with self._turn():
                return self._run(store, code, notes, began_ns)
        finally:
            store.close()

    def _turn(self) -> AbstractContextManager[object]:
        """Real time has this host alone. Virtual time fills its cores, so that it waits for such an experiment."""
        if self._virtual:
            return shared(wait=self._wishes.wait, told=self._said)
        return exclusive(f"experiment {self._experiment.name}", wait=self._wishes.wait, told=self._said)

    def _run(self, store: Store, code: Code, notes: list[str], began_ns: int) -> Ended:
        experiment, error, before = self._experiment, "", len(store.ran)
        read = sources(experiment)
        notes += filter(None, [experiment.too_few_seeds()])
        with Signals() as signals:
            coordinator = Coordinator(
                experiment, store, code, told=self._told, stopped=lambda: bool(signals.received),
                kept=lambda ran: self._kept(ran, code) and store.has(ran))
            try:
                store.keep_sources(read.files)
                store.begin(results_file.NAME)
                coordinator.fly(self._make)
            except OSError as failed:
                error = f"{failed.filename or self._out}: {failed.strerror}; --resume goes on with what is there"
            stopped = bool(signals.received)
        if code_hash() != code.hash:
            error = error or "the code was changed while its runs were on: --resume --rerun flies them again"
        rows = experiment.rows(coordinator.sweep, store)
        notes += filter(None, [experiment.stopped(rows, coordinator.added)])
        if coordinator.sweep.repeated():
            notes.append(f"{coordinator.sweep.repeated()} runs were repeated, since they or others of their block "
                         "did not count")
        if not self._virtual and (apart_s := coordinator.sweep.apart_s()) > LONG_S:
            notes.append(f"runs of one block lie up to {apart_s / 60.0:.0f} minutes apart: what has changed on this "
                         "host meanwhile counts as their difference")
        revisions = sorted({ran.revision for ran in coordinator.sweep.newest().values()})
        results = experiment.results(rows, experiment.clock, ", ".join(revisions) or code.revision, read.again, notes)
        try:
            write(self._out, results, experiment.file.figures)
        except OSError as failed:
            error = error or f"{failed.filename or self._out}: {failed.strerror}; --resume writes the results again"
        figures = _figures(results, store, coordinator, len(store.ran) - before)
        figures["took_s"] = round(seconds(self._clock.now_ns() - began_ns), 1)
        failed = any(row.error for row in rows)
        return Ended(130 if stopped else int(bool(error) or failed), results, figures, error)

    def _kept(self, ran: Ran, code: Code) -> bool:
        """Whether a run of the journal stands."""
        return (self._wishes.keep or ran.code == code.hash) and not (self._wishes.retry and ran.error)

    def _workers(self) -> Workers:
        if not self._virtual:
            return RealHost()
        wishes = self._wishes
        return LocalWorkers(wishes.jobs) if wishes.ray == "none" else RayWorkers(wishes.ray, wishes.jobs)

    def _other_code(self, store: Store, code: Code) -> list[str]:
        """Notes on points whose newest run is of other code. Raises: BadInput if the user has not said what becomes of
        them.
        """
        if all(ran.code == code.hash for ran in store.ran):
            return []
        ids = {point.id for block in self._experiment.blocks(self._experiment.most_seeds) for point in block}
        newest = {ran.id: ran for ran in store.ran if ran.id in ids}
        others = [ran for ran in newest.values() if ran.code != code.hash]
        if not others or self._wishes.rerun:
            return []
        by = ", ".join(sorted({ran.revision for ran in others}))
        if not self._wishes.keep:
            raise BadInput(f"--out {self._out}", f"{len(others)} of its runs are of other code ({by}; this is "
                           f"{code.revision})", "--rerun to fly them again, or --keep to keep them")
        return [f"{len(others)} runs are of other code: {by}"]

    def _probe(self) -> float:
        """Real seconds per simulated second, the mean of some combinations."""
        of = self._experiment.combinations
        some = [of[k * len(of) // PROBES] for k in range(PROBES)] if len(of) > PROBES else of
        return statistics.fmean(map(self._probe_one, some))

    def _probe_one(self, one: Combination) -> float:
        self._told(f"flying {PROBE_S:g} simulated seconds of {one.named}")
        resolved = self._experiment.launches.resolved(one)
        short = msgspec.structs.replace(resolved, launch=msgspec.structs.replace(
            resolved.launch, duration_s=PROBE_S, warmup_s=0.0, faults=[]))
        flown = fly(Task(id="probe", resolved=short, command="swarm experiment run"))
        if flown.error:
            raise BadInput(f"{self._experiment.path}: point {one.named}", flown.error, "a launch that flies")
        return flown.took_s / PROBE_S


def _figures(results: Results, store: Store, coordinator: Coordinator, flown: int) -> dict[str, Any]:
    """For `--json`."""
    rows = results.rows
    ran = coordinator.sweep.runs()
    reasons = collections.Counter(reason.partition(":")[0] for run in ran for reason in run.invalid)
    return {
        "points": len(rows), "valid": sum(row.valid for row in rows),
        "failed": sum(row.failed for row in rows), "not_run": sum(row.waits for row in rows),
        "flown": flown, "repeated": coordinator.sweep.repeated(), "invalid_by": dict(reasons.most_common()),
        "seeds": len({row.seed for row in rows}), "comparisons": msgspec.to_builtins(results.every_comparison),
        "warmup_s": warmup.spans(rows), "notes": results.notes, "folder": str(store.path)}

