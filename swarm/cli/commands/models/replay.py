"""`swarm models replay RUN`: whether the whole models give the outcomes that robots got in a run."""

from __future__ import annotations

import argparse
import sys

HELP = "run whole models on the frames of a run, and compare with what robots were told"
EXAMPLE = "swarm models replay runs/split --json"


def arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("folder", metavar="RUN", help="the folder of a run with --record")


def run(given: argparse.Namespace) -> int:
    """Exit code 1 when any outcome differs. Names each that does."""
    import msgspec

    from swarm.cli.replay_check import check
    from swarm.cli.status_line import StatusLine

    with StatusLine() as status:
        models = check(given.folder, status)
    each = [compared for variants in models.values() for compared in variants.values()]
    frames, same = sum(c.frames for c in each), sum(c.same for c in each)
    if given.json:
        print(msgspec.json.encode({
            "frames": frames, "same": same, "split_frames": sum(c.split_frames for c in each),
            "max_score_difference": max(c.max_score_difference for c in each), "models": models,
        }).decode())
    else:
        for model, variants in models.items():
            for variant, compared in variants.items():
                print(f"{model} {variant}: {compared.same} of {compared.frames} outcomes match the unsplit model "
                      f"(split over several robots: {compared.split_same} of {compared.split_frames}); scores differ "
                      f"by at most {compared.max_score_difference:.2g}")
    for request in (name for compared in each for name in compared.different):
        print(f"swarm: {request}: the whole model gives another outcome", file=sys.stderr)
    return int(same < frames)
