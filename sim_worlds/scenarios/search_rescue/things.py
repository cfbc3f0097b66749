"""The things in a building: three kinds of target, and clutter, some of which looks like targets.

Parts are in the thing's own frame, x to its front; `solids.place_thing` puts them into the world frame.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from sim_worlds.physics.solids import Colour, Solid, box, cylinder, sphere

Rng = np.random.Generator

BLACK: Colour = (0.07, 0.07, 0.08)
WHITE: Colour = (0.93, 0.93, 0.92)
RED: Colour = (0.85, 0.10, 0.10)
YELLOW: Colour = (0.95, 0.80, 0.08)
ORANGE: Colour = (0.95, 0.45, 0.08)
SKIN: Colour = (0.85, 0.64, 0.50)
WOOD: Colour = (0.55, 0.40, 0.25)
GREY: Colour = (0.50, 0.51, 0.53)
BLUE: Colour = (0.18, 0.32, 0.62)
GREEN: Colour = (0.22, 0.45, 0.28)
BEIGE: Colour = (0.72, 0.66, 0.54)


def tinted(rng: Rng, colour: Colour, by: float = 0.06) -> Colour:
    """The colour with a small random change."""
    r, g, b = np.clip(np.asarray(colour) * rng.uniform(1 - 2 * by, 1 + by) + rng.uniform(-by, by, 3) / 2, 0.02, 1.0)
    return float(r), float(g), float(b)


def casualty(rng: Rng) -> list[Solid]:
    """A sitting figure in an orange suit: legs along the floor, upright torso, head; 0.55 to 0.68 m tall."""
    k = float(rng.uniform(0.92, 1.1))
    suit = tinted(rng, ORANGE if rng.random() < 0.7 else (0.95, 0.58, 0.10))
    skin = tinted(rng, SKIN, 0.12)
    legs = tinted(rng, suit, 0.03)
    lean = float(rng.uniform(-0.05, 0.05)) * k
    return [
        box(0.12 * k, 0.09 * k, 0.0, 0.56 * k, 0.14 * k, 0.14 * k, legs, float(rng.uniform(-0.15, 0.15))),
        box(0.12 * k, -0.09 * k, 0.0, 0.56 * k, 0.14 * k, 0.14 * k, legs, float(rng.uniform(-0.15, 0.15))),
        box(-0.20 * k, lean / 2, 0.0, 0.24 * k, 0.40 * k, 0.42 * k, suit),
        box(-0.20 * k, lean / 2, 0.24 * k, 0.25 * k, 0.41 * k, 0.06 * k, tinted(rng, (0.88, 0.90, 0.80))),
        sphere(-0.18 * k, lean, 0.52 * k, 0.105 * k, skin),
        box(0.41 * k, 0.0, 0.0, 0.08 * k, 0.26 * k, 0.16 * k, tinted(rng, BLACK)),
    ]


def beacon(rng: Rng) -> list[Solid]:
    """An upright post with red and white bands on a dark foot, 0.72 to 0.9 m tall."""
    height, radius = float(rng.uniform(0.72, 0.90)), float(rng.uniform(0.085, 0.115))
    red, white = tinted(rng, RED), tinted(rng, WHITE, 0.04)
    bands = int(rng.choice([4, 5]))
    band = (height - 0.05) / bands
    return [cylinder(0, 0, 0, radius * 1.7, 0.05, tinted(rng, BLACK)),
            *(cylinder(0, 0, 0.05 + i * band, radius, band, red if i % 2 == bands % 2 else white)
              for i in range(bands))]


def hazard(rng: Rng) -> list[Solid]:
    """A yellow drum or case with black bands, 0.5 to 0.72 m tall."""
    height, half = float(rng.uniform(0.50, 0.72)), float(rng.uniform(0.19, 0.25))
    yellow, black = tinted(rng, YELLOW), tinted(rng, BLACK)
    cuts = (0.0, 0.16, 0.36, 0.62, 0.82, 1.0)
    drum = rng.random() < 0.55
    parts = []
    for i in range(5):
        z0, sz, colour = cuts[i] * height, (cuts[i + 1] - cuts[i]) * height, yellow if i % 2 == 0 else black
        parts.append(cylinder(0, 0, z0, half, sz, colour) if drum else box(0, 0, z0, 2 * half, 2 * half, sz, colour))
    return parts


TARGETS: dict[str, Callable[[Rng], list[Solid]]] = {"casualty": casualty, "beacon": beacon, "hazard": hazard}


def crates(rng: Rng) -> Sequence[Solid]:
    """A crate, or a stack of two."""
    a, colour = float(rng.uniform(0.4, 0.75)), tinted(rng, _pick(rng, (WOOD, WOOD, BEIGE, GREEN, BLUE, GREY)))
    parts = [box(0, 0, 0, a, a * rng.uniform(0.7, 1.0), a * 0.8, colour)]
    if rng.random() < 0.45:
        lid = tinted(rng, WOOD, 0.12)
        parts.append(box(0, 0, a * 0.8, a * 0.7, a * 0.6, a * 0.55, lid, float(rng.uniform(0, 0.3))))
    return parts


def shelf(rng: Rng) -> Sequence[Solid]:
    """A tall cupboard with a darker door."""
    w, h = float(rng.uniform(0.7, 1.3)), float(rng.uniform(1.1, 1.9))
    colour = tinted(rng, _pick(rng, (WOOD, GREY, BEIGE, WHITE)))
    dark = (colour[0] * 0.75, colour[1] * 0.75, colour[2] * 0.75)
    return [box(0, 0, 0, 0.4, w, h, colour), box(0.2, 0, 0.1, 0.02, w * 0.8, h * 0.8, dark)]


def table(rng: Rng) -> Sequence[Solid]:
    """A desk on two side panels."""
    w, colour = float(rng.uniform(0.9, 1.4)), tinted(rng, _pick(rng, (WOOD, BEIGE, GREY)))
    leg = tinted(rng, GREY)
    return [box(0, 0, 0.66, 0.6, w, 0.06, colour), box(0, w / 2 - 0.06, 0, 0.55, 0.06, 0.66, leg),
            box(0, 0.06 - w / 2, 0, 0.55, 0.06, 0.66, leg), box(-0.22, 0, 0.2, 0.04, w - 0.14, 0.46, leg)]


def drum(rng: Rng) -> Sequence[Solid]:
    """A plain drum: blue, green or grey, or yellow or orange but without the bands of a hazard."""
    colour = tinted(rng, _pick(rng, (BLUE, GREEN, GREY, YELLOW, ORANGE)))
    return [cylinder(0, 0, 0, float(rng.uniform(0.2, 0.28)), float(rng.uniform(0.5, 0.85)), colour)]


def post(rng: Rng) -> Sequence[Solid]:
    """A thin plain post, sometimes in a beacon's colour."""
    colour = tinted(rng, _pick(rng, (RED, WHITE, GREY, BLACK, GREEN)))
    return [cylinder(0, 0, 0, 0.16, 0.05, tinted(rng, GREY)),
            cylinder(0, 0, 0.05, float(rng.uniform(0.06, 0.11)), float(rng.uniform(0.6, 1.2)), colour)]


