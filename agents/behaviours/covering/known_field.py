"""The field as every robot knows it: what a thing of each class counts, and how things go and come; not where."""

from __future__ import annotations

WALL_M = 0.2                         # of the area that the body states
FLY_M = 1.2                          # height of flight
PLOT_M = 0.05                        # height of the plots on which things stand
WEIGHTS = {"casualty": 6.0, "hazard": 2.0, "beacon": 1.0}    # integral of the density around a thing
SPREAD_M = 0.8                       # standard deviation of the density around a thing
GROUND = 0.01                        # density everywhere, per m2
THINGS_PER_M2 = 1 / 25
STAYS_S = 30.0                       # a thing goes after this time, on average

EXPECTED = THINGS_PER_M2 * sum(WEIGHTS.values()) / len(WEIGHTS)      # density of things, where nothing is known
