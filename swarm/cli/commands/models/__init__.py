"""`swarm models ACTION`: the models that this machine has."""

from __future__ import annotations

import argparse

HELP = "list, show, import, profile, quantize, partition and verify models"
EXAMPLE = "swarm models show detector"


def arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("--json", action="store_true")
