"""`swarm models replay RUN`: compare the outcomes of a run with those of the unsplit models."""

from __future__ import annotations

import argparse
import sys

HELP = "run the unsplit models on the frames of a run, and compare the results"
EXAMPLE = "swarm models replay runs/split --json"


def arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("folder", metavar="RUN", help="the folder of a run with --record")


def run(given: argparse.Namespace) -> int:
    """Print each request with a different outcome. Exit code 1 if there is one."""
    import msgspec

    from swarm.cli.replay_check import check
    from swarm.cli.status_line import StatusLine

    with StatusLine() as status:
        models = check(given.folder, status)
    parts = [compared for variants in models.values() for compared in variants.values()]
    frames, same = sum(c.frames for c in parts), sum(c.same for c in parts)
    if given.json:
        print(msgspec.json.encode({
            "frames": frames, "same": same, "split_frames": sum(c.split_frames for c in parts),
            "max_score_difference": max(c.max_score_difference for c in parts), "models": models,
        }).decode())
    else:
        for model, variants in models.items():
            for variant, compared in variants.items():
                print(f"{model} {variant}: {compared.same} of {compared.frames} outcomes match the unsplit model"
                      + (f" (split over several robots: {compared.split_same} of {compared.split_frames})"
                         if compared.split_frames else "; none was split over several robots")
                      + (f"; scores differ by at most {compared.max_score_difference:.2g}"
                         if compared.max_score_difference else ""))
    for request in (name for compared in parts for name in compared.different):
        print(f"swarm: {request}: the unsplit model gives a different outcome", file=sys.stderr)
    return int(same < frames)
