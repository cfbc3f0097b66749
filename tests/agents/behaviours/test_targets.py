"""From boxes to claims."""

from __future__ import annotations

import math
import random

import msgspec
import pytest

from agents.behaviours.search.classes import TARGET_CLASSES
from agents.behaviours.search.gossip import Find
from agents.behaviours.search.targets import RECLAIM_NS, Targets, claim
from swarm.core.protocol.world import Detection, Detections, Pose
from tests.agents.behaviours.toy import LOCATOR, VIEW, Segment, box, scan

ROOM: list[Segment] = [(-4, -4, 4, -4), (4, -4, 4, 4), (4, 4, -4, 4), (-4, 4, -4, -4)]


def look(targets: Targets, label: str, x: float, y: float, poses: list[Pose], luck: random.Random,
         lidar: bool = True, as_label: str | None = None) -> None:
    """Frames from each pose with the target at (x, y) in a room."""
    for pose in poses:
        found = box(label, pose, x, y, luck.uniform(0.5, 0.9), luck)
        boxes = [] if found is None else [found]
        if as_label is not None:
            boxes = [msgspec.structs.replace(b, label=TARGET_CLASSES.index(as_label)) for b in boxes]
        targets.detections(Detections(boxes), pose, scan(pose, ROOM, [(x, y, 0.15)] if lidar else []))


def approach(x: float, y: float, far: float = 3.5, near: float = 1.6, steps: int = 8) -> list[Pose]:
    """Poses on a line from the south towards (x, y), looking at it."""
    return [Pose(x, y - far + (far - near) * k / (steps - 1), math.pi / 2 + 0.1) for k in range(steps)]


def test_projection_and_ray_agree() -> None:
    for point in ((2.0, 0.5, 0.0), (3.0, -1.0, 0.6)):
        pixel = VIEW.project(*point)
        assert pixel is not None
        ahead, left, up = VIEW.ray(*pixel)
        k = (point[0] - 0.16) / ahead
        assert k * left == pytest.approx(point[1])
        assert k * up + 0.28 == pytest.approx(point[2])


@pytest.mark.parametrize("label", TARGET_CLASSES)
@pytest.mark.parametrize("away", [1.2, 2.0, 3.0])
def test_a_box_is_put_in_its_place(label: str, away: float) -> None:
    pose = Pose(1.0, -1.0, 0.7)
    x, y = pose.x_m + away * math.cos(0.9), pose.y_m + away * math.sin(0.9)
    found = box(label, pose, x, y)
    assert found is not None
    for ranges in (scan(pose, [], [(x, y, 0.18)]), None):
        fix = LOCATOR.locate(found, pose, ranges)
        assert fix is not None
        assert math.dist((fix.x_m, fix.y_m), (x, y)) < 0.3


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("lidar", [True, False])
def test_a_noisy_approach_ends_in_one_claim_at_the_right_place(seed: int, lidar: bool) -> None:
    targets, label = Targets(LOCATOR), TARGET_CLASSES[seed % 3]
    look(targets, label, 0.5, 1.5, approach(0.5, 1.5), random.Random(seed), lidar)
    claims = targets.claims(0)
    assert [c.label for c in claims] == [label]
    assert math.dist((claims[0].x_m, claims[0].y_m), (0.5, 1.5)) < 0.75
    assert targets.claims(1) == []
    targets.judged(claim(claims[0]), "found")
    assert targets.tracks == []
    look(targets, label, 0.5, 1.5, approach(0.5, 1.5, far=4.5), random.Random(seed + 50), lidar)
    assert targets.claims(10 * RECLAIM_NS) == []


def test_two_detections_are_worth_a_visit_but_not_a_claim() -> None:
    targets = Targets(LOCATOR)
    look(targets, "hazard", 0.0, 0.0, approach(0.0, 0.0, 2.0, 1.8, 2), random.Random(1))
    assert [t.label for t in targets.to_visit(told_of=False)] == ["hazard"]
    assert targets.claims(0) == []


def test_weak_and_broken_boxes_count_for_nothing() -> None:
    targets, pose = Targets(LOCATOR), Pose(0.0, 0.0, 0.0)
    for odd in (Detection(0, 0.2, 40, 30, 50, 45), Detection(7, 0.9, 40, 30, 50, 45),
                Detection(0, math.nan, 1, 1, 9, 9), Detection(0, 0.9, 50, 30, 40, 45),
                Detection(1, 0.9, 40, 10, 50, 20)):
        for _ in range(5):
            targets.detections(Detections([odd]), pose, None)
    assert targets.claims(0) == []


def test_far_looks_alone_are_not_enough() -> None:
    targets = Targets(LOCATOR)
    look(targets, "beacon", 0.0, 3.0, approach(0.0, 3.0, 4.0, 3.2, 10), random.Random(1))
    assert targets.claims(0) == []
    assert targets.to_visit(told_of=False)