def bright_box(rng: Rng) -> Sequence[Solid]:
    """A low plain box in a target's colour."""
    sx, sy, sz = (float(v) for v in rng.uniform((0.3, 0.3, 0.2), (0.7, 0.6, 0.55)))
    return [box(0, 0, 0, sx, sy, sz, tinted(rng, _pick(rng, (ORANGE, YELLOW, RED, WHITE))))]


def bin_with_lid(rng: Rng) -> Sequence[Solid]:
    """A dark bin with a bright lid."""
    lid = tinted(rng, _pick(rng, (YELLOW, RED, BLUE, ORANGE)))
    return [box(0, 0, 0, 0.42, 0.42, 0.55, tinted(rng, GREY)), box(0, 0, 0.55, 0.46, 0.46, 0.07, lid)]


def chair(rng: Rng) -> Sequence[Solid]:
    """A chair with a back, sometimes orange."""
    colour = tinted(rng, _pick(rng, (BLUE, GREY, WOOD, GREEN, ORANGE)))
    return [box(0, 0, 0.0, 0.3, 0.3, 0.4, tinted(rng, BLACK)), box(0, 0, 0.4, 0.44, 0.44, 0.06, colour),
            box(-0.2, 0, 0.46, 0.05, 0.44, 0.4, colour)]


CLUTTER: tuple[tuple[str, Callable[[Rng], Sequence[Solid]], float], ...] = (
    ("crates", crates, 0.24), ("shelf", shelf, 0.14), ("table", table, 0.12), ("drum", drum, 0.12),
    ("post", post, 0.10), ("bright_box", bright_box, 0.12), ("bin", bin_with_lid, 0.08), ("chair", chair, 0.08))
"""Name, function that makes it and share of each kind of clutter."""


def _pick(rng: Rng, colours: Sequence[Colour]) -> Colour:
    return colours[int(rng.integers(len(colours)))]


