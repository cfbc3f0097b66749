"""Floor plans as standalone SVG, for reports and `swarm worlds render`."""

from __future__ import annotations

import math
from html import escape

from sim_worlds.world import Scene, SceneRobot, SceneShape

TARGET_COLOURS = {"casualty": "#f07314", "beacon": "#d91a1a", "hazard": "#e8c414"}
ROBOT_COLOURS = {"rover": "#1791a1", "carrier": "#7d3a9c"}
_FOOT_M = 1.3                        # room for the legend
_INK, _PAPER, _FLOOR = "#26282b", "#ffffff", "#f3f1ec"


def floor_plan(scene: Scene, width_px: int = 720) -> str:
    """An SVG document, one metre to the unit, north up, with a legend: found targets are filled and name the finder."""
    size, half = scene.size_m, scene.size_m / 2
    view = f"{-half:g} {-half:g} {size:g} {size + _FOOT_M:g}"
    style = f'width="{width_px}" font-family="sans-serif" font-size="0.36" role="img"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{view}" {style}>',
        f"<title>{escape(scene.scenario)}, seed {scene.seed}</title>",
        f'<rect x="{-half:g}" y="{-half:g}" width="{size:g}" height="{size + _FOOT_M:g}" fill="{_PAPER}"/>',
        f'<rect x="{-half:g}" y="{-half:g}" width="{size:g}" height="{size:g}" fill="{_FLOOR}"/>',
    ]
    parts += [_shape(s, s.colour, 0.75) for s in scene.clutter]
    parts += [_shape(s, _INK, 1.0) for s in scene.walls]
    parts += [f'<circle cx="{s.x_m:.2f}" cy="{-s.y_m:.2f}" r="{s.radius_m:.2f}" fill="none" stroke="#888" '
              'stroke-width="0.03" stroke-dasharray="0.1 0.08"/>' for s in scene.spawns]
    for t in scene.targets:
        colour = TARGET_COLOURS.get(t.label, _INK)
        fill, note = (_PAPER, f"{t.label}, not found") if t.found_by is None else \
            (colour, f"{t.label}, found by {t.found_by} at {t.found_at_s:.1f} s")
        parts.append(f'<g><title>{escape(note)}</title><circle cx="{t.x_m:.2f}" cy="{-t.y_m:.2f}" r="0.3" '
                     f'fill="{fill}" stroke="{colour}" stroke-width="0.12"/></g>')
        if t.found_by is not None:
            anchor = "start" if t.x_m < 1.5 - half else "end" if t.x_m > half - 1.5 else "middle"
            y = -t.y_m - 0.42 if t.y_m < half - 1.0 else 0.75 - t.y_m
            parts.append(f'<text x="{t.x_m:.2f}" y="{y:.2f}" text-anchor="{anchor}" fill="{_INK}">'
                         f"{escape(t.found_by)}</text>")
    parts += [_robot(r) for r in scene.robots]
    parts += _legend(half)
    parts.append("</svg>")
    return "\n".join(parts) + "\n"


def _shape(s: SceneShape, colour: str, opacity: float) -> str:
    paint = f'fill="{escape(colour)}" opacity="{opacity}"'
    if s.shape == "circle":
        return f'<circle cx="{s.x_m:.2f}" cy="{-s.y_m:.2f}" r="{s.hx_m:.3f}" {paint}/>'
    turn = f' transform="rotate({-math.degrees(s.yaw_rad):.1f} {s.x_m:.2f} {-s.y_m:.2f})"' if s.yaw_rad else ""
    return (f'<rect x="{s.x_m - s.hx_m:.3f}" y="{-s.y_m - s.hy_m:.3f}" width="{2 * s.hx_m:.3f}" '
            f'height="{2 * s.hy_m:.3f}" {paint}{turn}/>')


def _robot(r: SceneRobot) -> str:
    """A disc with a line to its front."""
    x, y = r.x_m + 1.5 * r.radius_m * math.cos(r.heading_rad), r.y_m + 1.5 * r.radius_m * math.sin(r.heading_rad)
    colour = ROBOT_COLOURS.get(r.kind, _INK)
    return (f'<g><title>{escape(r.name)}</title><circle cx="{r.x_m:.2f}" cy="{-r.y_m:.2f}" r="{r.radius_m:.2f}" '
            f'fill="{colour}"/><line x1="{r.x_m:.2f}" y1="{-r.y_m:.2f}" x2="{x:.2f}" y2="{-y:.2f}" '
            f'stroke="{_INK}" stroke-width="0.06"/></g>')


def _legend(half: float) -> list[str]:
    """One row under the plan."""
    out, x, y = [], -half + 0.6, half + 0.65
    for name, colour, filled in (*((n, c, False) for n, c in TARGET_COLOURS.items()),
                                 *((n, c, True) for n, c in ROBOT_COLOURS.items())):
        out.append(f'<circle cx="{x:.2f}" cy="{y:.2f}" r="0.2" fill="{colour if filled else _PAPER}" '
                   f'stroke="{colour}" stroke-width="0.1"/>'
                   f'<text x="{x + 0.4:.2f}" y="{y + 0.13:.2f}" fill="{_INK}">{escape(name)}</text>')
        x += 2.6
    out.append(f'<line x1="{half - 2.6:.2f}" y1="{y:.2f}" x2="{half - 0.6:.2f}" y2="{y:.2f}" stroke="{_INK}" '
               f'stroke-width="0.06"/><text x="{half - 1.6:.2f}" y="{y - 0.12:.2f}" text-anchor="middle" '
               f'fill="{_INK}">2 m</text>')
    return out
