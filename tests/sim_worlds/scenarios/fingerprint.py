"""A short text that changes with a place: published figures are of places that must stay as they are."""

from __future__ import annotations

import hashlib

from sim_worlds.environment import Environment


def fingerprint(place: Environment) -> str:
    """Of its size, start poses and solids, to a micrometre."""
    numbers = [place.size_m]
    for pose in place.spawns:
        numbers += [pose.x_m, pose.y_m, pose.heading_rad]
    for solid in place.solids():
        numbers += [solid.x_m, solid.y_m, solid.z_m, solid.hx_m, solid.hy_m, solid.hz_m, solid.yaw_rad, *solid.colour]
    labels = [thing.label for thing in place.clutter + place.targets]
    return hashlib.sha256(repr(([round(v, 6) + 0.0 for v in numbers], labels)).encode()).hexdigest()[:12]
