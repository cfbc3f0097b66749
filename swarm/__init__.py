"""The swarm edge runtime. Another Python than those it is tested on is refused in a sentence, not with a traceback."""

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import os

    from swarm.experiments.results.loading import ExperimentData, RunData

if not (3, 10) <= sys.version_info[:2] <= (3, 13):
    sys.stderr.write("swarm: Python {}.{}: the swarm edge runtime needs 3.10 to 3.13\n".format(*sys.version_info))
    sys.exit(2)


def load(path: "str | os.PathLike[str]", pandas: bool = False) -> "RunData | ExperimentData":
    """The folder of a run or of an experiment as data: see `swarm/experiments/results/loading.py`.

    pandas: its tables are DataFrames. Raises: swarm.core.settings.errors.BadInput.
    """
    from swarm.experiments.results import loading  # not before: agents on boards import this package, too

    return loading.load(path, pandas)