def test_a_label_that_flickers_waits_for_a_majority() -> None:
    targets, luck = Targets(LOCATOR), random.Random(4)
    for k, pose in enumerate(approach(0.0, 2.0, 2.5, 2.0, 6)):
        look(targets, "hazard", 0.0, 2.0, [pose], luck, as_label=("hazard", "beacon")[k % 2])
    assert targets.claims(0) == []
    look(targets, "hazard", 0.0, 2.0, approach(0.0, 2.0, 2.0, 1.5, 10), luck)
    assert [c.label for c in targets.claims(0)] == ["hazard"]


def test_a_wrong_claim_is_not_repeated_but_another_label_may_follow() -> None:
    targets, luck = Targets(LOCATOR), random.Random(2)
    look(targets, "hazard", 0.0, 2.0, approach(0.0, 2.0), luck)
    (confirmed,) = targets.claims(0)
    assert targets.judged(claim(confirmed), "wrong") is not None
    look(targets, "hazard", 0.0, 2.0, approach(0.0, 2.0), luck)
    assert targets.claims(10 * RECLAIM_NS) == []
    assert targets.to_visit(told_of=False) == []
    look(targets, "hazard", 0.0, 2.0, approach(0.0, 2.0, 2.5, 1.6, 30), luck, as_label="casualty")
    assert [c.label for c in targets.claims(20 * RECLAIM_NS)] == ["casualty"]


def test_a_claim_without_a_verdict_is_made_again_a_few_times() -> None:
    targets = Targets(LOCATOR)
    look(targets, "beacon", 0.0, 2.0, approach(0.0, 2.0), random.Random(2))
    made = [len(targets.claims(k * RECLAIM_NS)) for k in range(6)]
    assert made == [1, 1, 1, 0, 0, 0]


def test_a_track_that_does_not_show_up_close_is_dropped() -> None:
    targets = Targets(LOCATOR)
    look(targets, "beacon", 0.0, 2.0, approach(0.0, 2.0, 3.6, 3.3, 2), random.Random(2))
    assert targets.to_visit(told_of=False)
    for pose in approach(0.0, 2.0, 2.2, 1.8, 8):
        targets.detections(Detections([]), pose, scan(pose, ROOM))
    assert targets.tracks == []


def test_a_target_that_two_teammates_found_is_left_alone() -> None:
    targets = Targets(LOCATOR)
    assert not targets.add(Find(kind="confirmed", label="beacon", x_m=0.1, y_m=2.2), "b")
    assert targets.add(Find(kind="found", label="beacon", x_m=-0.2, y_m=2.1), "c")
    assert not targets.add(Find(kind="found", label="beacon", x_m=-0.2, y_m=2.1), "d")
    look(targets, "beacon", 0.0, 2.0, approach(0.0, 2.0), random.Random(2))
    assert targets.claims(0) == []
    assert targets.to_visit(told_of=False) == targets.to_visit(told_of=True) == []


@pytest.mark.parametrize("kind", ["confirmed", "found", "wrong"])
def test_what_one_teammate_says_makes_a_place_less_urgent_and_closes_it_for_nobody(kind: str) -> None:
    """It may have been taken over: however often it says so, the own eyes decide."""
    targets = Targets(LOCATOR)
    for k in range(100):
        assert not targets.add(Find(kind=kind, label="beacon", x_m=0.01 * k, y_m=2.0), "mallory")
    look(targets, "beacon", 0.0, 2.0, approach(0.0, 2.0, 3.0, 2.5, 2), random.Random(2))
    assert targets.to_visit(told_of=False) == []
    assert [t.label for t in targets.to_visit(told_of=True)] == ["beacon"]
    look(targets, "beacon", 0.0, 2.0, approach(0.0, 2.0), random.Random(2))
    (confirmed,) = targets.claims(0)
    assert confirmed.label == "beacon"
    assert targets.judged(claim(confirmed), "duplicate") is not None      # the world closes it
    assert targets.tracks == []


def test_what_is_seen_from_afar_may_be_what_a_teammate_has_found() -> None:
    """Its position is not exact yet, so it is looked at as late as that one."""
    targets = Targets(LOCATOR)
    targets.add(Find(kind="found", label="beacon", x_m=0.0, y_m=3.15), "b")
    look(targets, "beacon", 0.0, 2.0, approach(0.0, 2.0, 3.6, 3.3, 2), random.Random(2), lidar=False)
    assert len(targets.to_visit(told_of=True)) == 1
    look(targets, "beacon", 0.0, 2.0, approach(0.0, 2.0), random.Random(2))
    targets.tracks[0].claims = 0
    assert (len(targets.to_visit(told_of=True)), len(targets.to_visit(told_of=False))) == (0, 1)


def test_a_teammates_mistake_reopens_the_place() -> None:
    targets = Targets(LOCATOR)
    for name in ("b", "c"):
        targets.add(Find(kind="confirmed", label="beacon", x_m=0.1, y_m=2.2), name)
    targets.add(Find(kind="wrong", label="beacon", x_m=0.1, y_m=2.2), "b")
    look(targets, "hazard", 0.0, 2.0, approach(0.0, 2.0), random.Random(2))
    assert [c.label for c in targets.claims(0)] == ["hazard"]
