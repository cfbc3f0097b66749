"""`swarm models ACTION`: the models that this machine has."""

from __future__ import annotations

import argparse

HELP = "list models, show, measure, shrink and take them apart"
EXAMPLE = "swarm models show detector"


def arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("--json", action="store_true")
