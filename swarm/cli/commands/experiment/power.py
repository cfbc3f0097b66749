"""`swarm experiment power NAME|FILE --difference D`: the seeds that a difference needs, from results that are there."""

from __future__ import annotations

import argparse
import json
import shlex
from typing import TYPE_CHECKING

from swarm.cli import extras
from swarm.cli.commands import experiment as experiments

if TYPE_CHECKING:
    from swarm.experiments.power import Plan, Planned

HELP = "tell how many seeds a difference needs, from the results in the experiment's folder"
EXAMPLE = "swarm experiment power grid --difference 0.03"
HEAD = ["where", "arm", "against", "pilot", "spread"]
MOST_ROWS = 40


def arguments(p: argparse.ArgumentParser) -> None:
    experiments.file_and_folder(p)
    p.add_argument("--difference", type=float, metavar="D", required=True,
                   help="to be shown: arm - against, in the unit of the metric")
    p.add_argument("--metric", metavar="KEY", help="a metric of the file; default: the first one")
    p.add_argument("--json", action="store_true", help="print the plan as one JSON object")


def run(given: argparse.Namespace) -> int:
    """Prints the plan."""
    from swarm.cli.status_line import StatusLine

    extras.needed("swarm experiment power", *extras.RUN)
    experiment, out = experiments.loaded(given)
    from swarm.experiments.power import plan
    from swarm.experiments.store import Folder

    command = shlex.join(["swarm", "experiment", "run", given.experiment, "--out", str(out), "--resume"])
    with StatusLine() as status:
        made = plan(experiment, Folder(out), given.metric or next(iter(experiment.file.metrics)), given.difference,
                    command, status)
    if given.json:
        import msgspec

        print(json.dumps(msgspec.to_builtins(made)))
    else:
        print(_as_text(made))
    return 0


def _as_text(plan: Plan) -> str:
    """A row for each comparison."""
    from swarm.telemetry.text_table import text_table

    head = [*HEAD, f"seeds for {plan.wanted:.0%}", "power of these", f"power of {plan.seeds_now}"]
    lines = [text_table(head, [_row(one) for one in plan.comparisons[:MOST_ROWS]]).rstrip()]
    if len(plan.comparisons) > MOST_ROWS:
        lines.append(f"and {len(plan.comparisons) - MOST_ROWS} more comparisons: see --json")
    enough = f"{plan.seeds} seeds are enough for all" if plan.seeds else "no number of seeds is known to be enough"
    said = (f"a difference of {plan.difference:g} in {plan.metric}, {plan.family} comparisons in the family: {enough}; "
            f"the file has {plan.seeds_now}")
    return "\n".join([*lines, said, *plan.notes])


def _row(one: Planned) -> list[str]:
    from swarm.experiments.design.points import shown

    where = ", ".join(f"{axis}={shown(value)}" for axis, value in one.cell.items())
    spread = "-" if one.spread is None else f"{one.spread[0]:.3g} to {one.spread[1]:.3g}"
    return [where, one.arm, one.against, str(one.pilot), spread, "-" if one.seeds is None else str(one.seeds),
            _share(one.power), _share(one.power_now)]


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.0%}"
