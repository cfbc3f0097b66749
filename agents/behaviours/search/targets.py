"""Tracks of possible targets: started by detections, weighed by misses and masks, ended by verdicts and finds."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from agents.behaviours.search.classes import TARGET_CLASSES
from agents.behaviours.search.gossip import Find
from agents.behaviours.search.locator import Fix, Locator
from agents.behaviours.search.team import SAME_PLACE_M, WORLD, Finds, is_wrong
from agents.behaviours.search.track import Track, covariance, deviations
from swarm.core.protocol.world import Detections, Mask, Pose, Report

CLAIM = "claim"                      # the kind of a report
SCORE_MIN = 0.4                      # a detection of a lower score is ignored
HITS_TO_VISIT = 2
HITS_TO_CLAIM = 3
VOTES_TO_CLAIM = 1.3                 # summed scores of that label
SHARE_TO_CLAIM = 0.65                # of the summed scores, for the best label
SPREAD_TO_CLAIM_M = 0.28             # standard deviation of the position
NEAR_HITS_TO_CLAIM = 2
GATE = 3.0                           # most standard deviations between a measurement and its track or find
FOUND_SPREAD_M = 0.35                # standard deviation of a position that the world has accepted
APART_M = 2.0
RECLAIM_NS = 3_000_000_000           # a claim without a verdict is made again
CLAIMS_MAX = 3
TRACKS_MAX = 60
_REFUTED_SHARE = 0.03                # a smaller share of target pixels is evidence against a target
_RIM_RAD = 0.12                      # a target this close to the edge of a frame may be only partly in it


def claim(find: Find) -> Report:
    """The report to the world about a target that the robot has confirmed."""
    return Report(kind=CLAIM, values={"label": find.label, "x_m": find.x_m, "y_m": find.y_m})


def claimed(report: Report, kind: str) -> Find | None:
    """The target that a report claims, as a find of this kind; None if the report does not claim a known target."""
    match report:
        case Report(kind=k, values={"label": str(label), "x_m": float(x_m), "y_m": float(y_m)}) if k == CLAIM:
            return Find(kind=kind, label=label, x_m=x_m, y_m=y_m) if label in TARGET_CLASSES else None
        case _:
            return None


class Targets:
    """All tracks of one robot, and the finds of the whole team."""

    def __init__(self, locator: Locator) -> None:
        self._locator, self._beams = locator, locator.beams
        self._show_rad = locator.view.half_fov_rad - _RIM_RAD
        self.tracks: list[Track] = []
        self.finds = Finds()
        self._number = 0

    def detections(self, seen: Detections, pose: Pose, scan_m: NDArray[np.float32] | None) -> None:
        """Fuse the boxes of a frame taken at `pose`, with the scan nearest in time, if there is one."""
        hit: set[int] = set()
        for box in seen.boxes:
            if not (box.score >= SCORE_MIN and 0 <= box.label < len(TARGET_CLASSES) and box.x1_px > box.x0_px):
                continue
            fix = self._locator.locate(box, pose, scan_m)
            if fix is None or fix.range_m > self._beams.range_m:
                continue
            explained, track = self._match(fix, hit)
            if track is None and not explained:
                track = self._open(fix)
            if track is not None:
                track.update(fix, box.label, min(box.score, 1.0))
                hit.add(track.number)
        for track in self.tracks:
            if track.number not in hit and self._should_be_visible(track, pose, scan_m):
                track.doubt += 0.5
        self._prune()

    def mask(self, mask: Mask, pose: Pose, scan_m: NDArray[np.float32] | None) -> None:
        """Weigh each track in view by the pixels where its target would appear."""
        for track in self.tracks:
            if self._should_be_visible(track, pose, scan_m):
                share = self._locator.target_share(mask, pose, track.label, float(track.xy[0]), float(track.xy[1]))
                if share is not None:
                    track.doubt = track.doubt + 2.0 if share < _REFUTED_SHARE else max(0.0, track.doubt - share)
        self._prune()

    def to_visit(self, told_of: bool) -> list[Track]:
        """Tracks that need a closer look, by number: those of which one teammate alone has told, or all others."""
        return [t for t in self.tracks if t.hits >= HITS_TO_VISIT and t.claims == 0 and t.hits > t.doubt
                and not self._refused(t) and any(_may_be(t, find) for find in self.finds.told_by_one()) == told_of]

    def claims(self, now: int) -> list[Find]:
        """Targets to claim now: confirmed tracks that are not claimed yet, and claims without a verdict."""
        made = []
        for t in self.tracks:
            total = float(t.votes.sum())
            needed = max(VOTES_TO_CLAIM, SHARE_TO_CLAIM * total)
            if t.hits < HITS_TO_CLAIM or t.hits < 2 * t.doubt or t.votes.max() < needed:
                continue
            if t.claims >= CLAIMS_MAX or (t.claims and now - t.claimed_at < RECLAIM_NS):
                continue
            if t.spread_m > SPREAD_TO_CLAIM_M or t.near_hits < NEAR_HITS_TO_CLAIM or self._refused(t):
                continue
            t.claims, t.claimed_at = t.claims + 1, now
            made.append(Find(kind="confirmed", label=t.label, x_m=float(t.xy[0]), y_m=float(t.xy[1])))
        return made

    def judged(self, report: Report, verdict: str) -> Find | None:
        """Take in the world's verdict on a claim of ours. Returns the find to share with teammates, if it is new."""
        kind = "wrong" if verdict == "wrong" else "found"
        find = claimed(report, kind)
        if find is None or verdict not in ("found", "duplicate", "wrong"):
            return None
        return find if self.add(find) else None

    def add(self, find: Find, by: str = WORLD) -> bool:
        """Take in what the world, or a teammate, has told of a place. Returns whether it is believed from now on."""
        if not self.finds.add(find, by):
            return False
        for t in self.tracks:
            if find.kind == "wrong" and math.dist(_at(t), (find.x_m, find.y_m)) < SAME_PLACE_M:
                t.votes[TARGET_CLASSES.index(find.label)] *= 0.2     # another label gets its chance
                t.claims, t.doubt = 0, t.doubt + 1.0
        self._prune()
        return True

    def _match(self, fix: Fix, taken: set[int]) -> tuple[bool, Track | None]:
        """The best explanation of a measurement, by standard deviations.

        Returns (True, track), (True, None) for a target that is already found, or (False, None) for a new one. A track
        takes at most one measurement per frame.
        """
        at, noise = np.array([fix.x_m, fix.y_m]), covariance(fix)
        explained, best, best_d = False, None, GATE
        for f in self.finds.found():
            away = deviations(at - (f.x_m, f.y_m), noise + FOUND_SPREAD_M ** 2 * np.eye(2))
            if away < best_d:
                explained, best_d = True, away
        for t in self.tracks:
            if t.number not in taken and math.dist(t.xy.tolist(), (fix.x_m, fix.y_m)) < APART_M:
                away = deviations(at - t.xy, noise + t.cov + 0.15 ** 2 * np.eye(2))
                if away < best_d:
                    explained, best, best_d = True, t, away
        return explained, best

    def _open(self, fix: Fix) -> Track | None:
        if len(self.tracks) >= TRACKS_MAX or self._is_found((fix.x_m, fix.y_m)):
            return None
        self._number += 1
        track = Track(number=self._number, xy=np.array([fix.x_m, fix.y_m]), cov=covariance(fix))
        self.tracks.append(track)
        return track

    def _should_be_visible(self, track: Track, pose: Pose, scan_m: NDArray[np.float32] | None) -> bool:
        """Whether a target at the track should be visible from `pose`, by angle, range and scan."""
        dx, dy = float(track.xy[0]) - pose.x_m, float(track.xy[1]) - pose.y_m
        away = math.hypot(dx, dy)
        turn = (math.atan2(dy, dx) - pose.heading_rad + math.pi) % (2 * math.pi) - math.pi
        if not 0.9 < away < 3.0 or abs(turn) > self._show_rad:
            return False
        return scan_m is None or float(scan_m[self._beams.nearest(turn)]) > away - 0.6

    def _is_found(self, xy: Sequence[float]) -> bool:
        """Whether the team is believed to have found a target here."""
        return any(math.dist(xy, (f.x_m, f.y_m)) < SAME_PLACE_M for f in self.finds.found())

    def _refused(self, track: Track) -> bool:
        return self.finds.is_wrong(track.label, _at(track))

    def _prune(self) -> None:
        """Drop tracks whose target is found, and tracks with more doubt than hits."""
        self.tracks = [t for t in self.tracks
                       if not self._is_found(t.xy.tolist()) and (t.doubt < t.hits + 1.5 or t.hits >= 12)]


def _may_be(track: Track, find: Find) -> bool:
    """Whether what a teammate says may be of this track, as exactly as its position is known."""
    if find.kind == "wrong":
        return is_wrong(find, track.label, _at(track))
    offset = track.xy - (find.x_m, find.y_m)
    return (math.hypot(*offset.tolist()) < SAME_PLACE_M
            or deviations(offset, track.cov + FOUND_SPREAD_M ** 2 * np.eye(2)) < GATE)


def _at(track: Track) -> tuple[float, float]:
    return float(track.xy[0]), float(track.xy[1])
